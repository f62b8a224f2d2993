/**
 * Clients on slow links over the real hub, encoder, ring and gateway modules, in virtual time: what they read is as old as
 * the bytes before it take, whatever machine this runs on.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { REALTIME } from '../../../src/protocol/view-options.js';
import { laneOf } from '../../../src/threads/lanes.js';
import { MAX_AGE_MS } from '../../support/ages.js';
import type { FakeSocket } from '../../support/fake-uws.js';
import { OneThreadGateway } from '../../support/one-thread.js';
import { OneThreadFeed } from '../../support/one-thread-feed.js';

const STEP_MS = 20;
const SAMPLE_MS = 100;
const START_MICROS = 1_700_000_000_000_000;
/** With TCP_NOTSENT_LOWAT at 64 KiB, measured (native-notes/uws.md). */
const KERNEL_BYTES = 203 * 1024;
const CLASS_INTERVAL_MAX_MS = 1_000;

let feed: OneThreadFeed;
let gateway: OneThreadGateway;
let published: number;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] });
  vi.advanceTimersByTime(1_000);
  published = 0;
  begin(KERNEL_BYTES);
});

afterEach(async () => {
  expect(gateway.faults).toEqual([]);
  await gateway.hub.close();
  vi.useRealTimers();
});

/** @param kernelBytes what the gateway's system and the client's take for a socket */
function begin(kernelBytes: number): void {
  feed = new OneThreadFeed(false);
  gateway = new OneThreadGateway({
    encoders: 1,
    symbols: [],
    feed,
    historyBytes: 1024,
    backpressureBytes: 1024 * 1024,
    kernelBytes,
    isRefused: () => false,
    ringBytes: 8 * 1024 * 1024,
    deliveredBytesMax: 256 * 1024,
    assemblyBytesMax: 256 * 1024,
    requestLimits: { requestsCostMax: 64, replaysAtOnceMax: 16 },
    resumedAtOnceMax: 256,
    restoreAfterMs: 5_000,
    nowMicros: () => START_MICROS + performance.now() * 1000,
  });
}

interface Told {
  readonly atMs: number;
  readonly ageMs: number;
}

class Reader {
  readonly socket: FakeSocket;
  bytesPerSecond: number | undefined;
  /** Of each price: when it was read and how old it was. */
  readonly prices: Told[] = [];
  readonly lagging: Told[] = [];
  readonly snapshots = new Map<string, number>();
  isComplete = false;
  isFresh = true;
  bytes = 0;
  /** The newest price of each symbol. */
  readonly held = new Map<string, number>();

  constructor(bytesPerSecond?: number) {
    this.bytesPerSecond = bytesPerSecond;
    this.socket = gateway.connect({ sub: 'alice', format: 'json', tier: 'institutional' }, bytes => this.#take(bytes));
    this.socket.isReading = bytesPerSecond === undefined;
  }

  read(): void {
    if (this.bytesPerSecond === undefined) this.socket.drain();
    else this.socket.readBytes((this.bytesPerSecond * STEP_MS) / 1000);
  }

  #take(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    const frame = JSON.parse(Buffer.from(bytes).toString());
    const atMs = performance.now();
    if (frame.type === 'lagging') {
      this.lagging.push({ atMs, ageMs: frame.age_ms });
      this.isFresh = false;
    }
    if (frame.type === 'fresh') this.isFresh = true;
    if (frame.complete === true) this.isComplete = true;
    for (const { path, value } of frame.operations ?? []) {
      const symbol = path.split('/')[2];
      if (frame.snapshot === true) this.snapshots.set(symbol, (this.snapshots.get(symbol) ?? 0) + 1);
      const t = path.endsWith('/t') ? value : value?.t;
      if (t === undefined) continue;
      this.held.set(symbol, t);
      this.prices.push({ atMs, ageMs: atMs - t });
    }
  }
}

const symbolAt = (i: number) => `S${i}`;
const LANE = laneOf(REALTIME, 0, 'json', false);
const requestFor = (symbols: number) =>
  Array.from({ length: symbols }, (_, i) => ({ stream: 'quotes', symbol: symbolAt(i), lane: LANE }) as const);

function publish(symbols: number, count: number): void {
  for (let i = 0; i < count; i++, published++) {
    const symbol = symbolAt(published % symbols);
    const price = 100 + (published % 997) / 100;
    const quote = {
      symbol,
      current_price: price,
      bid: price - 1,
      ask: price + 1,
      volume: published,
      t: performance.now(),
    };
    feed.put(`md.quotes.${symbol}`, quote);
  }
}

async function step(readers: readonly Reader[]): Promise<void> {
  for (let round = 0; round === 0 || (gateway.isBusy && round < 50); round++) {
    gateway.deliverInterest();
    await vi.advanceTimersByTimeAsync(0);
    gateway.encode(0);
    await vi.advanceTimersByTimeAsync(0);
    for (let half = 0; half < 2; half++) gateway.turn();
  }
  gateway.flush();
  await vi.advanceTimersByTimeAsync(STEP_MS);
  for (const reader of readers) reader.read();
  gateway.flush();
  gateway.glance();
  if (performance.now() % SAMPLE_MS < STEP_MS) gateway.sample();
}

async function run(
  seconds: number,
  symbols: number,
  updatesPerSecond: number,
  readers: readonly Reader[],
): Promise<void> {
  for (let ms = 0; ms < seconds * 1000; ms += STEP_MS) {
    publish(symbols, (updatesPerSecond * STEP_MS) / 1000);
    await step(readers);
  }
}

async function subscribed(symbols: number, readers: readonly Reader[]): Promise<void> {
  publish(symbols, symbols);
  await step(readers);
  for (const { socket } of readers) gateway.subscriptions.subscribe(socket.session, requestFor(symbols));
  for (let i = 0; i < 2_000 && !readers.every(({ isComplete }) => isComplete); i++) await step(readers);
  for (const reader of readers) {
    expect(reader.isComplete).toBe(true);
    reader.prices.length = 0;
  }
}

const percentile = (prices: readonly Told[], share: number) =>
  prices.map(({ ageMs }) => ageMs).sort((a, b) => a - b)[Math.floor(prices.length * share)] ?? Number.NaN;
const oldestOf = ({ prices }: Reader) => prices.reduce((oldest, { ageMs }) => Math.max(oldest, ageMs), 0);
const LIMIT_MS = MAX_AGE_MS + CLASS_INTERVAL_MAX_MS;

/** Runs the feed, then waits until everybody has read everything. */
async function play(seconds: number, readers: readonly Reader[], symbols = 50): Promise<void> {
  await subscribed(symbols, readers);
  await run(seconds, symbols, 5400, readers);
  for (let i = 0; i < 1_000 && !readers.every(hasRead); i++) await step(readers);
  // The slowest class sends its last.
  for (let ms = 0; ms < 2 * CLASS_INTERVAL_MAX_MS; ms += STEP_MS) await step(readers);
}

const hasRead = ({ socket, isFresh }: Reader) =>
  socket.bufferedBytes === 0 && socket.session.flow.pausedSinceMs === 0 && isFresh;

/** Every reader holds the last price of each symbol that was published. */
function expectCurrent(readers: readonly Reader[]): void {
  const [first, ...others] = readers;
  for (const { held } of others) expect(held).toEqual(first?.held);
}

describe('S1 R16 R59 readers of a feed of 1.2 MB/s', () => {
  it('S1 R16 R59 at 150 KB/s read prices that are younger than WS_MAX_AGE and the interval of their class', async () => {
    const [fast, slow] = [new Reader(), new Reader(150_000)];
    await play(5, [fast, slow]);
    expect(oldestOf(slow)).toBeLessThan(LIMIT_MS);
    expect(oldestOf(fast)).toBeLessThan(MAX_AGE_MS / 8);
    expect(fast.lagging).toEqual([]);
    expect([fast.socket.session.conflation.level, slow.socket.session.conflation.level > 0]).toEqual([0, true]);
    expectCurrent([fast, slow]);
  });

  it(
    'S1 R16 R59 are told when prices are older, and nobody else is',
    { tags: ['slow'], timeout: 180_000 },
    async () => {
      const rates = [undefined, 600_000, 300_000, 150_000, 50_000];
      const readers = rates.map(rate => new Reader(rate));
      await play(30, readers);
      const at = (rate: number | undefined) => readers.find(({ bytesPerSecond }) => bytesPerSecond === rate) as Reader;
      for (const rate of [undefined, 600_000, 300_000]) {
        expect(oldestOf(at(rate))).toBeLessThan(MAX_AGE_MS);
        expect(at(rate).lagging).toEqual([]);
      }
      // R59: p99 of the age under 3 s.
      expect(percentile(at(150_000).prices, 0.99)).toBeLessThan(3_000);
      expect(oldestOf(at(50_000))).toBeGreaterThan(LIMIT_MS);
      for (const reader of readers) {
        const old = reader.prices.filter(({ ageMs }) => ageMs > LIMIT_MS);
        // What says so follows what was sent before it.
        const isToldNear = ({ atMs, ageMs }: Told) => reader.lagging.some(told => Math.abs(told.atMs - atMs) <= ageMs);
        expect(old.filter(price => !isToldNear(price))).toEqual([]);
        const isTrue = ({ atMs }: Told) =>
          reader.prices.some(price => price.ageMs > MAX_AGE_MS / 2 && Math.abs(price.atMs - atMs) <= MAX_AGE_MS);
        expect(reader.lagging.filter(told => !isTrue(told))).toEqual([]);
      }
      expect(gateway.stalls).toBe(0);
      expectCurrent(readers);
    },
  );
});

describe('S1 R16 readers whose own systems take all that they are sent', () => {
  beforeEach(async () => {
    await gateway.hub.close();
    begin(16 * 1024 * 1024);
  });

  it.each([
    [150_000, 400, MAX_AGE_MS],
    [50_000, 400, LIMIT_MS],
    [150_000, 50, LIMIT_MS],
  ])('S1 R16 at %i bytes a second read prices of %i symbols that are younger than %i ms', async (rate, symbols, ms) => {
    const [fast, slow] = [new Reader(), new Reader(rate)];
    await play(15, [fast, slow], symbols);
    expect(oldestOf(slow)).toBeLessThan(ms);
    expect(fast.lagging).toEqual([]);
    expect(fast.snapshots.size).toBe(symbols);
    expect([...fast.snapshots.values()].every(count => count === 1)).toBe(true);
    expectCurrent([fast, slow]);
  });
});

describe('R40 a client that reads nothing, whose own system takes all', () => {
  it('R40 is suspended five seconds after its state topics stop, and costs nothing from then on', async () => {
    await gateway.hub.close();
    begin(16 * 1024 * 1024);
    const [fast, deaf] = [new Reader(), new Reader()];
    await subscribed(50, [fast, deaf]);
    deaf.bytesPerSecond = 0;
    deaf.socket.isReading = false;
    await run(4, 50, 5400, [fast, deaf]);
    expect(gateway.stalls).toBe(0);
    const { bufferedBytes } = deaf.socket;
    await run(4, 50, 5400, [fast, deaf]);
    expect(gateway.stalls).toBe(1);
    expect(deaf.socket.bufferedBytes - bufferedBytes).toBeLessThan(10_000);
  });
});

describe('S2 a large set on a slow link', () => {
  it('S2 comes as fast as the link takes it, each topic once, and never much at a time', async () => {
    const symbols = 400;
    const reader = new Reader(50_000);
    let mostBytes = 0;
    publish(symbols, symbols);
    await step([reader]);
    const requested = requestFor(symbols);
    gateway.subscriptions.subscribe(reader.socket.session, requested);
    const startedMs = performance.now();
    while (!reader.isComplete && performance.now() - startedMs < 60_000) {
      await step([reader]);
      mostBytes = Math.max(mostBytes, reader.socket.bufferedBytes);
    }
    expect(reader.isComplete).toBe(true);
    expect([...reader.snapshots.values()]).toEqual(requested.map(() => 1));
    // The first window and what completes its last frame.
    expect(mostBytes).toBeLessThan(64 * 1024 + 33 * 1024);
    // The link was in use nearly all the time.
    expect(reader.bytes / (performance.now() - startedMs)).toBeGreaterThan(35);
    expect([gateway.stalls, reader.lagging]).toEqual([0, []]);
  });
});
