/**
 * Delayed data: for each topic of a product with a delay, a second source that gets the first one's messages after the
 * delay, never before. Downstream it is a source like any other, with its own epochs: encoders, views and clients need not
 * know of the delay.
 *
 * Of a state topic the hub holds back whole documents, one a second at most, which the encoder writes on request. Of
 * trades it holds back every message, as it came. Both have a bound of memory. Where it is used up, documents are
 * captured less often, and trades are lost and announced.
 */
import { DELAYS_MAX, NO_PRODUCTS, type Products } from '../../auth/product.js';
import { durationText } from '../../config/duration.js';
import { ALL_SYMBOLS, isMarketDataKind, isStateSource, type SourceKind, type Stream } from '../../protocol/topics.js';
import type { Checkpoint } from '../../threads/batch.js';
import { FLAG_CHECKPOINT, RecordKind } from '../../threads/records.js';
import type { EventHistories } from '../events/event-histories.js';
import { UNKNOWN_SEQ } from '../events/event-history.js';
import type { HubMessage } from '../hub-feed.js';
import { beginEpoch } from '../shards/epochs.js';
import { defineSubject } from '../shards/rebuild.js';
import type { Shard } from '../shards/shard.js';
import type { Subject, SubjectTable } from '../sources/subject-table.js';
import { DelayLine, TICK_MS } from './delay-line.js';
import type { DelayMemory, DelayQueue } from './delay-queue.js';
import { type HeldTopic, newHeldTopic } from './held-topic.js';
import { WatchedProducts } from './watched-products.js';

/** Released in one tick, which bounds the burst after a pause; the rest follows in the next one. */
const RELEASED_MAX = 2_000;

/** Kinds of what is held back. `a` is a sequence and `b` an event time, except where it says otherwise. */
const Held = {
  /** A document, or an event that follows the one before it. */
  message: 1,
  /** A live epoch begins; it is the payload. */
  epoch: 2,
  /** The document is stale since b, µs. The payload says why. */
  stale: 3,
  /** An event after some that were lost: before the gateway got them, in the feed's store, or here. */
  afterPublisherGap: 4,
  afterStreamLimits: 5,
  afterOverload: 6,
} as const;

const STREAMS_OF: Readonly<Partial<Record<SourceKind, readonly Stream[]>>> = {
  quotes: ['quotes'],
  books: ['orderbook', 'depth'],
  trades: ['trades'],
};

/** Most delays since the start: those of the file, and some that earlier files had. Any further delay gets no data. */
const LINES_MAX = 4 * DELAYS_MAX;

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder();

interface DelaysOptions {
  /** Undefined: there are no products. */
  readonly productsFile?: string | undefined;
  readonly onFault: (what: string, detail: string) => void;
  readonly table: SubjectTable;
  readonly history: EventHistories;
  readonly shardOf: (subject: Subject) => Shard;
  /** Memory for documents and for events, half of it each; omitted: none. */
  readonly delayedBytesMax?: number;
  /** Monotonic: a changed system time must not release anything early. */
  readonly nowMicros: () => number;
  /** A topic has a live one to follow: it is there for more than the client that asked for it. */
  readonly onFollowed: (subject: Subject) => void;
  /** A topic got a message. */
  readonly onSeen: (subject: Subject) => void;
}

export class Delays {
  /** Documents and events that found no room; events whose loss was announced are among them. */
  readonly counters = { captured: 0, released: 0, dropped: 0 };
  readonly #options: DelaysOptions;
  readonly #states: DelayMemory;
  readonly #events: DelayMemory;
  readonly #lines = new Map<number, DelayLine>();
  readonly #byKey = new Map<number, HeldTopic>();
  readonly #bySubject = new Map<Subject, HeldTopic>();
  readonly #file: WatchedProducts;
  #products: Products = NO_PRODUCTS;
  #lastKey = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DelaysOptions) {
    this.#options = options;
    const { productsFile: path, onFault } = options;
    this.#file = new WatchedProducts({ path, use: products => this.use(products), onFault });
    const max = (options.delayedBytesMax ?? 0) / 2;
    this.#states = { max, used: 0 };
    this.#events = { max, used: 0 };
  }

  /** Reads the products. @throws {ConfigError} naming PRODUCTS_FILE */
  open(): Promise<void> {
    return this.#file.open();
  }

  /** Bytes allocated for what is held back. */
  get usedBytes(): number {
    return this.#states.used + this.#events.used;
  }

  get stats() {
    const { released, dropped } = this.counters;
    return { topics: this.#byKey.size, usedBytes: this.usedBytes, released, dropped };
  }

  /** Applies these products from now on. Topics that are no longer delayed still get what is already held back. */
  use(products: Products): void {
    this.#products = products;
    for (const subject of [...this.#options.table]) if (subject.delayMs === 0) this.attach(subject);
    for (const { subject, live } of this.#byKey.values()) {
      if (live !== undefined && !this.#delaysOf(live).has(subject.delayMs)) this.#unfollow(subject);
    }
  }

  /** The feed publishes this live topic: what products say is held back from here on. */
  attach(live: Subject): void {
    if (!isMarketDataKind(live.kind) || live.symbol === ALL_SYMBOLS) return;
    const { table } = this.#options;
    for (const delayMs of this.#delaysOf(live)) {
      const subject =
        table.findDelayed(live.kind, live.symbol, delayMs) ?? this.create(live.kind, live.symbol, delayMs);
      const topic = subject && this.#bySubject.get(subject);
      if (topic !== undefined) this.#follow(topic, live);
    }
  }

  /** A source for this delay; undefined when there are too many. */
  create(kind: SourceKind, symbol: string, delayMs: number): Subject | undefined {
    const { table, shardOf } = this.#options;
    if (!isMarketDataKind(kind)) return undefined;
    const line = this.#lineOf(delayMs);
    const subject = line && table.createDelayed(kind, symbol, delayMs);
    if (line === undefined || subject === undefined) return undefined;
    const topic = newHeldTopic(++this.#lastKey, subject, undefined);
    this.#byKey.set(topic.key, topic);
    this.#bySubject.set(subject, topic);
    if (isStateSource(kind)) line.add(topic);
    defineSubject(shardOf(subject), subject);
    const live = table.findLive(kind, symbol);
    if (live !== undefined) this.#follow(topic, live);
    this.#timer ??= setInterval(() => this.tick(), TICK_MS).unref();
    return subject;
  }

  /** A live or delayed topic is forgotten. */
  forget(subject: Subject): void {
    const topic = this.#bySubject.get(subject);
    if (topic === undefined) {
      for (const delayed of subject.delayed ?? []) this.#unfollow(delayed);
      return;
    }
    this.#unfollow(subject);
    this.#lines.get(subject.delayMs)?.delete(topic);
    this.#byKey.delete(topic.key);
    this.#bySubject.delete(subject);
  }

  /** Holds back the newest event of a live topic. Copies the payload. @param isAfterLoss some before it were lost */
  event(live: Subject, { payload, tsEventMicros, contiguous }: HubMessage, isAfterLoss: boolean): void {
    const afterLoss = contiguous ? Held.afterPublisherGap : Held.afterStreamLimits;
    const regular = isAfterLoss ? afterLoss : Held.message;
    for (const subject of live.delayed ?? []) {
      const topic = this.#bySubject.get(subject);
      const line = this.#lines.get(subject.delayMs);
      if (topic === undefined || line === undefined) continue;
      const dueMicros = this.#options.nowMicros() + line.delayMicros;
      const kind = topic.isLossy ? Held.afterOverload : regular;
      const isHeld =
        this.#enter(line.events, topic, live.epoch, dueMicros) &&
        line.events.add(dueMicros, topic.key, kind, live.seq, tsEventMicros, payload);
      topic.isLossy = !isHeld;
      if (!isHeld) this.counters.dropped++;
    }
  }

  /** An encoder wrote the document of a live topic. */
  captured(picture: Checkpoint): void {
    const live = this.#options.table.get(picture.source);
    for (const subject of live?.delayed ?? []) {
      const topic = this.#bySubject.get(subject);
      const line = this.#lines.get(subject.delayMs);
      if (topic === undefined || line === undefined || topic.askedAtMicros === 0) continue;
      line.captured(topic, picture.payload.length);
      // What found no room is captured again.
      if (this.#hold(line, topic, picture)) topic.messages = topic.messagesAsked;
      else this.counters.dropped++;
    }
  }

  /** Captures and releases what is due. */
  tick(): void {
    const nowMicros = this.#options.nowMicros();
    for (const line of this.#lines.values()) {
      for (const queue of [line.states, line.events]) {
        for (let left = RELEASED_MAX; left > 0 && queue.next(nowMicros); left--) this.#release(queue);
      }
      line.capture(nowMicros, topic => this.#capture(topic));
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#file.close();
  }

  #delaysOf({ kind, symbol }: Subject): ReadonlySet<number> {
    const streams = STREAMS_OF[kind] ?? [];
    const delays = streams.flatMap(stream => this.#products.of(stream, symbol).map(({ delayMs }) => delayMs ?? 0));
    return new Set(delays.filter(delayMs => delayMs > 0));
  }

  #lineOf(delayMs: number): DelayLine | undefined {
    let line = this.#lines.get(delayMs);
    if (line !== undefined || this.#lines.size >= LINES_MAX) return line;
    const delays = new Set(this.#products.list.map(product => product.delayMs ?? delayMs));
    line = new DelayLine(delayMs, this.#states, this.#events, this.#states.max / Math.max(1, delays.size));
    this.#lines.set(delayMs, line);
    return line;
  }

  #follow(topic: HeldTopic, live: Subject): void {
    topic.live = live;
    topic.messages = 0;
    live.delayed = [...(without(live.delayed, topic.subject) ?? []), topic.subject];
    this.#options.onFollowed(topic.subject);
  }

  #unfollow(delayed: Subject): void {
    const topic = this.#bySubject.get(delayed);
    if (topic?.live === undefined) return;
    topic.live.delayed = without(topic.live.delayed, delayed);
    topic.live = undefined;
  }

  #capture({ live }: HeldTopic): void {
    if (live !== undefined) this.#options.shardOf(live).control(RecordKind.capture, live.id, 0, 0);
  }

  /** False if there is no room. */
  #hold({ states, delayMicros }: DelayLine, topic: HeldTopic, picture: Checkpoint): boolean {
    const { epoch, seq, tsEventMicros, payload, hold } = picture;
    const dueMicros = this.#options.nowMicros() + delayMicros;
    const isSame = epoch === topic.epoch && seq === topic.seq;
    if (!this.#enter(states, topic, epoch, dueMicros)) return false;
    if (!isSame) {
      if (!states.add(dueMicros, topic.key, Held.message, seq, tsEventMicros, payload)) return false;
      topic.seq = seq;
      this.counters.captured++;
    }
    const since = hold?.sinceMicros ?? 0;
    if (hold !== null && since !== topic.staleSinceMicros) {
      const reason = textEncoder.encode(hold.reason);
      if (!states.add(dueMicros, topic.key, Held.stale, seq, since, reason)) return false;
    }
    topic.staleSinceMicros = since;
    return true;
  }

  /** What follows belongs to this epoch. False if there is no room. */
  #enter(queue: DelayQueue, topic: HeldTopic, epoch: string, dueMicros: number): boolean {
    if (epoch === topic.epoch) return true;
    if (!queue.add(dueMicros, topic.key, Held.epoch, 0, 0, textEncoder.encode(epoch))) return false;
    topic.epoch = epoch;
    topic.seq = 0;
    return true;
  }

  #release(queue: DelayQueue): void {
    const topic = this.#byKey.get(queue.topic);
    if (topic === undefined) return;
    const { subject } = topic;
    const shard = this.#options.shardOf(subject);
    const { kind, a: seq, b: micros, payload } = queue;
    if (kind === Held.epoch) {
      // Not the live one: a client must not take a position of one for a position of the other.
      beginEpoch(shard, subject, `${textDecoder.decode(payload)}+${durationText(subject.delayMs)}`);
    } else if (kind === Held.stale) {
      shard.lost(subject, textDecoder.decode(payload) as Parameters<Shard['lost']>[1], micros);
    } else if (subject.retention === null) {
      this.#releaseEvent(shard, subject, queue);
    } else {
      subject.seq = seq;
      // Without a time of arrival: how long it takes from here says nothing of the gateway.
      shard.data(subject, payload, seq, micros, 0, FLAG_CHECKPOINT);
    }
    this.counters.released++;
    this.#options.onSeen(subject);
  }

  #releaseEvent(shard: Shard, subject: Subject, { kind, a: seq, b: micros, payload }: DelayQueue): void {
    const { history } = this.#options;
    const isFirst = subject.seq === 0;
    const isAfterLoss = kind !== Held.message;
    if (isAfterLoss && !isFirst) shard.gap(subject.id, { from: subject.seq + 1, to: seq - 1 }, reasonOf(kind));
    history.add(subject, payload, seq, isFirst || isAfterLoss ? UNKNOWN_SEQ : subject.seq, micros);
    subject.seq = seq;
    shard.data(subject, payload, seq, micros, 0, 0);
  }
}

function without(subjects: readonly Subject[] | null, subject: Subject): readonly Subject[] | null {
  const others = subjects?.filter(other => other !== subject) ?? [];
  return others.length === 0 ? null : others;
}

function reasonOf(kind: number): string {
  if (kind === Held.afterOverload) return 'overload';
  return kind === Held.afterStreamLimits ? 'stream_limits' : 'publisher';
}
