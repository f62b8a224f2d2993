/**
 * Sessions whose tier and rights change while trades flow, over the real hub, encoder, ring and gateway modules; when
 * anything of it moves on is the script's choice.
 *
 * @module-tag slow
 * @module-tag bulk
 */
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { compileEntitlements } from '../../src/auth/credential.js';
import { Fanout } from '../../src/gateway/delivery/fanout.js';
import { Gaps } from '../../src/gateway/events/gaps.js';
import type { Socket } from '../../src/gateway/model/session.js';
import { Outbox } from '../../src/gateway/sending/outbox.js';
import { Ladder } from '../../src/gateway/slow-consumers/ladder.js';
import { Subscriptions } from '../../src/gateway/subscriptions/subscriptions.js';
import { TierChanges } from '../../src/gateway/subscriptions/tier-changes.js';
import { Views } from '../../src/gateway/views/views.js';
import type { Hub } from '../../src/hub/hub.js';
import { REALTIME, type Tier } from '../../src/protocol/view-options.js';
import { laneOf, TRADES_FULL, TRADES_PUBLIC } from '../../src/threads/lanes.js';
import { createRing, RingReader } from '../../src/threads/ring.js';
import type { InterestChange } from '../../src/threads/thread-messages.js';
import { newAges } from '../support/ages.js';
import { FakeSocket, FakeUws } from '../support/fake-uws.js';
import { newCredential, newSession } from '../support/new-session.js';
import { OneThreadFeed } from '../support/one-thread-feed.js';
import { newOneThreadHub } from '../support/one-thread-hub.js';
import type { StepThread } from '../support/step-thread.js';
import { assertRuns, runsOf, scriptsOf, useModelTime } from './scripts.js';

const RUNS = runsOf(60);
const STEPS_MIN = 60;
const STEPS_MAX = 300;
const TIMEOUT_MS = 300_000;
const BACKPRESSURE_BYTES = 4096;
/** One that is overrun by a few bursts, and one that never is. */
const RING_BYTES = { small: 64 * 1024, ample: 16 * 1024 * 1024 };
/** Trades that a worker does not read in one turn. */
const BURST = 90;
const SETTLE_LOOPS_MAX = 900;
const SYMBOLS = ['A', 'B'];
const ALL = '*';

type Frame = Record<string, unknown>;

/** One client: its trades must follow each other, or be said to be lost. */
class TradesClient {
  readonly socket: FakeSocket;
  isFull: boolean;
  /** No parties may come any more. */
  isPublicOnly: boolean;
  changes = 0;
  gaps = 0;
  readonly held = new Map<string, number>();

  constructor(uws: FakeUws, id: number, tier: Tier, isFull: boolean) {
    this.isFull = isFull;
    this.isPublicOnly = !isFull;
    this.socket = new FakeSocket(uws, newSession({ id, sub: `u${id}`, format: 'json', tier }), (bytes, _, isLost) => {
      if (!isLost) this.#take(JSON.parse(Buffer.from(bytes).toString()) as Frame);
    });
    this.socket.session.open(this.socket as unknown as Socket);
    uws.sockets.add(this.socket);
  }

  #take(frame: Frame): void {
    if (frame.type === 'gap') {
      const symbol = String(frame.topic).slice('trades:'.length);
      this.gaps++;
      const held = this.held.get(symbol);
      // It may begin too early, where a whole turn counts as lost.
      if (held !== undefined && Number(frame.from) > held + 1) throw new Error(`gap ${frame.from} behind ${held}`);
      this.held.set(symbol, frame.to as number);
      return;
    }
    const symbol = frame.symbol as string;
    const held = this.held.get(symbol);
    if (held !== undefined && frame.prev_seq !== held) throw new Error(`${frame.prev_seq}→${frame.seq} behind ${held}`);
    if (this.isPublicOnly && frame.buyer_id !== undefined)
      throw new Error('parties of a trade for who may not see them');
    this.held.set(symbol, frame.seq as number);
  }
}

class TierModel {
  readonly clients: TradesClient[] = [];
  changes = 0;
  readonly #uws = new FakeUws(BACKPRESSURE_BYTES);
  readonly #feed = new OneThreadFeed(false);
  readonly #hub: Hub;
  readonly #threads: StepThread[] = [];
  readonly #views: Views;
  readonly #subscriptions: Subscriptions;
  readonly #ladder: Ladder;
  readonly #fanout: Fanout;
  readonly #tierChanges: TierChanges;
  readonly #published = new Map<string, number>();
  #interest: InterestChange[] = [];
  #retailDue = false;
  #ticks = 0;

  constructor(ringBytes: number) {
    const nowMicros = () => 1e15 + Math.floor(performance.now() * 1000) + this.#ticks++;
    const rings = [createRing(ringBytes), createRing(ringBytes)];
    const eventSymbols = new Map<number, string>();
    this.#hub = newOneThreadHub({
      rings,
      threads: this.#threads,
      symbols: SYMBOLS,
      nowMicros,
      toWorker: message => {
        if (message.type === 'event_sources') for (const [id, name] of message.sources) eventSymbols.set(id, name);
      },
      feed: this.#feed,
      historyBytes: 8192,
      onRejected: (_subject, _payload, reason) => {
        throw new Error(reason);
      },
      onFault: (what, detail) => {
        throw new Error(`${what}: ${detail}`);
      },
    });
    this.#feed.deliver = message => this.#hub.message(message);
    const sentCell = () => ({ messages: 0, bytes: 0 });
    const turn = { current: 0 };
    const views = new Views(rings.length, change => this.#interest.push(change), sentCell);
    const outbox = new Outbox(
      (topic, b, isBinary) => this.#uws.publish(topic, b, isBinary),
      nowMicros,
      sentCell,
      false,
    );
    const gaps = new Gaps(outbox, source => eventSymbols.get(source));
    const bufferedBytesMax = BACKPRESSURE_BYTES / 4;
    const nowMs = () => performance.now();
    const ages = newAges({
      backpressureBytesMax: BACKPRESSURE_BYTES,
      outbox,
      nowMs,
      ping: (session, payload) => session.socket?.ping(payload),
    });
    const subscriptions = new Subscriptions({
      views,
      outbox,
      gaps,
      turn,
      wake: () => {},
      bufferedBytesMax,
      resumedAtOnceMax: 3,
      room: ages.receipts,
      nowMs,
    });
    const ladder = new Ladder({
      ...ages,
      subscriptions,
      outbox,
      backpressureBytesMax: BACKPRESSURE_BYTES,
      circuit: {
        opensMax: Number.POSITIVE_INFINITY,
        recoveryMs: Number.POSITIVE_INFINITY,
        probes: 1,
        restoreAfterMs: Number.POSITIVE_INFINITY,
      },
      nowMs,
      close: () => {},
    });
    const readers = rings.map(ring => new RingReader(ring, 0));
    this.#fanout = new Fanout({
      rings: readers,
      views,
      subscriptions,
      outbox,
      gaps,
      nowMicros,
      timeOfDayMicros: nowMicros,
      ladder,
      turn,
    });
    this.#tierChanges = new TierChanges({
      views,
      subscriptions,
      nowMs: () => performance.now(),
      wake: () => {},
    });
    this.#views = views;
    this.#subscriptions = subscriptions;
    this.#ladder = ladder;
    this.#uws.onDropped = socket => ladder.dropped(socket.session, this.#fanout.turn);
    this.#uws.onDrain = socket => ladder.drained(socket.session);
    this.#uws.onPong = (socket, payload) => ladder.ponged(socket.session, payload);
  }

  connect(tier: Tier, isFull: boolean): void {
    this.clients.push(new TradesClient(this.#uws, this.clients.length, tier, isFull));
  }

  publish(symbol: string): void {
    this.#published.set(symbol, (this.#published.get(symbol) ?? 0) + 1);
    this.#feed.put(`md.trades.${symbol}`, { symbol, trade_id: 1, price: '1', quantity: '1', buyer_id: 'b' });
  }

  subscribe(client: TradesClient, symbol: string): void {
    this.#subscriptions.subscribe(client.socket.session, [this.#wanted(client, symbol)]);
  }

  /** What `auth` does to a session. */
  async change(client: TradesClient, tier: Tier, isFull: boolean): Promise<void> {
    const { session } = client.socket;
    const credential = newCredential({ sub: session.credential.sub, tier });
    session.identity.replace(credential, compileEntitlements(credential), 0);
    client.isFull = isFull;
    if (isFull) client.isPublicOnly = false;
    const wanted = [...session.subscriptions.values()].map(({ symbol }) => this.#wanted(client, symbol));
    const number = ++client.changes;
    await this.#tierChanges.change(session, wanted);
    this.changes++;
    // What was published before may still wait for its socket.
    const isLast = number === client.changes;
    if (isLast && client.socket.bufferedBytes === 0 && client.socket.published.length === 0)
      client.isPublicOnly = !client.isFull;
  }

  get overruns(): number {
    return this.#fanout.counters.overruns;
  }

  get isChanging(): boolean {
    return this.#tierChanges.hasPending;
  }

  deliverInterest(): void {
    const changes = this.#interest;
    this.#interest = [];
    if (changes.length > 0) this.#hub.fromWorker(0, { type: 'interest', changes });
  }

  encode(shard: number): void {
    this.#threads[shard]?.step();
  }

  /** One half turn of the worker. */
  turn(): void {
    this.flush();
    if (this.#retailDue) {
      this.#retailDue = false;
      this.#fanout.publish('retail');
      return;
    }
    this.#tierChanges.settle();
    if (!this.#fanout.read()) return;
    this.#fanout.publish('institutional');
    this.#retailDue = true;
  }

  flush(): void {
    this.#uws.flush();
    this.#ladder.settle();
    this.#ladder.sample();
  }

  /** Until nothing is on its way. */
  async settle(): Promise<void> {
    for (const { socket } of this.clients) socket.drain();
    let loops = 0;
    for (let quiet = 0; quiet < 5; quiet = this.#isBusy ? 0 : quiet + 1) {
      if (++loops > SETTLE_LOOPS_MAX) throw new Error('it never comes to rest');
      this.deliverInterest();
      await vi.advanceTimersByTimeAsync(1);
      for (const shard of this.#threads.keys()) this.encode(shard);
      await vi.advanceTimersByTimeAsync(1);
      this.turn();
    }
  }

  check(): void {
    expect(this.isChanging).toBe(false);
    for (const { held, socket } of this.clients) {
      const all = socket.session.subscriptions.has(`trades:${ALL}`);
      for (const symbol of SYMBOLS) {
        if (!all && !socket.session.subscriptions.has(`trades:${symbol}`)) continue;
        if (held.has(symbol)) expect([symbol, held.get(symbol)]).toEqual([symbol, this.#published.get(symbol)]);
      }
    }
    // Each session holds its lanes, and nobody else.
    const lanes = new Set(
      this.clients.flatMap(client =>
        [...client.socket.session.subscriptions.values()].map(({ symbol }) => {
          const { lane } = this.#wanted(client, symbol);
          return `${client.socket.session.tier}|trades|${lane}|${symbol}`;
        }),
      ),
    );
    const entries = [...this.#views.all()];
    expect(entries.filter(({ pins }) => pins > 0)).toHaveLength(lanes.size);
    // Those of all symbols are kept for a while.
    expect(entries.filter(({ pins, isAllTrades }) => pins === 0 && !isAllTrades)).toEqual([]);
  }

  async close(): Promise<void> {
    await this.#hub.close();
  }

  #wanted({ isFull }: TradesClient, symbol: string) {
    const lane = laneOf(REALTIME, isFull ? TRADES_FULL : TRADES_PUBLIC, 'json', false);
    return { stream: 'trades', symbol, lane } as const;
  }

  get #isBusy(): boolean {
    const queued = this.#hub.shards.some(shard => shard.queuedBytes > 0);
    const encoding = this.#threads.some(thread => thread.isWaiting);
    return (
      queued || encoding || this.#interest.length > 0 || this.#retailDue || this.#fanout.hasMore || this.isChanging
    );
  }
}

type Step = (model: TierModel) => void | Promise<void>;

/** A step that says what it is in a script that failed. */
const step = (name: string, run: Step): Step => Object.assign(run, { [fc.toStringMethod]: () => name });
const clientOf = (model: TierModel, i: number) => model.clients[i % model.clients.length] as TradesClient;

const publish = fc.constantFrom(...SYMBOLS).map(symbol => step(`publish ${symbol}`, model => model.publish(symbol)));
const burst = fc.constantFrom(...SYMBOLS).map(symbol =>
  step(`burst ${symbol}`, model => {
    for (let i = 0; i < BURST; i++) model.publish(symbol);
  }),
);
const interest = fc.constant(step('interest', model => model.deliverInterest()));
const encode = fc.nat(1).map(shard => step(`encode ${shard}`, model => model.encode(shard)));
const pass = fc.constant(step('time', () => vi.advanceTimersByTimeAsync(1).then(() => {})));
const turn = fc.constant(step('turn', model => model.turn()));
const change = fc
  .tuple(fc.nat(2), fc.constantFrom<Tier>('institutional', 'retail'), fc.boolean())
  .map(([i, tier, isFull]) =>
    step(`change ${i} ${tier} ${isFull}`, model => {
      // The commands of one session wait for each other.
      if (!model.isChanging) void model.change(clientOf(model, i), tier, isFull);
    }),
  );
const moves = fc.oneof(
  { weight: 6, arbitrary: publish },
  { weight: 1, arbitrary: burst },
  { weight: 3, arbitrary: interest },
  { weight: 4, arbitrary: encode },
  { weight: 2, arbitrary: pass },
  { weight: 5, arbitrary: turn },
  { weight: 2, arbitrary: change },
);
/** Sockets that do not read. */
const trouble = fc.oneof(
  fc.nat(2).map(i =>
    step(`stop ${i}`, model => {
      clientOf(model, i).socket.isReading = false;
    }),
  ),
  fc.nat(2).map(i => step(`drain ${i}`, model => clientOf(model, i).socket.drain())),
);

async function assertScripts(steps: fc.Arbitrary<Step>, ringBytes: number) {
  const sums = { changes: 0, gaps: 0, overruns: 0 };
  const property = fc.asyncProperty(scriptsOf(steps, STEPS_MIN, STEPS_MAX), async script => {
    const model = new TierModel(ringBytes);
    model.connect('institutional', true);
    model.connect('retail', false);
    model.connect('institutional', false);
    for (const [i, client] of model.clients.entries()) {
      for (const symbol of i === 0 ? SYMBOLS : i === 1 ? [ALL] : [ALL, ...SYMBOLS]) model.subscribe(client, symbol);
    }
    await model.settle();
    for (const each of script) await each(model);
    await model.settle();
    model.check();
    sums.changes += model.changes;
    sums.overruns += model.overruns;
    for (const client of model.clients) sums.gaps += client.gaps;
    await model.close();
  });
  await assertRuns(property, RUNS);
  return sums;
}

useModelTime();

test(
  'R33 a session that changes its tier or its view misses no trade and gets none twice',
  async () => {
    const { changes, gaps } = await assertScripts(moves, RING_BYTES.ample);
    expect(changes).toBeGreaterThan(RUNS);
    expect(gaps).toBe(0);
  },
  TIMEOUT_MS,
);

test(
  'R33 R12 what it misses because it is slow, or because a ring was overrun, is announced meanwhile as ever',
  async () => {
    const scripts = fc.oneof({ weight: 12, arbitrary: moves }, { weight: 1, arbitrary: trouble });
    const { changes, gaps, overruns } = await assertScripts(scripts, RING_BYTES.small);
    expect(changes).toBeGreaterThan(RUNS);
    expect(gaps).toBeGreaterThan(0);
    expect(overruns).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);
