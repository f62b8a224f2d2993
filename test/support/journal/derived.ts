/**
 * What a connection was handed, derived from the records of a journal and from nothing else: a small reader of its own, apart from
 * the command that reconstructs messages.
 */

/** A line of the journal. */
export interface DerivedRecord {
  readonly t: number;
  readonly k: string;
  readonly c?: string;
  readonly w?: number;
  readonly topic?: string;
  readonly symbol?: string | undefined;
  readonly epoch?: string;
  readonly seq?: number | null;
  readonly from?: number;
  readonly to?: number;
  readonly reason?: string;
  readonly runs?: readonly (readonly number[])[];
  readonly whole?: boolean;
  readonly stepwise?: boolean;
  readonly at?: number;
  readonly [member: string]: unknown;
}

/** A message that the journal says was handed to the connection's socket. */
interface DerivedMessage {
  /** `stream:symbol`, also where `trades:*` delivered it. */
  readonly topic: string;
  readonly what: 'message' | 'whole' | 'gap' | 'stale';
  readonly epoch: string;
  /** Of a gap, its `from` less one; of a whole document and of `stale`, -1. */
  readonly prev: number;
  readonly seq: number;
  readonly reason: string;
  /** When it was handed over, at the latest (µs). */
  readonly t: number;
  /** It came by way of a view, and not to this connection alone. */
  readonly isPublished: boolean;
  /** False where uWS may have dropped it. */
  isSure: boolean;
}

const ALL_SYMBOLS = '*';

export class Derivation {
  /** By topic, in order. */
  readonly messages = new Map<string, DerivedMessage[]>();
  confirmedAt = 0;
  isClosed = false;
  readonly #connection: string;
  #worker: number | undefined;
  /** By topic: the view that reaches the connection, and how many messages of each topic came before. */
  readonly #live = new Map<string, { readonly view: string; readonly since: ReadonlyMap<string, number> }>();
  /** The same of topics whose view no longer does. */
  readonly #past = new Map<string, ReadonlyMap<string, number>>();

  constructor(connection: string, records: Iterable<DerivedRecord>) {
    this.#connection = connection;
    for (const record of records) if (!this.isClosed) this.#take(record);
  }

  #take(record: DerivedRecord): void {
    const isOwn = record.c === this.#connection;
    if (record.c !== undefined && !isOwn) return;
    if (!isOwn && (record.w === undefined || record.w !== this.#worker || !this.#isLiveOn(record))) return;
    const topic = record.topic ?? '';
    switch (record.k) {
      case 'connected':
      case 'subscribed':
        this.#worker = record.w;
        break;
      case 'live':
        this.#worker = record.w;
        this.#live.set(topic, { view: viewOf(record), since: this.#counts() });
        break;
      case 'paused':
        this.#doubt(record);
        if (record.symbol === undefined) this.#end(topic);
        break;
      case 'unsubscribed':
        this.#end(topic);
        break;
      case 'closed':
        this.isClosed = true;
        break;
      case 'confirmed':
        this.confirmedAt = Math.max(this.confirmedAt, record.at ?? 0);
        break;
      default:
        this.#messages(record, !isOwn);
    }
  }

  #messages(record: DerivedRecord, isPublished: boolean): void {
    const { k, epoch = '', reason = '', t } = record;
    const seq = record.seq ?? 0;
    const add = (what: DerivedMessage['what'], prev: number, at: number) =>
      this.#of(record).push({
        topic: topicOf(record),
        what,
        epoch,
        prev,
        seq: at,
        reason,
        t,
        isPublished,
        isSure: true,
      });
    switch (k) {
      case 'snapshot':
        add('whole', -1, seq);
        break;
      case 'gap':
        add('gap', (record.from ?? 0) - 1, record.to ?? 0);
        break;
      case 'stale':
        add('stale', -1, seq);
        break;
      case 'emit':
      case 'sent':
        for (const [prev = 0, last = 0, steps = 1] of record.runs ?? []) {
          const count = record.stepwise === true ? last - prev : steps;
          if (record.whole === true) add('whole', -1, last);
          else if (count === 1) add('message', prev, last);
          else for (let i = 0; i < count; i++) add('message', prev + i, prev + i + 1);
        }
        break;
    }
  }

  /** Of what was published behind this position, any may be lost. */
  #doubt(record: DerivedRecord): void {
    const { epoch = '' } = record;
    const seq = record.seq ?? 0;
    if (record.symbol === undefined && isOfAll(record.topic ?? '')) return;
    const topic = topicOf(record);
    const since = this.#live.get(record.topic ?? '')?.since ?? this.#past.get(record.topic ?? '');
    const messages = this.messages.get(topic) ?? [];
    const first = epoch === '' ? (since?.get(topic) ?? 0) : 0;
    let wasInEpoch = false;
    for (let i = messages.length - 1; i >= first; i--) {
      const message = messages[i] as DerivedMessage;
      const isInEpoch = message.epoch === epoch;
      if ((isInEpoch && message.seq <= seq && message.what !== 'stale') || (wasInEpoch && !isInEpoch)) return;
      wasInEpoch = isInEpoch;
      if (message.isPublished) message.isSure = false;
    }
  }

  #end(topic: string): void {
    const live = this.#live.get(topic);
    if (live !== undefined) this.#past.set(topic, live.since);
    this.#live.delete(topic);
  }

  #isLiveOn(record: DerivedRecord): boolean {
    return this.#live.get(record.topic ?? '')?.view === viewOf(record);
  }

  #counts(): Map<string, number> {
    return new Map(Array.from(this.messages, ([topic, { length }]) => [topic, length]));
  }

  #of(record: DerivedRecord): DerivedMessage[] {
    const topic = topicOf(record);
    const messages = this.messages.get(topic) ?? [];
    this.messages.set(topic, messages);
    return messages;
  }
}

const isOfAll = (topic: string): boolean => topic === `trades:${ALL_SYMBOLS}`;

function topicOf({ topic = '', symbol }: DerivedRecord): string {
  return symbol === undefined ? topic : `trades:${symbol}`;
}

/** Which view a record speaks of. */
function viewOf({ topic, class: rateClass, format, tier, depth, stamped, full, delay }: DerivedRecord): string {
  return JSON.stringify([topic, rateClass, format, tier, depth, stamped, full, delay]);
}

/** A message that a client or its socket was handed, as far as it can be compared. */
export interface HandedMessage {
  readonly topic: string;
  readonly what: DerivedMessage['what'];
  readonly epoch: string;
  readonly prev: number;
  readonly seq: number;
  readonly reason: string;
}

/** The messages in a frame that the journal tells of; none for others. An array is one message from its first to its last. */
export function handedIn(frame: unknown): HandedMessage[] {
  if (Array.isArray(frame)) {
    const [first, last] = [handedIn(frame[0]), handedIn(frame.at(-1))];
    return first.length === 0 ? [] : [{ ...(last[0] as HandedMessage), prev: first[0]?.prev ?? 0 }];
  }
  const of = frame as Record<string, unknown>;
  const [epoch, seq] = [String(of.epoch ?? ''), Number(of.seq ?? 0)];
  if (of.type === 'gap') {
    const prev = Number(of.from) - 1;
    return [{ topic: String(of.topic), what: 'gap', epoch, prev, seq: Number(of.to), reason: String(of.reason) }];
  }
  if (of.type === 'stale') {
    return [{ topic: String(of.topic), what: 'stale', epoch, prev: -1, seq, reason: String(of.reason) }];
  }
  if (of.type === 'quotes_patch' && of.snapshot === true) {
    return Object.entries(of.seqs as Record<string, number>).map(([symbol, at]) => ({
      ...{ topic: `quotes:${symbol}`, what: 'whole' as const, epoch, prev: -1, seq: at, reason: '' },
    }));
  }
  const topic = topicOfFrame(of);
  if (topic === undefined) return [];
  if (of.snapshot === true) return [{ topic, what: 'whole', epoch, prev: -1, seq, reason: '' }];
  return [{ topic, what: 'message', epoch, prev: Number(of.prev_seq), seq, reason: '' }];
}

function topicOfFrame(frame: Record<string, unknown>): string | undefined {
  switch (frame.type) {
    case 'quotes_patch':
      return `quotes:${frame.symbol}`;
    case 'orderbook_update':
      return `orderbook:${frame.symbol}`;
    case 'depth_patch':
      return `depth:${frame.symbol}`;
    case 'trade_executed':
      return `trades:${frame.symbol}`;
    case 'order_update':
      return `orders:${frame.user_id}`;
    case 'room_message':
      return `rooms:${frame.room}`;
    default:
      return frame.channel === undefined ? undefined : `analytics:${frame.channel}`;
  }
}

const isSame = (derived: DerivedMessage, handed: HandedMessage): boolean =>
  derived.what === handed.what &&
  derived.epoch === handed.epoch &&
  derived.prev === handed.prev &&
  derived.seq === handed.seq &&
  derived.reason === handed.reason;

/**
 * What is wrong when a connection was handed these messages, in order: empty where the journal says just that.
 * @param mayLack how many of the last messages of a topic the socket may not have been handed any more
 */
export function differences({ messages }: Derivation, handed: readonly HandedMessage[], mayLack = 0): string[] {
  const byTopic = new Map<string, HandedMessage[]>();
  for (const message of handed) {
    const others = byTopic.get(message.topic);
    if (others === undefined) byTopic.set(message.topic, [message]);
    else others.push(message);
  }
  const topics = new Set([...messages.keys(), ...byTopic.keys()]);
  return [...topics].flatMap(topic => {
    const wrong = difference(messages.get(topic) ?? [], byTopic.get(topic) ?? [], mayLack);
    return wrong === undefined ? [] : [`${topic}: ${wrong}`];
  });
}

/** Each message handed was derived, in this order, and what was derived for sure was handed. */
function difference(
  derived: readonly DerivedMessage[],
  handed: readonly HandedMessage[],
  mayLack: number,
): string | undefined {
  // A doubtful message may look like a later one: all places are kept where the next message may stand.
  let places = new Set([0]);
  for (const message of handed) {
    const next = new Set<number>();
    for (const place of places) {
      for (let at = place; at < derived.length; at++) {
        const candidate = derived[at] as DerivedMessage;
        if (isSame(candidate, message)) next.add(at + 1);
        if (candidate.isSure) break;
      }
    }
    if (next.size === 0) {
      const expected = derived[Math.max(...places)];
      return `handed ${textOf(message)}, derived ${expected === undefined ? 'nothing' : textOf(expected)}`;
    }
    places = next;
  }
  const missing = [...places].map(place => derived.slice(place).filter(({ isSure }) => isSure));
  const fewest = missing.reduce((least, some) => (some.length < least.length ? some : least));
  return fewest.length > mayLack ? `derived ${fewest.map(textOf).join(', ')}, handed nothing more` : undefined;
}

const textOf = ({ what, epoch, prev, seq, reason }: HandedMessage): string =>
  `${what} ${epoch} ${prev}→${seq} ${reason}`;
