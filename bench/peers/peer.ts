/** What the peers that run JavaScript have in common: they publish by themselves, paced like every contender. */
import type { PaceAnswer, PaceCommand, PeerStart } from '../fanout/messages.js';
import { serve } from '../harness/channel.js';
import { Pacer } from '../pacing/pacer.js';
import { ProgressReceiver } from '../pacing/progress.js';

interface PeerServer {
  /** Where the clients connect. */
  readonly port: number;
  /** One update: frame `tick` of the cycle of `symbol` (its place in the layout) to all that want it. */
  publish(symbol: number, tick: number): void;
}

/** The whole program of a peer: waits for the benchmark's commands. */
export function servePeer(listen: (command: PeerStart) => Promise<PeerServer>): void {
  let running: Pacer | undefined;
  serve<PaceCommand<PeerStart>, PaceAnswer>(async command => {
    if (command.type === 'start') {
      const server = await listen(command);
      const pacer = pacerOf(command, server);
      running = pacer;
      const receiver = await ProgressReceiver.listen(total => pacer.progress(total));
      return { type: 'started', progressPort: receiver.port, port: server.port };
    }
    if (running === undefined) throw new Error(`${command.type} before start`);
    if (command.type === 'run') {
      // After the answer: a slow server takes seconds for its first window.
      setImmediate(() => running?.start());
      return { type: 'running' };
    }
    running.stop();
    return { type: 'stopped', updates: running.updates, owed: running.owed, givenUp: running.givenUp };
  });
}

function pacerOf({ pace, layout, frames }: PeerStart, server: PeerServer): Pacer {
  const symbols = layout.universe;
  const ticks = frames[0]?.length ?? 0;
  return new Pacer(pace, (from, count) => {
    for (let update = from; update < from + count; update++) {
      server.publish(update % symbols, Math.floor(update / symbols) % ticks);
    }
  });
}
