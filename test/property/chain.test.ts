import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DEPTHS, laneOf } from '../../src/protocol/lanes.js';
import type { Stream } from '../../src/protocol/topics.js';
import { ModelClient } from '../support/model-client.js';
import { type FakeSocket, OneThreadGateway } from '../support/one-thread.js';

/**
 * Invariant 1: under any interleaving of updates, subscribes, unsubscribes, class and format changes, stalled and drained
 * sockets, overrun rings and dying encoders, a client that follows the chain holds the publishers' document.
 */
const SYMBOLS = ['A', 'B', 'C/D'] as const;
const STREAMS: readonly Stream[] = ['quotes', 'orderbook', 'depth', 'trades'];
const SETTLE_ROUNDS_MAX = 2000;

interface Peer {
  readonly model: ModelClient;
  readonly socket: FakeSocket;
  /** Levels of each depth subscription. */
  readonly depths: Map<string, number>;
}

class World {
  readonly gateway: OneThreadGateway;
  readonly peers: Peer[] = [];
  readonly quotes = new Map<string, Record<string, unknown>>();
  readonly books = new Map<string, { bids: Map<number, string>; asks: Map<number, string> }>();
  readonly tradeSeqs = new Map<string, number>();

  constructor(encoders: number) {
    this.gateway = new OneThreadGateway({ encoders, symbols: [...SYMBOLS] });
  }

  publish(subject: string, value: object): void {
    const payload = Buffer.from(JSON.stringify(value));
    this.gateway.hub.message({ subject, payload, tsEventMicros: 0, seq: 0, epoch: '', contiguous: false });
  }

  quote(symbol: string, price: number, field: number, isPartial: boolean): void {
    const own = { [`own${field % 3}`]: field };
    const before = this.quotes.get(symbol);
    if (isPartial) {
      this.publish(`md.quotes.${symbol}`, { symbol, partial: true, bid: price, ...own });
      if (before !== undefined) this.quotes.set(symbol, { ...before, bid: price, ...own });
      return;
    }
    const whole = { symbol, current_price: price, ...own };
    this.publish(`md.quotes.${symbol}`, whole);
    this.quotes.set(symbol, whole);
  }

  book(symbol: string, levels: readonly (readonly [number, number])[], isSnapshot: boolean): void {
    let book = this.books.get(symbol);
    const bids = levels.map(([price, quantity]) => [price, quantity] as const);
    const asks = levels.map(([price, quantity]) => [price + 1000, quantity] as const);
    const message = { symbol, bids: texts(bids), asks: texts(asks), ...(isSnapshot ? { snapshot: true } : {}) };
    this.publish(`md.books.${symbol}`, message);
    if (isSnapshot) book = { bids: new Map(), asks: new Map() };
    if (book === undefined) return;
    this.books.set(symbol, book);
    for (const [side, changes] of [
      ['bids', bids],
      ['asks', asks],
    ] as const) {
      for (const [price, quantity] of changes) {
        if (quantity === 0) book[side].delete(price);
        else book[side].set(price, String(quantity));
      }
    }
  }

  trade(symbol: string): void {
    const seq = (this.tradeSeqs.get(symbol) ?? 0) + 1;
    this.tradeSeqs.set(symbol, seq);
    this.publish(`md.trades.${symbol}`, { trade_id: `t${seq}`, symbol, price: '1.5', quantity: '2' });
  }

  connect(isMsgpack: boolean, isRetail: boolean): void {
    const model = new ModelClient();
    const tier = isRetail ? 'retail' : 'institutional';
    const socket = this.gateway.connect(isMsgpack ? 'msgpack' : 'json', tier, model.receive);
    this.peers.push({ model, socket, depths: new Map() });
  }

  subscribe(peer: Peer, stream: Stream, symbols: readonly string[], rateClass: number, depthIndex: number): void {
    if (stream === 'trades' && !peer.socket.isReading) return;
    const { session } = peer.socket;
    const detail = stream === 'depth' ? depthIndex + 1 : 0;
    const lane = laneOf(stream === 'trades' ? 0 : rateClass, detail, session.format, false);
    for (const symbol of symbols) {
      const topic = `${stream}:${symbol}`;
      if (!peer.model.wanted.has(topic)) peer.model.held.delete(topic);
      peer.model.wanted.add(topic);
      if (stream === 'depth') peer.depths.set(symbol, DEPTHS[depthIndex] ?? 0);
    }
    this.gateway.subscriptions.subscribe(
      session,
      symbols.map(symbol => ({ stream, symbol, lane })),
    );
  }

  unsubscribe(peer: Peer, topic: string): void {
    if (topic.startsWith('trades') && !peer.socket.isReading) return;
    this.gateway.subscriptions.unsubscribe(peer.socket.session, topic);
    // What was published before the command is delivered before its answer.
    peer.socket.flush();
    peer.model.forget(topic);
    if (topic === 'trades:*') {
      for (const symbol of SYMBOLS) {
        // One that was asked for but is not live yet begins when it is.
        const single = peer.socket.session.subscriptions.get(`trades:${symbol}`);
        if (single === undefined || single.entry.source < 0) peer.model.held.delete(`trades:${symbol}`);
      }
    }
  }

  /** Lets everything run until nothing is on its way, all sockets read, and all classes were sent. */
  async settle(): Promise<void> {
    for (let round = 0; round < SETTLE_ROUNDS_MAX; round++) {
      for (const { socket } of this.peers) socket.drain();
      await this.step(0);
      await this.step(1);
      this.gateway.turn();
      this.gateway.flush();
      this.gateway.sample();
      await vi.advanceTimersByTimeAsync(50);
      const open = this.peers.filter(({ socket }) => socket.isOpen);
      const isStalled = open.some(({ socket }) => socket.session.isStalled || socket.bufferedBytes > 0);
      if (!this.gateway.isBusy && !isStalled && round > 45) return;
    }
    throw new Error('the gateway does not come to rest');
  }

  async step(shard: number): Promise<void> {
    this.gateway.deliverInterest();
    await vi.advanceTimersByTimeAsync(0);
    this.gateway.encode(shard);
    await vi.advanceTimersByTimeAsync(0);
  }

  check(): void {
    expect(this.gateway.faults).toEqual([]);
    for (const peer of this.peers) this.#checkPeer(peer);
  }

  #checkPeer({ model, socket, depths }: Peer): void {
    expect(model.violations).toEqual([]);
    if (!socket.isOpen) return;
    for (const topic of model.wanted) {
      const [stream = '', symbol = ''] = topic.split(':');
      const subscription = socket.session.subscriptions.get(topic);
      const where = `${topic} ${subscription?.state} ${subscription?.entry.isBroken ? 'broken' : ''}`;
      const book = this.books.get(symbol);
      if (stream === 'quotes' && this.quotes.has(symbol)) {
        expect(model.quotes.quotes[symbol], where).toEqual(this.quotes.get(symbol));
      } else if (stream === 'depth' && book !== undefined) {
        const levels = depths.get(symbol) ?? 0;
        expect(model.depth.get(symbol), where).toEqual({
          bids: Object.fromEntries(best(book.bids, -1, levels)),
          asks: Object.fromEntries(best(book.asks, 1, levels)),
        });
      } else if (stream === 'orderbook' && book !== undefined) {
        const [bid] = best(book.bids, -1, 1);
        const [ask] = best(book.asks, 1, 1);
        const held = model.orderbook.get(symbol);
        expect([held?.best_bid, held?.bid_quantity, held?.best_ask, held?.ask_quantity], where).toEqual([
          bid?.[0] ?? null,
          bid?.[1] ?? null,
          ask?.[0] ?? null,
          ask?.[1] ?? null,
        ]);
      } else if (stream === 'trades' && model.held.has(topic)) {
        expect(model.held.get(topic)?.seq, where).toBe(this.tradeSeqs.get(symbol));
      }
    }
  }
}

function texts(levels: readonly (readonly [number, number])[]): [string, string][] {
  return levels.map(([price, quantity]) => [String(price), String(quantity)]);
}

function best(side: ReadonlyMap<number, string>, sign: number, count: number): [string, string][] {
  const sorted = [...side].sort(([a], [b]) => (a - b) * sign);
  return sorted.slice(0, count).map(([price, quantity]) => [String(price), quantity]);
}

const symbol = fc.constantFrom(...SYMBOLS);
const peerIndex = fc.nat(7);
const level = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 3 }));
const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      op: fc.constant('quote' as const),
      symbol,
      price: fc.nat(9),
      field: fc.nat(5),
      isPartial: fc.boolean(),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      op: fc.constant('book' as const),
      symbol,
      levels: fc.array(level, { maxLength: 30 }),
      isSnapshot: fc.nat(9).map(n => n === 0),
    }),
  },
  { weight: 8, arbitrary: fc.record({ op: fc.constant('trade' as const), symbol, count: fc.nat(3) }) },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant('connect' as const), isMsgpack: fc.boolean(), isRetail: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('disconnect' as const), peerIndex }) },
  {
    weight: 10,
    arbitrary: fc.record({
      op: fc.constant('subscribe' as const),
      peerIndex,
      stream: fc.constantFrom(...STREAMS),
      symbols: fc.subarray([...SYMBOLS], { minLength: 1 }),
      rateClass: fc.nat(3),
      depth: fc.nat(2),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('subscribe_all_trades' as const), peerIndex }) },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('unsubscribe' as const),
      peerIndex,
      stream: fc.constantFrom(...STREAMS),
      symbol: fc.constantFrom(...SYMBOLS, '*'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('resync' as const),
      peerIndex,
      stream: fc.constantFrom(...STREAMS),
      symbol,
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('stop_reading' as const), peerIndex }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('read_again' as const), peerIndex }) },
  { weight: 8, arbitrary: fc.record({ op: fc.constant('interest' as const) }) },
  { weight: 14, arbitrary: fc.record({ op: fc.constant('encode' as const), shard: fc.nat(1) }) },
  { weight: 14, arbitrary: fc.record({ op: fc.constant('turn' as const) }) },
  { weight: 5, arbitrary: fc.record({ op: fc.constant('flush' as const) }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('time' as const), ms: fc.constantFrom(5, 20, 150, 1100) }) },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('burst' as const), symbol, count: fc.integer({ min: 50, max: 400 }) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('crash' as const), shard: fc.nat(1) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function run(world: World, s: Step): Promise<void> {
  const peer = 'peerIndex' in s ? world.peers[s.peerIndex % Math.max(1, world.peers.length)] : undefined;
  const open = peer?.socket.isOpen === true ? peer : undefined;
  switch (s.op) {
    case 'quote':
      return world.quote(s.symbol, s.price, s.field, s.isPartial);
    case 'book':
      return world.book(s.symbol, s.levels, s.isSnapshot);
    case 'trade':
      for (let i = 0; i <= s.count; i++) world.trade(s.symbol);
      return;
    case 'burst':
      for (let i = 0; i < s.count; i++) {
        world.quote(s.symbol, i % 10, i, false);
        world.trade(s.symbol);
      }
      return;
    case 'connect':
      return world.connect(s.isMsgpack, s.isRetail);
    case 'disconnect':
      if (open !== undefined) world.gateway.disconnect(open.socket);
      return;
    case 'subscribe':
      if (open !== undefined) world.subscribe(open, s.stream, s.symbols, s.rateClass, s.depth);
      return;
    case 'subscribe_all_trades':
      if (open !== undefined) world.subscribe(open, 'trades', ['*'], 0, 0);
      return;
    case 'unsubscribe':
      if (open !== undefined) world.unsubscribe(open, `${s.stream}:${s.symbol}`);
      return;
    case 'resync':
      if (open !== undefined) world.gateway.subscriptions.resync(open.socket.session, `${s.stream}:${s.symbol}`);
      return;
    case 'stop_reading':
      if (open !== undefined) open.socket.isReading = false;
      return;
    case 'read_again':
      open?.socket.drain();
      return;
    case 'interest':
      return world.gateway.deliverInterest();
    case 'encode':
      world.gateway.encode(s.shard);
      break;
    case 'turn':
      return world.gateway.turn();
    case 'flush':
      world.gateway.flush();
      return world.gateway.sample();
    case 'time':
      await vi.advanceTimersByTimeAsync(s.ms);
      return;
    case 'crash':
      world.gateway.crash(s.shard);
      break;
  }
  await vi.advanceTimersByTimeAsync(0);
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** To look into a failure: how long to search for a smaller script. */
const SHRINK_MS = Number(process.env.MILLRACE_PROPERTY_SHRINK_MS ?? 0);
const RUNS = Number(process.env.MILLRACE_PROPERTY_RUNS ?? 60);

test('R6 invariant 1: every client holds the publishers’ documents, on unbroken chains, whatever happens in between', async () => {
  let steps = 0;
  let overruns = 0;
  let stalls = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 60, maxLength: 400, size: 'max' }), async script => {
      const world = new World(2);
      for (let i = 0; i < 4; i++) world.connect(i % 2 === 0, i >= 2);
      for (const s of script) {
        await run(world, s);
        for (const { model } of world.peers) expect(model.violations).toEqual([]);
      }
      await world.settle();
      world.check();
      steps += script.length;
      overruns += world.gateway.overruns;
      stalls += world.gateway.stalls;
      await world.gateway.hub.close();
    }),
    { numRuns: RUNS, endOnFailure: SHRINK_MS === 0, ...(SHRINK_MS > 0 ? { interruptAfterTimeLimit: SHRINK_MS } : {}) },
  );
  // The property is only worth something when the hard cases were really met.
  expect(steps).toBeGreaterThan(RUNS * 60);
  expect(overruns).toBeGreaterThan(0);
  expect(stalls).toBeGreaterThan(0);
}, 120_000);
