/** One client on an idle system, against a subscriber of NATS without any server behind it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Channel } from '../harness/channel.js';
import { Children } from '../harness/children.js';
import { startNatsServer } from '../harness/nats-server.js';
import type { LatencyReport } from '../load/latency-histogram.js';
import type { OpenLoopAnswer, OpenLoopCommand } from '../open-loop/messages.js';
import type { IngestAnswer, IngestCommand } from '../peers/bare-ingest/server.js';
import type { LatencyContender } from './contender.js';
import { type LoadTimes, Session } from './session.js';

/** Far apart, so that every update meets an idle system. */
export const IDLE_UPDATES_PER_SECOND = 100;

/** One symbol; two clients, as the generator's two processes have at least one each. Only the observer's are taken. */
const LAYOUT = { clients: 2, symbolsPerClient: 1, universe: 1 };
const RATE = { updatesPerSecond: IDLE_UPDATES_PER_SECOND, burst: 1 };

/** A contender's latency, at its observing client. */
export async function idleLatency(
  contender: LatencyContender,
  times: LoadTimes,
  signal: AbortSignal,
): Promise<LatencyReport> {
  const plan = { layout: LAYOUT, shape: 'price', paddingBytes: 0, observers: 1 } as const;
  const session = await Session.open(contender, plan, signal);
  try {
    return (await session.load(RATE, times)).observers.latency.total;
  } finally {
    await session.close();
  }
}

/** The same updates at a bare subscriber. */
export async function bareSubscriberLatency(times: LoadTimes, signal: AbortSignal): Promise<LatencyReport> {
  const children = new Children(signal);
  try {
    const { url: natsUrl } = await startNatsServer(children);
    const fork = (name: string, module: string) => children.fork(name, new URL(module, import.meta.url));
    const subscriber = new Channel<IngestCommand, IngestAnswer>(
      fork('bare subscriber', '../peers/bare-ingest/server.ts'),
    );
    await subscriber.ask({ type: 'start', natsUrl, progressPort: 0, intervalMs: 0 }, 'started');
    const publisher = new Channel<OpenLoopCommand, OpenLoopAnswer>(fork('publisher', '../open-loop/publisher.ts'));
    const plan = { natsUrl, layout: LAYOUT, shape: 'price', form: 'frames', paddingBytes: 0 } as const;
    await publisher.ask({ type: 'start', ...plan }, 'started');
    await publisher.ask({ type: 'run', rate: RATE }, 'running');
    await sleep(times.warmupSeconds * 1000);
    await subscriber.ask({ type: 'take' }, 'taken');
    await sleep(times.seconds * 1000);
    const { latency } = await subscriber.ask({ type: 'take' }, 'taken');
    await publisher.ask({ type: 'stop' }, 'stopped');
    return latency;
  } finally {
    await children.endAll();
  }
}
