/**
 * What one connection was sent of one topic, as its gateway's journal tells it: documents and messages by their positions, in
 * the order in which they were handed to its socket. It expects the records of one chain in the order of its files, in which
 * the records of a thread, published messages included, have the order in which things happened.
 */
import { topicParts } from '../protocol/topic-parts.js';
import { ALL_SYMBOLS } from '../protocol/topics.js';
import {
  type DeliveredDocument,
  type Delivery,
  type DeliveryKind,
  keyOf,
  type Live,
  type Members,
  ofClient,
  runsOf,
  subscriptionOf,
  viewOf,
} from './delivery.js';
import type { ViewMembers } from './kinds.js';
import type { ReadRecord } from './read.js';
import type { TimeRange } from './segment-times.js';

/** A delivery that a record tells. */
interface Added {
  readonly kind: DeliveryKind;
  readonly t: number;
  readonly record: Members;
  readonly view: ViewMembers;
  readonly prev: number;
  readonly seq: number;
  readonly isShared: boolean;
  readonly documents?: readonly DeliveredDocument[];
}

/** Times are those of neighbouring records, which may be this far apart from the order of the files. */
const DISORDER_MICROS_MAX = 5_000_000;
/** Topics that are named. */
const FOLLOWED_MAX = 20;
const ALWAYS: TimeRange = { from: 0, to: Number.POSITIVE_INFINITY };
const NO_DOCUMENTS: readonly DeliveredDocument[] = [];

const ALL_TRADES = `trades:${ALL_SYMBOLS}`;
export class Deliveries {
  readonly #connection: string;
  readonly #topic: string;
  readonly #heldMax: number;
  readonly #period: TimeRange;
  /** Those that were not taken yet. */
  #all: Delivery[] = [];
  /** Deliveries before this one are confirmed, or never will be. */
  #settled = 0;
  /** Something was delivered so long after the period that nothing of the period follows. */
  #isPast = false;
  #hasAny = false;
  #hasSeqTags = false;
  readonly #followed = new Set<string>();
  #thread: unknown;
  #isOpen = false;
  #isFound = false;
  #isTooMuch = false;
  #dropped = 0;
  readonly #symbol: string | undefined;
  /** Views on which the topic is live: what is published to them reaches the connection. */
  readonly #live = new Map<string, Live>();
  /** Deliveries before a subscription was live on its latest view. */
  readonly #since = new Map<string, number>();
  /** Documents of a frame, of which more follow. */
  #frame: DeliveredDocument[] = [];
  #framePrev: unknown;

  /**
   * @param topic as the journal names it. Trades of a symbol may come by way of those of all symbols
   * @param heldMax deliveries of which it is not certain yet whether they were confirmed
   */
  constructor(connection: string, topic: string, heldMax: number, period: TimeRange = ALWAYS) {
    this.#connection = connection;
    this.#topic = topic;
    this.#heldMax = heldMax;
    this.#period = period;
    const [stream, name] = topicParts(topic);
    this.#symbol = stream === 'trades' && name !== ALL_SYMBOLS ? name : undefined;
  }

  /** Those that were not taken yet, in the order in which they were sent. */
  get all(): readonly Delivery[] {
    return this.#all;
  }

  /** Nothing was sent in the period. */
  get isEmpty(): boolean {
    return !this.#hasAny;
  }

  /** How many can be taken. */
  get settled(): number {
    return this.#settled;
  }

  /** No further record matters: everything of the period is settled. */
  get isDone(): boolean {
    return this.#isPast && (this.#all[this.#settled]?.t ?? Number.POSITIVE_INFINITY) > this.#period.to;
  }

  /** Takes those whose marks no further record changes; once the journal has ended, all. */
  takeSettled(hasEnded = false): readonly Delivery[] {
    const count = hasEnded ? this.#all.length : this.#settled;
    const taken = this.#all.slice(0, count);
    this.#all = this.#all.slice(count);
    this.#settled = 0;
    for (const [subscription, at] of this.#since) this.#since.set(subscription, Math.max(0, at - count));
    const { from, to } = this.#period;
    return taken.filter(({ t }) => t >= from && t <= to);
  }

  /** The journal has the connection. */
  get isFound(): boolean {
    return this.#isFound;
  }

  /** There are more, which are left out. */
  get isTooMuch(): boolean {
    return this.#isTooMuch;
  }

  /** Topics that it was subscribed to: the first of them. */
  get followed(): readonly string[] {
    return [...this.#followed];
  }

  /** Records of its thread that the journal could not take while the connection was open. */
  get dropped(): number {
    return this.#dropped;
  }

  take({ t, record }: ReadRecord): void {
    const { c, w, k } = record;
    if (c === this.#connection) this.#own(t, record);
    // A connection ends with its thread, and with its process; one that was killed leaves no record.
    else if (k === 'started' || k === 'stopped') this.#end();
    else if (c === undefined && this.#isOpen && w === this.#thread) {
      if (k === 'ended') this.#end();
      else if (k === 'dropped') this.#lost(Number(record.records));
      else if (this.#concerns(record)) this.#published(t, record);
    }
  }

  /**
   * Any record of the thread may be among those that were lost, also the end of a subscription or a `paused`: what is published
   * from here on counts only once the topic is live again, and what was published before cannot be confirmed.
   */
  #lost(records: number): void {
    this.#dropped += records;
    this.#live.clear();
    this.#frame = [];
    for (let i = this.#settled; i < this.#all.length; i++) {
      const delivery = this.#all[i] as Delivery;
      delivery.mayBeLost ||= delivery.isShared;
    }
  }

  #end(): void {
    this.#live.clear();
    this.#isOpen = false;
  }

  #concerns({ topic, symbol }: Members): boolean {
    if (topic === this.#topic) return true;
    // Records of all symbols concern each of them.
    return topic === ALL_TRADES && this.#symbol !== undefined && (symbol === undefined || symbol === this.#symbol);
  }

  #own(t: number, record: Members): void {
    this.#isFound = true;
    const { k } = record;
    if (k === 'connected') {
      this.#thread = record.w;
      this.#isOpen = true;
      this.#hasSeqTags = record.seq_tags === true;
    } else if (k === 'confirmed') this.#confirm(Number(record.at), t);
    else if (k === 'closed') this.#end();
    else if (k === 'subscribed' && this.#followed.size < FOLLOWED_MAX) this.#followed.add(String(record.topic));
    else if (k === 'snapshot') this.#snapshot(t, record);
    else if (this.#concerns(record)) this.#ofTopic(t, record);
  }

  #ofTopic(t: number, record: Members): void {
    switch (record.k) {
      case 'sent':
        this.#runs(t, record, false);
        break;
      case 'live': {
        this.#thread = record.w;
        this.#isOpen = true;
        const { id, epoch, seq, resolution } = record;
        this.#live.set(subscriptionOf(record), { key: keyOf(record), id, epoch, seq: Number(seq), resolution });
        this.#since.set(subscriptionOf(record), this.#all.length);
        break;
      }
      case 'paused':
        this.#pause(record);
        break;
      case 'unsubscribed':
        this.#live.delete(subscriptionOf(record));
        break;
      case 'gap':
      case 'stale':
        this.#announce(t, record, false);
    }
  }

  /** A document, or one of several that share a frame: all of them but the last one say how many follow. */
  #snapshot(t: number, record: Members): void {
    if (this.#frame.length === 0) this.#framePrev = record.prev;
    const { topic, epoch, seq } = record;
    this.#frame.push({ topic: String(topic), epoch: String(epoch), seq: Number(seq), view: viewOf(record) });
    if (Number(record.more ?? 0) > 0) return;
    const documents = this.#frame;
    this.#frame = [];
    const own = documents.find(({ topic }) => topic === this.#topic);
    const first = documents[0];
    if (own === undefined || first === undefined) return;
    // Messages of FIX are numbered as what comes first in them is.
    const main = own.view.format === 'fix' ? first : own;
    const prev = typeof this.#framePrev === 'number' ? this.#framePrev : main.seq;
    this.#add({ kind: 'whole', t, record, view: main.view, prev, seq: main.seq, isShared: false, documents });
  }

  /** A client of FIX may follow a view more than once, and gets a message for each. */
  #published(t: number, record: Members): void {
    if (this.#live.size === 0) return;
    const key = keyOf(record);
    for (const live of this.#live.values()) {
      if (live.key === key) this.#shared(t, live.id === undefined ? record : ofClient(record, live));
    }
  }

  /** Something was published to the view on which the topic is live. */
  #shared(t: number, record: Members): void {
    if (record.k === 'gap' || record.k === 'stale') this.#announce(t, record, true);
    if (record.k !== 'emit') return;
    this.#runs(t, record, true);
  }

  #runs(t: number, record: Members, isShared: boolean): void {
    const kind = record.whole === true ? 'published' : 'message';
    const base = { kind, t, record, view: viewOf(record), isShared } as const;
    for (const [prev, seq, messages = 1] of runsOf(record)) {
      if (messages === 1) this.#add({ ...base, prev, seq });
      else for (let at = prev; at < seq; at++) this.#add({ ...base, prev: at, seq: at + 1 });
    }
  }

  #announce(t: number, record: Members, isShared: boolean): void {
    const view = viewOf(record);
    if (record.k === 'stale') {
      const seq = Number(record.seq);
      this.#add({ kind: 'stale', t, record, view, prev: seq, seq, isShared });
    } else {
      const prev = Number(record.from) - 1;
      this.#add({ kind: 'gap', t, record, view, prev, seq: Number(record.to), isShared });
    }
  }

  #add({ record, documents = NO_DOCUMENTS, ...added }: Added): void {
    const { from, to } = this.#period;
    const { t } = added;
    if (t > to + DISORDER_MICROS_MAX) this.#isPast = true;
    // What comes later decides only about what came before it.
    if (t < from - DISORDER_MICROS_MAX || (t > to && this.#joins(added, record))) return;
    if (this.#all.length - this.#settled >= this.#heldMax) {
      this.#isTooMuch = true;
      return;
    }
    const epoch = String(record.epoch);
    const reason = typeof record.reason === 'string' ? record.reason : '';
    const isComplete = record.complete === true;
    this.#hasAny ||= t >= from && t <= to;
    const { kind, view, prev, seq, isShared } = added;
    this.#all.push({
      t,
      kind,
      view,
      epoch,
      prev,
      seq,
      reason,
      documents,
      isComplete,
      resolution: record.resolution as Delivery['resolution'],
      isEmpty: record.empty === true,
      hasSeqTags: this.#hasSeqTags,
      isShared,
      isConfirmed: false,
      mayBeLost: false,
    });
  }

  /** Behind the period, one delivery stands for others of its kind: the one that `#pause` finds first. */
  #joins({ kind, view, seq, isShared }: Omit<Added, 'record'>, { epoch }: Members): boolean {
    const last = this.#all.at(-1);
    if (last === undefined || last.t <= this.#period.to || last.kind !== kind || last.isShared !== isShared)
      return false;
    if (last.view.topic !== view.topic || last.view.symbol !== view.symbol || last.view.id !== view.id) return false;
    return last.epoch === epoch && last.seq <= seq;
  }

  /**
   * The socket certainly took everything up to this position. What was published after it may not have reached the client, and no
   * later pong can prove that it did. On a topic of all symbols, each symbol has a position of its own.
   */
  #pause(record: Members): void {
    const { epoch, seq, symbol, topic, id } = record;
    if (symbol === undefined) this.#live.delete(subscriptionOf(record));
    if (symbol === undefined && topic === ALL_TRADES) return;
    // Without a position, nothing that came since the topic was live is certain.
    const first = Math.max(this.#settled, epoch === '' ? (this.#since.get(subscriptionOf(record)) ?? 0) : 0);
    let wasInEpoch = false;
    for (let i = this.#all.length - 1; i >= first; i--) {
      const delivery = this.#all[i] as Delivery;
      const { view } = delivery;
      if (view.topic !== topic || view.symbol !== symbol || view.id !== id) continue;
      const isInEpoch = delivery.epoch === epoch;
      const isReached = isInEpoch && delivery.seq <= Number(seq) && delivery.kind !== 'stale';
      if (isReached || (wasInEpoch && !isInEpoch)) return;
      wasInEpoch = isInEpoch;
      delivery.mayBeLost ||= delivery.isShared;
    }
  }

  /**
   * The client answered a ping: what was handed over before has reached it. An answer older than its ping means that the clock was
   * set back in between: then times do not tell what was handed over before.
   */
  #confirm(at: number, answeredAt: number): void {
    if (answeredAt < at) return;
    for (; this.#settled < this.#all.length; this.#settled++) {
      const delivery = this.#all[this.#settled] as Delivery;
      if (delivery.t > at) return;
      delivery.isConfirmed = !delivery.mayBeLost;
    }
  }
}
