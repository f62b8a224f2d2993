/** Contender: bare uWebSockets.js publishing the recorded bytes from one thread. */
import { Channel } from '../harness/channel.js';
import type { Contender } from './contender.js';
import { QUOTES_DELTA } from './frames.js';
import { type Layout, symbolsOfClient } from './layout.js';
import type { PaceAnswer, PaceCommand, PeerStart } from './messages.js';

export const bareUws: Contender = {
  name: 'bare-uws',
  async start(children, plan) {
    const child = children.fork('bare-uws', new URL('../peers/bare-uws/server.ts', import.meta.url));
    const channel = new Channel<PaceCommand<PeerStart>, PaceAnswer>(child);
    const { port, progressPort } = await channel.ask({ type: 'start', ...plan }, 'started');
    return {
      port,
      clients: Array.from({ length: plan.layout.clients }, (_, client) => ({ path: path(plan.layout, client) })),
      delivery: QUOTES_DELTA,
      isStateful: false,
      progressPort,
      processes: [{ role: 'server', child }],
      publisher: channel,
    };
  },
};

function path(layout: Layout, client: number): string {
  return `/ws/quotes?symbols=${symbolsOfClient(layout, client).join(',')}`;
}
