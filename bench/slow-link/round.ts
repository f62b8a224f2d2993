/** One round: fresh processes, all readers beside each other on one feed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { symbolAt } from '../fanout/layout.js';
import { Channel } from '../harness/channel.js';
import { Children } from '../harness/children.js';
import { startGateway } from '../harness/gateway.js';
import { startNatsServer } from '../harness/nats-server.js';
import { mintTokens, newSecret } from '../harness/tokens.js';
import type { FeedAnswer, FeedCommand, ReaderReport, ReadersAnswer, ReadersCommand } from './messages.js';

export interface SlowLinkSettings {
  readonly rounds: number;
  readonly seconds: number;
  readonly symbols: number;
  readonly updatesPerSecond: number;
  readonly maxAgeMs: number;
  readonly workers: string;
  readonly encoders: string;
}

/** How fast the readers read; undefined: as fast as they can, which shows the feed's own rate. */
export const READ_BYTES_PER_SECOND: readonly (number | undefined)[] = [undefined, 600_000, 300_000, 150_000, 50_000];

/** With so much unsent in the kernel. */
export interface KernelSetting {
  readonly name: string;
  readonly notSentLowat: string;
}
export const LIMITED: KernelSetting = { name: '64 KiB unsent', notSentLowat: '64KiB' };
export const UNLIMITED: KernelSetting = { name: 'kernel’s default', notSentLowat: '1GiB' };

export interface SlowLinkRound {
  readonly contender: string;
  readonly round: number;
  readonly readers: readonly ReaderReport[];
}

export async function runSlowLinkRound(
  kernel: KernelSetting,
  round: number,
  settings: SlowLinkSettings,
  signal: AbortSignal,
): Promise<SlowLinkRound> {
  const children = new Children(signal);
  try {
    const secret = newSecret();
    const nats = await startNatsServer(children);
    const gateway = await startGateway(children, {
      FEED: 'nats',
      NATS_URL: nats.url,
      AUTH_JWT_SECRET: secret,
      WORKERS: settings.workers,
      ENCODERS: settings.encoders,
      WS_MAX_AGE: `${settings.maxAgeMs}ms`,
      TCP_NOTSENT_LOWAT: kernel.notSentLowat,
    });
    const feed = new Channel<FeedCommand, FeedAnswer>(
      children.fork('publisher', new URL('./publisher.ts', import.meta.url)),
    );
    await feed.ask({ type: 'start', natsUrl: nats.url, symbols: settings.symbols }, 'started');
    await feed.ask({ type: 'seed' }, 'seeded');
    const readers = new Channel<ReadersCommand, ReadersAnswer>(
      children.fork('readers', new URL('./readers.ts', import.meta.url)),
    );
    const symbols = Array.from({ length: settings.symbols }, (_, i) => symbolAt(i)).join(',');
    const tokens = await mintTokens(secret, READ_BYTES_PER_SECOND.length);
    const plans = READ_BYTES_PER_SECOND.map((bytesPerSecond, i) => ({
      bytesPerSecond,
      path: `/ws/quotes?symbols=${symbols}&class=realtime&token=${tokens[i]}`,
      maxAgeMs: settings.maxAgeMs,
    }));
    await readers.ask({ type: 'connect', port: gateway.port, readers: plans }, 'connected');
    await readers.ask({ type: 'begin' }, 'begun');
    await feed.ask({ type: 'run', updatesPerSecond: settings.updatesPerSecond }, 'running');
    const work = sleep(settings.seconds * 1000);
    await [gateway.child, nats.child].reduce((outcome, child) => child.during(outcome), work);
    const { readers: reports } = await readers.ask({ type: 'measure' }, 'measured');
    await feed.ask({ type: 'stop' }, 'stopped');
    return { contender: kernel.name, round, readers: reports };
  } finally {
    await children.endAll();
  }
}
