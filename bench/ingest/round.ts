/** One round of taking updates in: Millrace, or a bare subscriber, kept as busy as it can be without loss. */
import { setTimeout as sleep } from 'node:timers/promises';
import { deliveryMark } from '../fanout/frames.js';
import { symbolAt } from '../fanout/layout.js';
import { Channel } from '../harness/channel.js';
import { type Child, Children } from '../harness/children.js';
import { type CpuSample, cpuShare, sampleCpu } from '../harness/cpu.js';
import { startGateway } from '../harness/gateway.js';
import { scrape } from '../harness/metrics.js';
import { startNatsServer } from '../harness/nats-server.js';
import { mintTokens, newSecret } from '../harness/tokens.js';
import { LoadGenerator } from '../load/load-generator.js';
import type { Pace } from '../pacing/pacer.js';
import type { IngestAnswer, IngestCommand } from '../peers/bare-ingest/server.js';
import type { FeedAnswer, FeedCommand } from './messages.js';

export interface IngestSettings {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly symbols: number;
  /** Every k-th symbol is wanted by the one client, and paces the publisher. */
  readonly sampleEvery: number;
  readonly windowUpdates: number;
  readonly batchUpdates: number;
  readonly workers: string;
  readonly encoders: string;
}

export interface IngestRound {
  readonly contender: 'millrace' | 'bare-ingest';
  readonly round: number;
  readonly updatesPerSecond: number;
  /** Published and never taken in. */
  readonly lost: number;
  /** Taken in, but skipped for newer ones. */
  readonly skipped: number;
  /** Receipts that the sampled symbols owe and that never came. */
  readonly missing: number;
  readonly cpu: { readonly server: number; readonly nats: number; readonly publisher: number };
  readonly busiestServerThread: number;
  readonly busiestServerThreadDemand: number;
}

/** What the rest of a round needs of a contender. */
interface Taker {
  readonly child: Child;
  readonly fanout: readonly number[];
  counts(): Promise<{ readonly taken: number; readonly skipped: number; readonly received: number }>;
}

type Feed = Channel<FeedCommand, FeedAnswer>;

const PROGRESS_INTERVAL_MS = 2;
const STALL_MS = 3000;
const DRAIN_POLL_MS = 50;
const DRAIN_PATIENCE_MS = 3000;

export async function runIngestRound(
  contender: IngestRound['contender'],
  round: number,
  settings: IngestSettings,
  signal: AbortSignal,
): Promise<IngestRound> {
  const children = new Children(signal);
  try {
    const { child: nats, url: natsUrl } = await startNatsServer(children);
    const feed: Feed = new Channel(children.fork('publisher', new URL('./publisher.ts', import.meta.url)));
    const { symbols, batchUpdates: batch } = settings;
    const { progressPort } = await feed.ask({ type: 'start', natsUrl, symbols, batch }, 'started');
    const start = contender === 'millrace' ? startMillrace : startBare;
    const taker = await start(children, natsUrl, progressPort, settings, feed);
    const { windowUpdates, batchUpdates } = settings;
    const pace: Pace = { windowUpdates, batchUpdates, fanout: taker.fanout, stallMs: STALL_MS };
    const work = measure(feed, taker, pace, settings, nats);
    const watched = [taker.child, nats, feed.child];
    return { contender, round, ...(await watched.reduce((outcome, child) => child.during(outcome), work)) };
  } finally {
    await children.endAll();
  }
}

async function measure(feed: Feed, taker: Taker, pace: Pace, settings: IngestSettings, nats: Child) {
  const processes = [taker.child, nats, feed.child];
  const start = await taker.counts();
  await feed.ask({ type: 'run', pace }, 'running');
  await sleep(settings.warmupSeconds * 1000);
  const before = await timed(taker);
  const cpuBefore = processes.map(child => sampleCpu(child.pid));
  await sleep(settings.seconds * 1000);
  const after = await timed(taker);
  const shares = processes.map((child, at) => cpuShare(cpuBefore[at] ?? NO_SAMPLE, sampleCpu(child.pid)));
  const { updates, owed } = await feed.ask({ type: 'stop' }, 'stopped');
  const end = await drained(taker, start.taken + updates, start.received + owed);
  const [server, natsShare, publisher] = shares;
  return {
    updatesPerSecond: ((after.taken - before.taken) * 1000) / (after.atMs - before.atMs),
    lost: start.taken + updates - end.taken,
    skipped: end.skipped - start.skipped,
    missing: start.received + owed - end.received,
    cpu: {
      server: server?.process ?? Number.NaN,
      nats: natsShare?.process ?? Number.NaN,
      publisher: publisher?.process ?? Number.NaN,
    },
    busiestServerThread: server?.busiestThread ?? Number.NaN,
    busiestServerThreadDemand: server?.busiestThreadDemand ?? Number.NaN,
  };
}

const NO_SAMPLE: CpuSample = { atMs: 0, seconds: Number.NaN, threads: new Map() };

async function timed(taker: Taker) {
  const counts = await taker.counts();
  return { ...counts, atMs: performance.now() };
}

/** Waits until all is taken in and received, or nothing more comes. */
async function drained(taker: Taker, takenGoal: number, receivedGoal: number) {
  let last = await taker.counts();
  let lastChange = performance.now();
  while ((last.taken < takenGoal || last.received < receivedGoal) && waited(lastChange) < DRAIN_PATIENCE_MS) {
    await sleep(DRAIN_POLL_MS);
    const next = await taker.counts();
    if (next.taken > last.taken || next.received > last.received) lastChange = performance.now();
    last = next;
  }
  return last;
}

function waited(sinceMs: number): number {
  return performance.now() - sinceMs;
}

async function startMillrace(
  children: Children,
  natsUrl: string,
  progressPort: number,
  settings: IngestSettings,
  feed: Feed,
): Promise<Taker> {
  const secret = newSecret();
  const gateway = await startGateway(children, {
    FEED: 'nats',
    NATS_URL: natsUrl,
    AUTH_JWT_SECRET: secret,
    WORKERS: settings.workers,
    ENCODERS: settings.encoders,
    SYMBOLS: 'S*',
  });
  await feed.ask({ type: 'seed' }, 'seeded');
  const [token = ''] = await mintTokens(secret, 1);
  const isWanted = (index: number): boolean => index % settings.sampleEvery === 0;
  const all = Array.from({ length: settings.symbols }, (_, index) => index);
  const wanted = all.filter(isWanted).map(symbolAt);
  const generator = LoadGenerator.start(children);
  await generator.connect({
    host: '127.0.0.1',
    port: gateway.port,
    clients: [{ path: `/ws/quotes?symbols=${wanted.join(',')}&class=realtime&token=${token}` }],
    delivery: deliveryMark('price', 'json'),
    awaitFirstFrame: true,
    progress: { ports: [progressPort], intervalMs: PROGRESS_INTERVAL_MS },
  });
  return {
    child: gateway.child,
    fanout: all.map(index => (isWanted(index) ? 1 : 0)),
    counts: async () => {
      const metrics = await scrape(gateway.adminPort);
      const read = (name: string): number => metrics.get(name) ?? Number.NaN;
      return {
        taken: read('millrace_feed_messages_total'),
        skipped: read('millrace_queue_states_skipped_total'),
        received: (await generator.measure()).totalDeliveries,
      };
    },
  };
}

async function startBare(
  children: Children,
  natsUrl: string,
  progressPort: number,
  settings: IngestSettings,
): Promise<Taker> {
  const child = children.fork('bare-ingest', new URL('../peers/bare-ingest/server.ts', import.meta.url));
  const channel = new Channel<IngestCommand, IngestAnswer>(child);
  await channel.ask({ type: 'start', natsUrl, progressPort, intervalMs: PROGRESS_INTERVAL_MS }, 'started');
  return {
    child,
    fanout: Array.from({ length: settings.symbols }, () => 1),
    counts: async () => {
      const { messages } = await channel.ask({ type: 'take' }, 'taken');
      return { taken: messages, skipped: 0, received: messages };
    },
  };
}
