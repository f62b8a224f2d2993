/**
 * What one connection was sent of one topic, as its gateway's journal tells it: documents and messages by their positions, in
 * the order in which they were handed to its socket. It expects the records of one chain in the order of its files, in which
 * the records of a thread, published messages included, have the order in which things happened.
 */
import { topicParts } from '../protocol/topic-parts.js';
import { ALL_SYMBOLS } from '../protocol/topics.js';
import type { ViewMembers } from './kinds.js';
import type { ReadRecord } from './read.js';

/** `whole`: a document sent to this connection; `published`: one that replaces what all connections of a view hold. */
export type DeliveryKind = 'message' | 'whole' | 'published' | 'gap' | 'stale';

/** A document in a frame. */
export interface DeliveredDocument {
  readonly topic: string;
  readonly epoch: string;
  readonly seq: number;
  /** Of its view, such as `15m`; undefined: real time. */
  readonly delay?: string | undefined;
}

export interface Delivery {
  /** At the latest, µs since the Unix epoch. */
  readonly t: number;
  readonly kind: DeliveryKind;
  readonly view: ViewMembers;
  readonly epoch: string;
  /** Of a gap: the position before its first message. */
  readonly prev: number;
  readonly seq: number;
  /** For a gap or a stale topic. */
  readonly reason: string;
  /** All documents of the frame, in their order: quotes share frames. */
  readonly documents: readonly DeliveredDocument[];
  /** The frame of quotes says that none is missing any more. */
  readonly isComplete: boolean;
  /** Whether all connections of the view were told, and not this one alone. */
  readonly isShared: boolean;
  /** The client has certainly received it. */
  isConfirmed: boolean;
  /** The socket may have dropped it. */
  mayBeLost: boolean;
}

/** A run of messages in a record. */
type Run = readonly [prev: number, seq: number, messages?: number];

type Members = Readonly<Record<string, unknown>>;

interface Live {
  readonly key: string;
  /** Which subscription of FIX. */
  readonly id: unknown;
}

/** A delivery that a record tells. */
interface Added {
  readonly kind: DeliveryKind;
  readonly t: number;
  readonly record: Members;
  readonly prev: number;
  readonly seq: number;
  readonly isShared: boolean;
  readonly documents?: readonly DeliveredDocument[];
}

const ALL_TRADES = `trades:${ALL_SYMBOLS}`;
/** Members that tell views apart on one thread. */
const KEY_MEMBERS = ['topic', 'class', 'format', 'tier', 'depth', 'stamped', 'full', 'delay', 'part'] as const;
/** The symbol is that of a message, the id that of a subscription. */
const VIEW_MEMBERS = [...KEY_MEMBERS, 'symbol', 'id'] as const;

export class Deliveries {
  readonly #connection: string;
  readonly #topic: string;
  readonly #max: number;
  readonly #all: Delivery[] = [];
  /** Deliveries before this one are confirmed, or never will be. */
  #settled = 0;
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

  /** @param topic as the journal names it. Trades of a symbol may come by way of those of all symbols. */
  constructor(connection: string, topic: string, max: number) {
    this.#connection = connection;
    this.#topic = topic;
    this.#max = max;
    const [stream, name] = topicParts(topic);
    this.#symbol = stream === 'trades' && name !== ALL_SYMBOLS ? name : undefined;
  }

  /** In the order in which they were sent. */
  get all(): readonly Delivery[] {
    return this.#all;
  }

  /** The journal has the connection. */
  get isFound(): boolean {
    return this.#isFound;
  }

  /** There are more, which are left out. */
  get isTooMuch(): boolean {
    return this.#isTooMuch;
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
    } else if (k === 'confirmed') this.#confirm(Number(record.at), t);
    else if (k === 'closed') this.#end();
    else if (k === 'snapshot') this.#snapshot(t, record);
    else if (this.#concerns(record)) this.#ofTopic(t, record);
  }

  #ofTopic(t: number, record: Members): void {
    switch (record.k) {
      case 'sent':
        for (const run of runsOf(record)) this.#run(t, record, run, false);
        break;
      case 'live':
        this.#thread = record.w;
        this.#isOpen = true;
        this.#live.set(subscriptionOf(record), { key: keyOf(record), id: record.id });
        this.#since.set(subscriptionOf(record), this.#all.length);
        break;
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
    const seq = Number(record.seq);
    const { topic, epoch, delay } = record;
    this.#frame.push({
      topic: String(topic),
      epoch: String(epoch),
      seq,
      delay: delay === undefined ? undefined : String(delay),
    });
    if (Number(record.more ?? 0) > 0) return;
    const documents = this.#frame;
    this.#frame = [];
    const own = documents.find(({ topic }) => topic === this.#topic);
    if (own === undefined) return;
    const prev = typeof record.prev === 'number' ? record.prev : own.seq;
    this.#add({ kind: 'whole', t, record, prev, seq: own.seq, isShared: false, documents });
  }

  /** A client of FIX may follow a view more than once, and gets a message for each. */
  #published(t: number, record: Members): void {
    if (this.#live.size === 0) return;
    const key = keyOf(record);
    for (const live of this.#live.values()) {
      if (live.key === key) this.#shared(t, live.id === undefined ? record : { ...record, id: live.id });
    }
  }

  /** Something was published to the view on which the topic is live. */
  #shared(t: number, record: Members): void {
    if (record.k === 'gap' || record.k === 'stale') this.#announce(t, record, true);
    if (record.k !== 'emit') return;
    for (const run of runsOf(record)) {
      if (record.whole === true) this.#whole(t, record, run);
      else this.#run(t, record, run, true);
    }
  }

  #whole(t: number, record: Members, [prev, seq]: Run): void {
    this.#add({ kind: 'published', t, record, prev, seq, isShared: true });
  }

  #run(t: number, record: Members, [prev, seq, messages = 1]: Run, isShared: boolean): void {
    const kind = 'message';
    if (messages === 1) this.#add({ kind, t, record, prev, seq, isShared });
    else for (let at = prev; at < seq; at++) this.#add({ kind, t, record, prev: at, seq: at + 1, isShared });
  }

  #announce(t: number, record: Members, isShared: boolean): void {
    if (record.k === 'stale') {
      const seq = Number(record.seq);
      this.#add({ kind: 'stale', t, record, prev: seq, seq, isShared });
    } else {
      const prev = Number(record.from) - 1;
      this.#add({ kind: 'gap', t, record, prev, seq: Number(record.to), isShared });
    }
  }

  #add({ record, documents = [], ...added }: Added): void {
    if (this.#all.length === this.#max) {
      this.#isTooMuch = true;
      return;
    }
    const epoch = String(record.epoch);
    const reason = typeof record.reason === 'string' ? record.reason : '';
    const isComplete = record.complete === true;
    this.#all.push({
      ...added,
      view: viewOf(record),
      epoch,
      reason,
      documents,
      isComplete,
      isConfirmed: false,
      mayBeLost: false,
    });
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

function runsOf({ runs }: Members): readonly Run[] {
  return Array.isArray(runs) ? (runs as Run[]) : [];
}

function subscriptionOf({ topic, id = '' }: Members): string {
  return `${String(topic)}\n${String(id)}`;
}

function keyOf(record: Members): string {
  return KEY_MEMBERS.map(name => String(record[name] ?? '')).join('\n');
}

function viewOf(record: Members): ViewMembers {
  const members = VIEW_MEMBERS.flatMap(name => (record[name] === undefined ? [] : [[name, record[name]]]));
  return Object.fromEntries(members) as ViewMembers;
}
