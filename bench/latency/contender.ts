/** What takes part in the latency benchmark: servers behind NATS. A further peer is one more value of {@link relay}. */

import { deliveryMark } from '../fanout/frames.js';
import { type Layout, symbolsOf, symbolsOfClient } from '../fanout/layout.js';
import type { GatewayThreads } from '../fanout/millrace.js';
import { Channel } from '../harness/channel.js';
import type { Child, Children } from '../harness/children.js';
import { startGateway } from '../harness/gateway.js';
import { mintTokens, newSecret } from '../harness/tokens.js';
import type { ClientPlan } from '../load/messages.js';
import type { OpenLoopPlan } from '../open-loop/messages.js';
import type { RelayAnswer, RelayFault, RelayStart } from '../peers/relay-messages.js';

export interface RunningServer {
  readonly child: Child;
  readonly port: number;
  readonly clients: readonly ClientPlan[];
  /** True: a client gets a snapshot first. */
  readonly isStateful: boolean;
  /** Where `/metrics` is; undefined where there is none. */
  readonly adminPort: number | undefined;
}

export interface LatencyContender {
  readonly name: string;
  readonly form: OpenLoopPlan['form'];
  /** Starts a fresh process that serves the layout's clients from the NATS server. */
  start(children: Children, natsUrl: string, layout: Layout): Promise<RunningServer>;
}

/** All of them send deltas of quotes, and nothing else that looks like one. */
export const DELIVERY = deliveryMark('price', 'json');

/** Millrace with so many threads; `env` beyond the benchmark's own settings. */
export function millrace(threads: GatewayThreads, env: Readonly<Record<string, string>> = {}): LatencyContender {
  return {
    name: 'millrace',
    form: 'quotes',
    start: async (children, natsUrl, layout) => {
      const secret = newSecret();
      const gateway = await startGateway(children, {
        FEED: 'nats',
        NATS_URL: natsUrl,
        AUTH_JWT_SECRET: secret,
        WORKERS: threads.workers,
        ENCODERS: threads.encoders,
        SYMBOLS: symbolsOf(layout).join(','),
        ...env,
      });
      const tokens = await mintTokens(secret, layout.clients);
      return {
        ...gateway,
        clients: tokens.map((token, client) => ({
          path: `${path(layout, client)}&class=realtime&timestamps=1&token=${token}`,
        })),
        isStateful: true,
      };
    },
  };
}

/**
 * A program under peers/ that hands NATS messages on.
 * @param program runs it in place of Node
 */
export function relay(name: string, fault?: RelayFault, program?: string): LatencyContender {
  return {
    name,
    form: 'frames',
    start: async (children, natsUrl, layout) => {
      const child = children.fork(name, new URL(`../peers/${name}/server.ts`, import.meta.url), program);
      const channel = new Channel<RelayStart, RelayAnswer>(child);
      const start: RelayStart = { type: 'start', natsUrl, ...(fault === undefined ? {} : { fault }) };
      const { port } = await channel.ask(start, 'started');
      const clients = Array.from({ length: layout.clients }, (_, client) => ({ path: path(layout, client) }));
      return { child, port, clients, isStateful: false, adminPort: undefined };
    },
  };
}

function path(layout: Layout, client: number): string {
  return `/ws/quotes?symbols=${symbolsOfClient(layout, client).join(',')}`;
}
