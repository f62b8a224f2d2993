/** A view: a topic at a class in a format, for one tier, as this worker's sockets are subscribed to it. */
import assert from 'node:assert/strict';
import {
  classNameOfLane,
  DEPTHS,
  detailOfLane,
  isMsgpackLane,
  isStampedLane,
  type Tier,
} from '../../protocol/lanes.js';
import { ALL_SYMBOLS, isStateStream, type Stream, sourceKindOf, topicOf } from '../../protocol/topics.js';
import { shardOf } from '../../threads/shard-of.js';
import { type Place, Positions } from './positions.js';

/** Of a source or a ring that is not known yet. */
const UNBOUND = -1;

/** Messages and bytes sent for one stream, format and class. */
export interface SentCell {
  messages: number;
  bytes: number;
}

/** The cell of a stream, format and class. */
export type SentCells = (stream: Stream, format: string, rateClass: string) => SentCell;

/**
 * A view, and what waits for its answer. It alone writes what it holds.
 *
 * | a view is | until | by |
 * |---|---|---|
 * | unbound: its source and ring are not known | its first answer | `bind` |
 * | whole: what it publishes follows what it published before | frames of its ring are missed | `break` |
 * | broken: it publishes nothing | the answer that it asks for then | `repair` |
 *
 * @typeParam Waiter a subscription (session.ts), which knows its view
 */
export class ViewOf<Waiter> {
  readonly stream: Stream;
  /** The topic's name in its stream: a symbol, or a user, a channel, a room. */
  readonly symbol: string;
  /** `stream:symbol`. */
  readonly topic: string;
  /** `<kind>:<symbol>`, as the hub names it. */
  readonly sourceName: string;
  readonly lane: number;
  readonly tier: Tier;
  readonly isState: boolean;
  /** The trades of all symbols. (A user may be called `*`.) */
  readonly isAllTrades: boolean;
  readonly isMsgpack: boolean;
  readonly isStamped: boolean;
  /** The uWS topic. */
  readonly nativeTopic: string;
  readonly sent: SentCell;
  /** The encoder that answers for it. */
  readonly shard: number;
  /** What an answer costs that encoder, in the unit of a small document. */
  readonly cost: number;
  /** Event views: where they stand. */
  readonly seqs = new Positions();
  /** Those that wait for the answer. */
  readonly waiting = new Set<Waiter>();
  /** Those that hold more of the topic than the view was sent, and wait until it gets there. */
  readonly behind = new Set<Waiter>();
  /** Those that have their part and wait for those of other symbols; they get what follows queued. */
  readonly held = new Set<Waiter>();
  /** Event views: those that resume and have not come to their mark. */
  readonly recovering = new Set<Waiter>();
  readonly #whenLive: ((isLive: boolean) => void)[] = [];
  #holders = 0;
  #subscribers = 0;
  #source = UNBOUND;
  #ring = UNBOUND;
  #isWanted = false;
  #owner: number;
  #request = 0;
  #askedHeld: StreamPosition | undefined;
  #answersDue = 0;
  #isBroken = false;
  #sentSeqs: ReadonlyMap<number, Place> | undefined;
  #epoch = '';
  #lastSeq = 0;
  #sentAtMicros = 0;
  #part: Part | undefined;
  #stale: Uint8Array | undefined;

  /** One that is neither wanted nor held. @param shards encoders */
  constructor(
    { stream, symbol, lane, tier, owner }: NewView,
    nativeTopic: string,
    shards: number,
    sentCell: SentCells,
  ) {
    const format = isMsgpackLane(lane) ? 'msgpack' : 'json';
    this.stream = stream;
    this.symbol = symbol;
    this.topic = topicOf(stream, symbol);
    this.sourceName = `${sourceKindOf(stream)}:${symbol}`;
    this.lane = lane;
    this.tier = tier;
    this.isState = isStateStream(stream);
    this.isAllTrades = stream === 'trades' && symbol === ALL_SYMBOLS;
    this.isMsgpack = isMsgpackLane(lane);
    // Arrays are stamped by the encoder, which alone can reach into them.
    this.isStamped = isStampedLane(lane) && stream !== 'analytics';
    this.nativeTopic = nativeTopic;
    this.sent = sentCell(stream, format, this.isState ? classNameOfLane(lane) : 'event');
    this.shard = shardOf(this.sourceName, shards);
    this.cost = this.isAllTrades ? ALL_TRADES_COST : costOf(stream, lane);
    this.#owner = owner;
  }

  /** Source number; -1 until the first answer. */
  get source(): number {
    return this.#source;
  }

  /** The ring that feeds it; -1 until the first answer. */
  get ring(): number {
    return this.#ring;
  }

  /** Sessions that hold it. */
  get holders(): number {
    return this.#holders;
  }

  /** Sockets subscribed to the native topic. */
  get subscribers(): number {
    return this.#subscribers;
  }

  /** The hub knows that it is wanted. */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** On whose behalf the hub is asked for it. */
  get owner(): number {
    return this.#owner;
  }

  /** Number of the request that waits to be told, or for its answer; 0: none, the view is live. */
  get request(): number {
    return this.#request;
  }

  /** What whoever made that request holds of the topic, from another view. */
  get askedHeld(): StreamPosition | undefined {
    return this.#askedHeld;
  }

  /** True while frames must not be published: the chain of those subscribed is broken until the answer comes. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** A broken event view: the newest place published before, by source number. */
  get sentSeqs(): ReadonlyMap<number, Place> | undefined {
    return this.#sentSeqs;
  }

  /** Where the topic stands on this view; epoch '' before any data. */
  get epoch(): string {
    return this.#epoch;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** When that was last said to its subscribers (µs). */
  get sentAtMicros(): number {
    return this.#sentAtMicros;
  }

  /** The last part, while no frame has followed it. */
  get part(): Part | undefined {
    return this.#part;
  }

  /** A state topic that is held back: the frame that says so, for whoever is sent its document. */
  get stale(): Uint8Array | undefined {
    return this.#stale;
  }

  /** Something waits for an answer, or for frames that only follow one. */
  get isAwaited(): boolean {
    const { waiting, behind, recovering } = this;
    const pending = waiting.size + behind.size + recovering.size + this.#whenLive.length;
    return this.#source === UNBOUND || this.#isBroken || pending > 0;
  }

  /** One session more holds it. */
  hold(): void {
    this.#holders++;
  }

  /** One less. @returns whether any is left */
  release(): boolean {
    assert(this.#holders > 0, 'a view is released as often as it is held');
    return --this.#holders > 0;
  }

  /** A socket was subscribed to the native topic, or unsubscribed. */
  countSubscriber(isMore: boolean): void {
    this.#subscribers += isMore ? 1 : -1;
    assert(this.#subscribers >= 0, 'a socket leaves a native topic that it is in');
  }

  /** The hub knows that it is wanted, or no longer. */
  setWanted(isWanted: boolean): void {
    this.#isWanted = isWanted;
  }

  /** From here on it is wanted on behalf of this owner. */
  chargeTo(owner: number): void {
    this.#owner = owner;
  }

  /** It is asked for. @param answersDue how many encoders answer @param held of the topic, from another view */
  ask(request: number, answersDue: number, held?: StreamPosition): void {
    this.#request = request;
    this.#answersDue = answersDue;
    this.#askedHeld = held;
  }

  /** No answer is awaited. */
  settle(): void {
    this.#request = 0;
  }

  /** One answer came. @returns whether it was the last one due */
  countAnswer(): boolean {
    return --this.#answersDue <= 0;
  }

  /** The first answer says where its frames come from. */
  bind(source: number, ring: number): void {
    assert(this.#source === UNBOUND, 'a view is bound once');
    this.#source = source;
    this.#ring = ring;
  }

  /** A whole document is published: the topic is held back no longer. */
  beginEpoch(epoch: string): void {
    this.#epoch = epoch;
    this.#stale = undefined;
  }

  /** A frame of a state is published. */
  advance(seq: number): void {
    this.#part = undefined;
    this.#lastSeq = seq;
  }

  /** It stands there, by an event or an answer. */
  moveTo(epoch: string, seq: number): void {
    this.#epoch = epoch;
    this.#lastSeq = seq;
  }

  /** Its subscribers were told where it stands. */
  told(nowMicros: number): void {
    this.#sentAtMicros = nowMicros;
  }

  /** The topic is held back. @param stale the frame that says so */
  holdBack(stale: Uint8Array): void {
    this.#stale = stale;
  }

  /** @param part of the answer; undefined for events, and where what came is not to be used again */
  setPart(part: Part | undefined): void {
    this.#part = part;
  }

  /** Frames were missed. What was published before stays known, until it is repaired. */
  break(): void {
    if (!this.#isBroken && !this.isState) this.#sentSeqs = this.seqs.surelySent(0);
    this.#isBroken = this.#source !== UNBOUND;
    this.#part = undefined;
    // The answer says whether it is still held back.
    this.#stale = undefined;
  }

  /** The answer came that its chain continues from. */
  repair(): void {
    assert(this.#isBroken && this.#source !== UNBOUND, 'what is repaired was broken');
    this.#isBroken = false;
    this.#sentSeqs = undefined;
  }

  /** Runs it once the view becomes live, or (false) when it cannot be had. */
  whenLive(run: (isLive: boolean) => void): void {
    this.#whenLive.push(run);
  }

  /** Resolves as soon as the view is live, or (false) cannot be had. */
  live(): Promise<boolean> {
    return new Promise(resolve => this.whenLive(resolve));
  }

  /** Runs what waited for that. */
  becameLive(isLive: boolean): void {
    for (const run of this.#whenLive.splice(0)) run(isLive);
  }
}

/** Up to where a session holds a state topic. */
export interface StreamPosition {
  readonly epoch: string;
  readonly seq: number;
}

/** The answer to a snapshot request. */
export interface Part {
  readonly seq: number;
  readonly epoch: string;
  /** Empty: the topic has no data yet. */
  readonly bytes: Uint8Array;
}

/** The part of a topic without data. */
export const NO_DATA: Part = { seq: 0, epoch: '', bytes: new Uint8Array(0) };

/** Levels of a book that cost an encoder what a small document does. */
const LEVELS_PER_COST = 12.5;
/** The trades of all symbols are answered for topic by topic. */
const ALL_TRADES_COST = 8;

export interface NewView {
  readonly stream: Stream;
  readonly symbol: string;
  readonly lane: number;
  readonly tier: Tier;
  readonly owner: number;
}

function costOf(stream: Stream, lane: number): number {
  if (stream !== 'depth') return 1;
  return Math.ceil((DEPTHS[detailOfLane(lane) - 1] ?? 0) / LEVELS_PER_COST);
}
