/** One round: one way of publishing, a gateway and a client at each site. */
import { setTimeout as sleep } from 'node:timers/promises';
import { symbolAt } from '../fanout/layout.js';
import { Channel } from '../harness/channel.js';
import { Children } from '../harness/children.js';
import { startGateway } from '../harness/gateway.js';
import { mintTokens, newSecret } from '../harness/tokens.js';
import type { PublisherAnswer, PublisherCommand, ReaderReport, ReadersAnswer, ReadersCommand } from './messages.js';
import { HOME, type Region, SITES, type Site, type World } from './world.js';

export interface RegionsSettings {
  readonly rounds: number;
  readonly seconds: number;
  readonly symbols: number;
  readonly tradesPerSecond: number;
  /** Of each way between two sites, in each direction. */
  readonly delayMs: number;
  readonly workers: string;
  readonly encoders: string;
}

/** A way of publishing. */
export interface Way {
  readonly name: string;
  readonly jetstream: boolean;
  readonly publisherIn: Region;
}

export const WAYS: readonly Way[] = [
  { name: 'core', jetstream: false, publisherIn: HOME },
  { name: 'JetStream', jetstream: true, publisherIn: HOME },
  { name: 'JetStream, far from the stream', jetstream: true, publisherIn: 'us' },
];

/** How many ways between sites a message takes to a client there: with JetStream it passes the stream. */
export function waysTo(site: Site, { jetstream, publisherIn }: Way): number {
  if (!jetstream) return site === publisherIn ? 0 : 1;
  return (publisherIn === HOME ? 0 : 1) + (site === HOME ? 0 : 1);
}

export interface RegionsRound {
  readonly way: string;
  readonly round: number;
  readonly trades: number;
  /** By site, in the order of {@link SITES}. */
  readonly readers: readonly (ReaderReport & { readonly missing: number })[];
}

/** After the last message: the longest way, and what a busy machine adds. */
const DRAIN_TIMEOUT_MS = 10_000;

export async function runRegionsRound(
  world: World,
  way: Way,
  round: number,
  settings: RegionsSettings,
  signal: AbortSignal,
): Promise<RegionsRound> {
  const children = new Children(signal);
  try {
    const symbols = Array.from({ length: settings.symbols }, (_, i) => symbolAt(i));
    const urls = await clientUrls(world, way, symbols, settings, children);
    const readers = new Channel<ReadersCommand, ReadersAnswer>(
      children.fork('readers', new URL('./readers.ts', import.meta.url)),
    );
    await readers.ask({ type: 'connect', urls, symbols }, 'connected');
    const publisher = new Channel<PublisherCommand, PublisherAnswer>(
      children.fork('publisher', new URL('./publisher.ts', import.meta.url)),
    );
    const { servers, user, pass, tls } = world.credentials.options('publisher', world.portOf(way.publisherIn));
    const plan = { servers, user, pass, caFile: tls.caFile, jetstream: way.jetstream, symbols };
    await publisher.ask({ type: 'start', plan }, 'started');
    await publisher.ask({ type: 'run', tradesPerSecond: settings.tradesPerSecond }, 'running');
    await publisher.child.during(sleep(settings.seconds * 1000));
    const { trades } = await publisher.ask({ type: 'stop' }, 'stopped');
    const measure = { type: 'measure', trades, timeoutMs: DRAIN_TIMEOUT_MS } as const;
    const { readers: reports } = await readers.ask(measure, 'measured', DRAIN_TIMEOUT_MS);
    return {
      way: way.name,
      round,
      trades,
      readers: reports.map(reader => ({ ...reader, missing: trades - reader.latency.count })),
    };
  } finally {
    await children.endAll();
  }
}

/** Starts a gateway at each site. @returns where their clients connect */
async function clientUrls(
  world: World,
  { jetstream }: Way,
  symbols: readonly string[],
  { workers, encoders }: RegionsSettings,
  children: Children,
): Promise<string[]> {
  const secret = newSecret();
  const tokens = await mintTokens(secret, SITES.length);
  const names = symbols.join(',');
  const started = SITES.map(async (site, i) => {
    const { port } = await startGateway(children, {
      ...world.gatewaySettings(site),
      ...(jetstream ? { JETSTREAM: 'on' } : {}),
      NODE_NAME: site,
      SYMBOLS: names,
      AUTH_JWT_SECRET: secret,
      WORKERS: workers,
      ENCODERS: encoders,
    });
    return `ws://127.0.0.1:${port}/ws?timestamps=1&token=${tokens[i]}`;
  });
  return Promise.all(started);
}
