/** A view: a topic at a class in a format, for one tier, as this worker's sockets subscribe to it. */
import assert from 'node:assert/strict';
import { delayedName } from '../../protocol/delayed-name.js';
import type { StreamPosition } from '../../protocol/stream-position.js';
import { ALL_SYMBOLS, isStateStream, type Stream, sourceKindOf, topicOf } from '../../protocol/topics.js';
import type { Tier } from '../../protocol/view-options.js';
import { classNameOfLane, isMsgpackLane, isStampedLane } from '../../threads/lanes.js';
import { shardOf } from '../../threads/shard-of.js';
import type { EmitTrail } from './emit-trail.js';
import type { Part, StaleNotice } from './part.js';
import { Positions, type TaggedPosition } from './positions.js';
import type { SentCell, SentCells } from './sent-cell.js';
import { viewCostOf } from './view-cost.js';

/** A source or ring that is not known yet. */
const UNBOUND = -1;

/**
 * A view and the subscriptions that wait for it. Only this class writes its fields.
 *
 * | state | until | method |
 * |---|---|---|
 * | unbound: its source and ring are unknown | its first answer | `bind` |
 * | whole: each publish follows the one before | the thread misses frames of its ring | `break` |
 * | broken: it publishes nothing | the answer to its new request | `repair` |
 *
 * @typeParam Waiter a subscription (session.ts), which knows its view
 */
export class ViewOf<Waiter> {
  readonly stream: Stream;
  /** The topic's name in its stream: a symbol, user, channel or room. */
  readonly symbol: string;
  /** How late its messages are, ms; 0: real time. */
  readonly delayMs: number;
  /** `stream:symbol`. */
  readonly topic: string;
  /** `<kind>:<symbol>`, the hub's name for it. */
  readonly sourceName: string;
  readonly lane: number;
  readonly tier: Tier;
  readonly isState: boolean;
  /** True for `trades:*`. (A user may also be called `*`.) */
  readonly isAllTrades: boolean;
  readonly isMsgpack: boolean;
  readonly isStamped: boolean;
  /** The uWS topic. */
  readonly nativeTopic: string;
  readonly sent: SentCell;
  /** The encoder that answers for it. */
  readonly shard: number;
  /** What an answer costs that encoder, in units of a small document. */
  readonly cost: number;
  /** How far the journal knows it to be published; undefined: not at all. Written by journal/. */
  trail: EmitTrail | undefined;
  /** Event views: their positions. */
  readonly seqs = new Positions();
  /** Subscriptions that await the answer. */
  readonly waiting = new Set<Waiter>();
  /** Subscriptions that are ahead of the view and wait until it catches up. */
  readonly awaitingCatchUp = new Set<Waiter>();
  /** Subscriptions that have their part and await other symbols' parts; deltas are queued for them. */
  readonly buffering = new Set<Waiter>();
  /** Event views: subscriptions that are resuming and have not caught up yet. */
  readonly recovering = new Set<Waiter>();
  readonly #whenLive: ((isLive: boolean, why: NotServed) => void)[] = [];
  #pins = 0;
  #subscribers = 0;
  #publishedBytes = 0;
  #source = UNBOUND;
  #ring = UNBOUND;
  #isWanted = false;
  #owner: number;
  #request = 0;
  #askerSentUpTo: StreamPosition | undefined;
  #answersDue = 0;
  #isBroken = false;
  #sentBeforeBreak: ReadonlyMap<number, TaggedPosition> | undefined;
  #epoch = '';
  #lastSeq = 0;
  #sentAtMicros = 0;
  #heartbeats = 0;
  #part: Part | undefined;
  #stale: StaleNotice | undefined;

  /** A view that is neither wanted nor used yet. @param shards number of encoders */
  constructor(
    { stream, symbol, lane, tier, owner, delayMs = 0 }: NewView,
    nativeTopic: string,
    shards: number,
    sentCell: SentCells,
  ) {
    const format = isMsgpackLane(lane) ? 'msgpack' : 'json';
    this.stream = stream;
    this.symbol = symbol;
    this.delayMs = delayMs;
    this.topic = topicOf(stream, symbol);
    this.sourceName = `${sourceKindOf(stream)}:${delayedName(symbol, delayMs)}`;
    this.lane = lane;
    this.tier = tier;
    this.isState = isStateStream(stream);
    this.isAllTrades = stream === 'trades' && symbol === ALL_SYMBOLS;
    this.isMsgpack = isMsgpackLane(lane);
    // The encoder stamps array frames; only it can reach into them.
    this.isStamped = isStampedLane(lane) && stream !== 'analytics';
    this.nativeTopic = nativeTopic;
    this.sent = sentCell(stream, format, this.isState ? classNameOfLane(lane) : 'event');
    this.shard = shardOf(this.sourceName, shards);
    this.cost = viewCostOf(stream, symbol, lane);
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

  /** How many sessions keep it in use. */
  get pins(): number {
    return this.#pins;
  }

  /** Sockets subscribed to the native topic. */
  get subscribers(): number {
    return this.#subscribers;
  }

  /** Bytes published to each socket that was subscribed all the time. */
  get publishedBytes(): number {
    return this.#publishedBytes;
  }

  /** Something was published to its sockets. */
  countPublished(bytes: number): void {
    this.#publishedBytes += bytes;
  }

  /** True when the hub knows that it is wanted. */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** On whose behalf it is wanted from the hub. */
  get owner(): number {
    return this.#owner;
  }

  /** Number of the request that is queued or awaits its answer; 0: none, the view is live. */
  get request(): number {
    return this.#request;
  }

  /** The position sent with that request: how far its asker was sent the topic, from another view. */
  get askerSentUpTo(): StreamPosition | undefined {
    return this.#askerSentUpTo;
  }

  /** True while frames must not be published: the subscribers' chain is broken until the answer comes. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** For a broken event view: the newest positions published before the break, by source number. */
  get sentBeforeBreak(): ReadonlyMap<number, TaggedPosition> | undefined {
    return this.#sentBeforeBreak;
  }

  /** The topic's position on this view; epoch '' before any data. */
  get epoch(): string {
    return this.#epoch;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** When its subscribers were last told that position (µs). */
  get sentAtMicros(): number {
    return this.#sentAtMicros;
  }

  /** How many heartbeats told them since the last message. */
  get heartbeats(): number {
    return this.#heartbeats;
  }

  /** The last part, as long as no frame has followed it. */
  get part(): Part | undefined {
    return this.#part;
  }

  /** For a stale topic: for sessions that are sent its document. */
  get stale(): StaleNotice | undefined {
    return this.#stale;
  }

  /** True when subscriptions wait for an answer, or for frames that only follow one. */
  get isAwaited(): boolean {
    const { waiting, awaitingCatchUp, recovering } = this;
    const pending = waiting.size + awaitingCatchUp.size + recovering.size + this.#whenLive.length;
    return this.#source === UNBOUND || this.#isBroken || pending > 0;
  }

  /** One more session keeps it in use. */
  pin(): void {
    this.#pins++;
  }

  /** One session less keeps it in use. @returns whether any is left */
  unpin(): boolean {
    assert(this.#pins > 0, 'a view is unpinned no more often than it is pinned');
    return --this.#pins > 0;
  }

  /** A socket subscribed to the native topic, or unsubscribed. */
  countSubscriber(isMore: boolean): void {
    this.#subscribers += isMore ? 1 : -1;
    assert(this.#subscribers >= 0, 'a socket leaves only native topics that it is in');
  }

  /** Records whether the hub knows that it is wanted. */
  setWanted(isWanted: boolean): void {
    this.#isWanted = isWanted;
  }

  /** From here on it is wanted on behalf of this owner. */
  chargeTo(owner: number): void {
    this.#owner = owner;
  }

  /**
   * It has been requested.
   * @param answersDue how many encoders answer
   * @param sentUpTo how far the asker was sent the topic, from another view
   */
  ask(request: number, answersDue: number, sentUpTo?: StreamPosition): void {
    this.#request = request;
    this.#answersDue = answersDue;
    this.#askerSentUpTo = sentUpTo;
  }

  /** No answer is awaited any more. */
  settle(): void {
    this.#request = 0;
  }

  /** One answer came. @returns whether it was the last one due */
  countAnswer(): boolean {
    return --this.#answersDue <= 0;
  }

  /** The first answer tells which source and ring feed it. */
  bind(source: number, ring: number): void {
    assert(this.#source === UNBOUND, 'a view is bound once');
    this.#source = source;
    this.#ring = ring;
  }

  /** A complete document is published: the topic is no longer stale. */
  beginEpoch(epoch: string): void {
    this.#epoch = epoch;
    this.#stale = undefined;
  }

  /** A state frame is published. */
  advance(seq: number): void {
    this.#part = undefined;
    this.#lastSeq = seq;
  }

  /** Sets the position, from an event or an answer. */
  moveTo(epoch: string, seq: number): void {
    this.#epoch = epoch;
    this.#lastSeq = seq;
  }

  /** A message told its subscribers its position. */
  told(nowMicros: number): void {
    this.#sentAtMicros = nowMicros;
    this.#heartbeats = 0;
  }

  /** A heartbeat told them. */
  reminded(nowMicros: number): void {
    this.#sentAtMicros = nowMicros;
    this.#heartbeats++;
  }

  markStale(stale: StaleNotice): void {
    this.#stale = stale;
  }

  /** @param part of the answer; undefined for events, and when it must not be reused */
  setPart(part: Part | undefined): void {
    this.#part = part;
  }

  /** Frames were missed. The positions published before are kept until the repair. */
  break(): void {
    if (!this.#isBroken && !this.isState) this.#sentBeforeBreak = this.seqs.surelySent(0);
    this.#isBroken = this.#source !== UNBOUND;
    this.#part = undefined;
    // The answer will say whether it is still stale.
    this.#stale = undefined;
  }

  /** The answer from which its chain continues has come. */
  repair(): void {
    assert(this.#isBroken && this.#source !== UNBOUND, 'only a broken, bound view is repaired');
    this.#isBroken = false;
    this.#sentBeforeBreak = undefined;
  }

  /** Runs the callback once the view is live, or with false and the reason when the hub does not serve it. */
  whenLive(run: (isLive: boolean, why: NotServed) => void): void {
    this.#whenLive.push(run);
  }

  /** Resolves once the view is live, or to the reason why the hub does not serve it. */
  live(): Promise<'live' | NotServed> {
    return new Promise(resolve => this.whenLive((isLive, why) => resolve(isLive ? 'live' : why)));
  }

  /** Runs the callbacks that waited for it. @param why the hub does not serve it */
  becameLive(isLive: boolean, why: NotServed = 'unavailable'): void {
    for (const run of this.#whenLive.splice(0)) run(isLive, why);
  }
}

/**
 * Why the hub does not serve a view: the user's share of topics is used up, the gateway follows too many, or NATS does
 * not let this gateway follow it.
 */
export type NotServed = 'share' | 'full' | 'unavailable';

type NewView = Pick<ViewOf<never>, 'stream' | 'symbol' | 'lane' | 'tier' | 'owner'> & { readonly delayMs?: number };
