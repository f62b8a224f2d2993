/** A gateway in one thread with its publishers and clients, and the state that clients must end up with. */
import { expect, vi } from 'vitest';
import { hasPausedStates } from '../../src/gateway/model/session.js';
import type { StreamPosition } from '../../src/protocol/stream-position.js';
import { topicParts } from '../../src/protocol/topic-parts.js';
import { isOnDemand, parseSubject, type Stream, subjectOf, topicOf } from '../../src/protocol/topics.js';
import { DEPTHS } from '../../src/protocol/view-options.js';
import { laneOf } from '../../src/threads/lanes.js';
import { RecordKind } from '../../src/threads/records.js';
import { EventLog } from '../support/event-log.js';
import type { FakeSocket } from '../support/fake-uws.js';
import type { NewJournal } from '../support/journal/recorded.js';
import { ModelClient } from '../support/model-client.js';
import { OneThreadGateway } from '../support/one-thread.js';
import { OneThreadFeed } from '../support/one-thread-feed.js';

export const SYMBOLS = ['A', 'B', 'C/D'] as const;
export const STATE_STREAMS = ['quotes', 'orderbook', 'depth'] as const;
/** Names that events are published under, by stream; `*` stands for all of them. */
export const EVENT_NAMES = {
  trades: SYMBOLS,
  orders: ['u0', 'u1'],
  analytics: ['alerts', 'lp-performance'],
  rooms: ['r1', 'r2'],
} as const;
export type EventStream = keyof typeof EVENT_NAMES;
const EVENT_STREAMS = Object.keys(EVENT_NAMES) as EventStream[];
const ROUNDS_MAX = 2000;
/** Beyond the longest interval of a class, of heartbeats, and of a batch. */
const ROUNDS_MIN = 45;
const ROUND_MS = 50;
const PADDING_BYTES = 2000;

/** What a market model consists of. */
export interface ModelSetup {
  readonly encoders: number;
  /** True: JetStream. */
  readonly isStream: boolean;
  /** Small, so that it often does not reach back far enough. */
  readonly historyBytes: number;
  /** What a socket takes of what its client does not read. */
  readonly backpressureBytes: number;
  /** Nothing goes wrong, so that nothing may be lost. */
  readonly isCalm: boolean;
  readonly newJournal?: NewJournal;
}

interface ClientKind {
  readonly isMsgpack: boolean;
  readonly isRetail: boolean;
  readonly isStamped: boolean;
  readonly isFull: boolean;
}

export interface ConnectedClient {
  readonly kind: ClientKind;
  readonly sub: string;
  readonly checker: ModelClient;
  readonly socket: FakeSocket;
  /** Levels of each depth subscription. */
  readonly depths: Map<string, number>;
}

/** Everything that there is, with trades' parties. */
const FULL = ['quotes:*', 'trades:full', 'orderbook:*', 'depth:*', 'orders:*', 'analytics:*', 'rooms:*'];

export class MarketModel {
  readonly gateway: OneThreadGateway;
  readonly feed: OneThreadFeed;
  readonly clients: ConnectedClient[] = [];
  readonly log = new EventLog();
  readonly quotes = new Map<string, Record<string, unknown>>();
  readonly books = new Map<string, { bids: Map<number, string>; asks: Map<number, string> }>();
  /** Documents of which something may be lost: the next change shows it, unless that is whole. */
  readonly #doubtful = new Set<string>();
  /** Documents that lack a change: they wait for a whole one, and clients are told. */
  readonly #stale = new Set<string>();
  readonly #isCalm: boolean;
  #events = 0;
  #commands = 0;

  constructor({ isStream, isCalm, ...sizes }: ModelSetup) {
    this.#isCalm = isCalm;
    this.feed = new OneThreadFeed(isStream);
    this.gateway = new OneThreadGateway({ ...sizes, symbols: [...SYMBOLS], feed: this.feed, isRefused: isBad });
    if (!isStream) this.#logWhatTheHubNumbers();
  }

  quote(symbol: string, price: number, field: number, isPartial: boolean): void {
    const own = { [`own${field % 3}`]: field };
    const before = this.quotes.get(symbol);
    if (isPartial) {
      this.feed.put(`md.quotes.${symbol}`, { symbol, partial: true, bid: price, ...own });
      const isApplied = this.#changes(`quotes:${symbol}`, before !== undefined);
      if (isApplied) this.quotes.set(symbol, { ...before, bid: price, ...own });
      return;
    }
    this.#isWhole(`quotes:${symbol}`);
    const whole = { symbol, current_price: price, ...own };
    this.feed.put(`md.quotes.${symbol}`, whole);
    this.quotes.set(symbol, whole);
  }

  book(symbol: string, levels: readonly (readonly [number, number])[], isSnapshot: boolean): void {
    let book = this.books.get(symbol);
    const bids = levels.map(([price, quantity]) => [price, quantity] as const);
    const asks = levels.map(([price, quantity]) => [price + 1000, quantity] as const);
    const message = { symbol, bids: texts(bids), asks: texts(asks), ...(isSnapshot ? { snapshot: true } : {}) };
    this.feed.put(`md.books.${symbol}`, message);
    if (isSnapshot) {
      book = { bids: new Map(), asks: new Map() };
      this.#isWhole(`books:${symbol}`);
    } else if (!this.#changes(`books:${symbol}`, book !== undefined)) return;
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

  /** A change that is refused, whatever it is of: it counts as lost. */
  badState(kind: 'quotes' | 'books', symbol: string, isPartial: boolean): void {
    if (this.#isCalm) return;
    const bad = { symbol, bad: true, bid: '0x10', bids: [['1', '-1']] };
    this.feed.put(subjectOf(kind, symbol), { ...bad, partial: isPartial, snapshot: !isPartial });
    this.#stale.add(`${kind}:${symbol}`);
  }

  /** True where a change applies; else the document lacks it. */
  #changes(document: string, isThere: boolean): boolean {
    if (!isThere || this.#doubtful.has(document)) this.#stale.add(document);
    return !this.#stale.has(document);
  }

  #isWhole(document: string): void {
    this.#doubtful.delete(document);
    this.#stale.delete(document);
  }

  event(stream: EventStream, name: string, isToBeRefused = false, isLarge = false): void {
    const isRefused = isToBeRefused && !this.#isCalm;
    const id = `${++this.#events}`;
    const more = { ...(isRefused ? { bad: true } : {}), ...(isLarge ? { padding: 'x'.repeat(PADDING_BYTES) } : {}) };
    const subject = subjectOf(stream, name);
    const position = this.feed.put(subject, { ...payloadOf(stream, name, id, isRefused), ...more });
    if (position !== undefined) {
      this.log.add(topicOf(stream, name), position.epoch, { seq: position.seq, id, isValid: !isRefused });
    }
  }

  connect(kind: ClientKind): ConnectedClient {
    const checker = new ModelClient(this.log);
    const sub = EVENT_NAMES.orders[this.clients.length % 2] as string;
    const asked = {
      sub,
      format: kind.isMsgpack ? 'msgpack' : 'json',
      tier: kind.isRetail ? 'retail' : 'institutional',
      isStamped: kind.isStamped,
      ...(kind.isFull ? { entitlements: FULL } : {}),
    } as const;
    const socket = this.gateway.connect(asked, checker.receive);
    const client = { kind, sub, checker, socket, depths: new Map() };
    this.clients.push(client);
    return client;
  }

  /** The connection is lost; the client comes back, and to each event topic with the position where it stood. */
  reconnect(client: ConnectedClient): void {
    this.gateway.disconnect(client.socket);
    const { held, subscribed } = client.checker.events;
    const next = this.connect(client.kind);
    for (const topic of subscribed) {
      const [stream = '', name = ''] = topicParts(topic);
      // Another user's orders are not his.
      if (stream === 'orders') continue;
      this.follow(next, stream as EventStream, [name], held.get(topic));
    }
  }

  /** Subscribes to events. @param since the position in all of these topics behind which they are to begin */
  follow(client: ConnectedClient, stream: EventStream, names: readonly string[], since?: StreamPosition): void {
    const own = stream === 'orders' ? [client.sub] : names;
    const position = own.includes('*') ? undefined : since;
    const topics = own.includes('*') ? ['trades:*'] : own.map(name => topicOf(stream, name));
    this.#command(client, 'subscribe', stream, own, topics, position);
  }

  leave(client: ConnectedClient, stream: EventStream, name: string): void {
    const own = stream === 'orders' ? client.sub : name;
    this.#command(client, 'unsubscribe', stream, [own], [topicOf(stream, own)]);
  }

  subscribe(
    client: ConnectedClient,
    stream: Stream,
    symbols: readonly string[],
    rateClass: number,
    depthIndex: number,
  ): void {
    const { session } = client.socket;
    const lane = laneOf(rateClass, stream === 'depth' ? depthIndex + 1 : 0, session.format, session.isStamped);
    for (const symbol of symbols) {
      const topic = `${stream}:${symbol}`;
      if (!client.checker.wanted.has(topic)) client.checker.held.delete(topic);
      client.checker.wanted.add(topic);
      if (stream === 'depth') client.depths.set(symbol, DEPTHS[depthIndex] ?? 0);
    }
    const wanted = symbols.map(symbol => ({ stream, symbol, lane }));
    this.gateway.subscriptions.subscribe(session, wanted);
  }

  unsubscribe(client: ConnectedClient, topic: string): void {
    this.gateway.subscriptions.unsubscribe(client.socket.session, topic);
    // What was published before the command is delivered before its answer.
    client.socket.flush();
    client.checker.forget(topic);
  }

  /** The stream is deleted and created anew. */
  recreate(): void {
    this.feed.recreate();
    if (!this.feed.isStream) return;
    this.#doubtDocuments();
    for (const stream of EVENT_STREAMS) for (const name of EVENT_NAMES[stream]) this.log.end(topicOf(stream, name));
  }

  /** The feed is away for a while: what is published meanwhile does not come. */
  outage(): void {
    if (this.feed.isStream) return;
    this.gateway.hub.feedLost();
    this.#doubtDocuments();
  }

  /** Lets everything run until nothing is on its way, all sockets read, and all classes were sent. */
  async settle(): Promise<void> {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      for (const { socket } of this.clients) socket.drain();
      await this.work();
      this.gateway.sample();
      this.gateway.heartbeat();
      await vi.advanceTimersByTimeAsync(ROUND_MS);
      if (!this.isBusy && round > ROUNDS_MIN) return;
    }
    throw new Error('the gateway does not come to rest');
  }

  get isBusy(): boolean {
    const open = this.clients.filter(({ socket }) => socket.isOpen);
    const isWaiting = ({ socket, checker }: ConnectedClient) =>
      socket.session.isSuspended ||
      hasPausedStates(socket.session) ||
      checker.isLagging ||
      socket.session.conflation.level > 0 ||
      socket.bufferedBytes > 0 ||
      checker.events.unanswered > 0;
    return this.gateway.isBusy || open.some(isWaiting);
  }

  /** What is due comes through, to both tiers. */
  async work(): Promise<void> {
    for (let shard = 0; shard < this.gateway.hub.shards.length; shard++) {
      this.gateway.deliverInterest();
      await vi.advanceTimersByTimeAsync(0);
      this.gateway.encode(shard);
      await vi.advanceTimersByTimeAsync(0);
      this.gateway.turn();
    }
    this.gateway.flush();
  }

  /** Nothing was found wrong so far. */
  checkSoFar(): void {
    for (const { checker } of this.clients) {
      if (checker.violations.length + checker.events.violations.length === 0) continue;
      expect([...checker.violations, ...checker.events.violations]).toEqual([]);
    }
  }

  /** All has come to rest: everybody must be where the publishers are. */
  check(): void {
    expect(this.gateway.faults).toEqual([]);
    for (const client of this.clients) {
      if (!client.socket.isOpen) continue;
      client.checker.events.finish();
      this.#checkStates(client);
    }
    this.checkSoFar();
    if (!this.#isCalm) return;
    expect(this.gateway.overruns).toBe(0);
    for (const { checker } of this.clients) expect(checker.events.gaps).toBe(0);
  }

  #isRecoverable({ checker }: ConnectedClient, topics: readonly string[], since: StreamPosition): boolean {
    // Who follows all trades gets those of one symbol by way of them.
    const isCovered = topics.some(topic => topic.startsWith('trades:')) && checker.events.isAsked('trades:*');
    return !isCovered && topics.every(topic => this.log.hasBeenAt(topic, since));
  }

  #doubtDocuments(): void {
    for (const symbol of SYMBOLS) for (const kind of ['quotes', 'books']) this.#doubtful.add(`${kind}:${symbol}`);
  }

  #command(
    client: ConnectedClient,
    action: 'subscribe' | 'unsubscribe',
    stream: EventStream,
    names: readonly string[],
    topics: readonly string[],
    since?: StreamPosition,
  ): void {
    const id = `c${++this.#commands}`;
    // What is followed only while somebody wants it counts anew where nothing is stored.
    const isKept = this.feed.isStream || !isOnDemand(stream);
    const isRecoverable = this.#isCalm && isKept && since !== undefined && this.#isRecoverable(client, topics, since);
    client.checker.events.ask(id, { action, topics, since, isRecoverable });
    this.gateway.command(client.socket, {
      action,
      stream,
      symbols: names,
      id,
      ...(since === undefined ? {} : { since }),
    });
  }

  /** The hub's own sequences are known when it has given them. */
  #logWhatTheHubNumbers(): void {
    const topicsById = new Map<number, string>();
    for (const shard of this.gateway.hub.shards) {
      const data = shard.data.bind(shard);
      const control = shard.control.bind(shard);
      shard.data = (source, payload, seq, ...rest) => {
        const stream = parseSubject(source.name)?.kind as EventStream;
        if (EVENT_STREAMS.includes(stream)) {
          const published = { seq, id: idOf(payload), isValid: !isBad(payload) };
          const topic = topicOf(stream, source.symbol);
          topicsById.set(source.id, topic);
          this.log.add(topic, source.epoch, published);
        }
        data(source, payload, seq, ...rest);
      };
      shard.control = (kind, source, ...rest) => {
        if (kind === RecordKind.drop) this.log.end(topicsById.get(source) ?? '');
        control(kind, source, ...rest);
      };
    }
  }

  #checkStates({ checker, socket, depths }: ConnectedClient): void {
    for (const topic of checker.wanted) {
      const [stream = '', symbol = ''] = topicParts(topic);
      const subscription = socket.session.subscriptions.get(topic);
      const where = `${topic} ${subscription?.state} ${subscription?.view.isBroken ? 'broken' : ''}`;
      const book = this.books.get(symbol);
      const isStale = this.#stale.has(`${stream === 'quotes' ? 'quotes' : 'books'}:${symbol}`);
      expect(checker.stale.has(topic), `stale ${where}`).toBe(isStale);
      if (stream === 'quotes' && this.quotes.has(symbol)) {
        expect(checker.quotes.quotes[symbol], where).toEqual(this.quotes.get(symbol));
      } else if (stream === 'depth' && book !== undefined) {
        const levels = depths.get(symbol) ?? 0;
        expect(checker.depth.get(symbol), where).toEqual({
          bids: Object.fromEntries(best(book.bids, -1, levels)),
          asks: Object.fromEntries(best(book.asks, 1, levels)),
        });
      } else if (stream === 'orderbook' && book !== undefined) {
        const [bid] = best(book.bids, -1, 1);
        const [ask] = best(book.asks, 1, 1);
        const held = checker.orderbook.get(symbol);
        expect([held?.best_bid, held?.bid_quantity, held?.best_ask, held?.ask_quantity], where).toEqual([
          bid?.[0] ?? null,
          bid?.[1] ?? null,
          ask?.[0] ?? null,
          ask?.[1] ?? null,
        ]);
      }
    }
  }
}

function payloadOf(stream: EventStream, name: string, id: string, isRefused: boolean): Record<string, unknown> {
  switch (stream) {
    case 'trades':
      return { trade_id: id, symbol: isRefused ? 'another' : name, price: '1.5', quantity: '2', buyer_id: 'b' };
    case 'orders':
      return { order_id: id, user_id: isRefused ? 'another' : name, action: 'created' };
    case 'analytics':
      return { data: id, channel: name, timestamp: isRefused ? 'yesterday' : '2026-11-20T22:50:02.316Z' };
    case 'rooms':
      return { from: 'x', data: id, room: name, timestamp: isRefused ? 'yesterday' : null };
  }
}

function idOf(payload: Uint8Array): string {
  const { trade_id, order_id, data } = JSON.parse(Buffer.from(payload).toString());
  return trade_id ?? order_id ?? data;
}

const isBad = (payload: Uint8Array): boolean => Buffer.from(payload).includes('"bad":true');

function texts(levels: readonly (readonly [number, number])[]): [string, string][] {
  return levels.map(([price, quantity]) => [String(price), String(quantity)]);
}

function best(side: ReadonlyMap<number, string>, sign: number, count: number): [string, string][] {
  const sorted = [...side].sort(([a], [b]) => (a - b) * sign);
  return sorted.slice(0, count).map(([price, quantity]) => [String(price), quantity]);
}
