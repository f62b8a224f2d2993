/**
 * Keeps every socket's topics on an unbroken chain: snapshot, then exactly the deltas that follow it.
 *
 * The snapshot of a lane comes through the same ring as its deltas, so where it stands among them is exact: what came
 * before it is in it, what comes behind it follows it. A socket is subscribed natively at that very place.
 */

import { snapshotUnits } from '../../protocol/costs.js';
import type { StreamPosition } from '../../protocol/stream-position.js';
import type { EventLosses } from '../events/gaps.js';
import { type Resumption, Resumptions } from '../events/recovery.js';
import { ALL_TRADES, hasAllTrades, singleTradesOf, TradesCoverage } from '../events/trades-coverage.js';
import {
  isServed,
  type LaneEntry,
  moveToEnd,
  mustWait,
  type Session,
  Subscription,
  type Wanted,
  wantedOf,
} from '../model/session.js';
import { Deliveries } from '../sending/deliveries.js';
import type { Outbox } from '../sending/outbox.js';
import { NativeTopics } from '../views/native-topics.js';
import { type LaneTable, NO_DATA, type Part } from '../views/views.js';
import { awaitNewer, awaitRepair, heldPlaceOf, isOlder, noteLeft, takeCaughtUp, takeLeft } from './held-places.js';
import { QuoteSnapshots } from './quote-snapshots.js';
import { RESUMED_AT_ONCE_MAX, type SubscriptionsOptions } from './subscriptions-options.js';
import { TradesCharges } from './trades-charges.js';

export class Subscriptions {
  readonly #table: LaneTable;
  readonly #outbox: Outbox;
  readonly #losses: EventLosses;
  readonly #native: NativeTopics;
  readonly #options: SubscriptionsOptions & { readonly resumedAtOnceMax: number };
  readonly #quotes: QuoteSnapshots;
  /** Which trades deliver for which. */
  readonly trades: TradesCoverage;
  readonly #charge: TradesCharges;
  /** Snapshots and missed messages that wait for their turn. */
  readonly deliveries: Deliveries;
  /** Clients that come back to event topics. */
  readonly resumptions: Resumptions;

  constructor(options: SubscriptionsOptions) {
    this.#options = { resumedAtOnceMax: RESUMED_AT_ONCE_MAX, ...options };
    this.#table = options.table;
    this.#outbox = options.outbox;
    this.#losses = options.losses;
    this.#native = new NativeTopics(options.turn);
    this.trades = new TradesCoverage(options.losses, this.#native);
    this.deliveries = new Deliveries(options.wake, options.deliveredBytesMax, options.charge);
    this.#charge = new TradesCharges(this.deliveries.charge, options.tradesSymbols);
    this.#quotes = new QuoteSnapshots({
      outbox: options.outbox,
      deliveries: this.deliveries,
      native: this.#native,
      assemblyBytesMax: options.assemblyBytesMax,
      goLive: subscription => this.#goLive(subscription),
    });
    this.resumptions = new Resumptions({
      table: options.table,
      outbox: options.outbox,
      deliveries: this.deliveries,
      replayKeptBytesMin: options.replayKeptBytesMin,
      reserve: options.reserve,
      bufferedBytesMax: options.bufferedBytesMax,
      isCovered: ({ session, stream }) => stream === 'trades' && hasAllTrades(session),
      // What a client missed is sent, and what came meanwhile; where that was too much, it is told.
      goLive: subscription => {
        this.trades.announce(subscription);
        this.#goLive(subscription);
      },
      goOn: subscription => {
        // Of a lane that never answered, all is lost until it does.
        if (subscription.entry.source < 0) subscription.sentSeqs ??= new Map();
        this.#await(subscription);
      },
    });
  }

  /**
   * Subscribes the session; a topic it has on the same lane already stays as it is, on another lane it changes over.
   * Quotes asked for together come in one snapshot frame (see `queueForHeld`), with `after` behind it.
   */
  subscribe(session: Session, wanted: readonly Wanted[], after?: object): void {
    const added = this.#make(session, wanted, true);
    for (const subscription of added) if (mustWait(subscription)) this.#pause(subscription, 0);
    if (session.isStalled) return;
    const begun = added.filter(({ state }) => state !== 'paused');
    this.#begin(session, begun, after);
  }

  /**
   * Subscribes the session to event topics, beginning with what was published behind `since`. One that it has already
   * begins anew there.
   */
  resumeFrom(session: Session, wanted: readonly Wanted[], since: StreamPosition, answer: Resumption['answer']): void {
    const begun = this.#make(session, wanted, false);
    this.resumptions.begin(session, begun, since, answer);
    if (!session.isStalled) return;
    for (const subscription of begun) this.#pause(subscription, 0);
  }

  /** Ends a subscription; false when there was none. */
  unsubscribe(session: Session, topic: string): boolean {
    const subscription = session.subscriptions.get(topic);
    if (subscription === undefined) return false;
    if (topic === ALL_TRADES) this.#charge.end(session);
    const singles = topic === ALL_TRADES ? this.trades.uncover(subscription) : [];
    noteLeft(session, subscription);
    this.#remove(subscription);
    for (const single of singles) this.#await(single);
    if (subscription.topic === ALL_TRADES) this.trades.settle(session);
    return true;
  }

  /**
   * Sends fresh snapshots of state topics, of quotes in one frame. A topic whose snapshot is under way gets that one; an event
   * topic has none. @returns those that the session is not subscribed to
   */
  resync(session: Session, topics: readonly string[]): string[] {
    const again = new Set<Subscription>();
    const missing: string[] = [];
    for (const topic of topics) {
      const subscription = session.subscriptions.get(topic);
      if (subscription === undefined) missing.push(topic);
      else if (this.#quotes.hasSnapshot(subscription)) again.add(subscription);
    }
    this.#begin(session, [...again]);
    return missing;
  }

  /** The socket is gone; uWS has dropped its native subscriptions. */
  closed(session: Session): void {
    session.socket = undefined;
    for (const subscription of session.subscriptions.values()) this.#remove(subscription);
  }

  /**
   * The socket cannot take more: its live topics end here, so that nothing is queued for it, until `resume`.
   * @param turn the turn in which uWS dropped something for it; 0 when nothing is lost yet
   */
  stall(session: Session, turn: number): void {
    session.isStalled = true;
    for (const subscription of session.subscriptions.values()) {
      // Of one that is paused already, more may be lost than was thought.
      if (subscription.sentSeqs !== undefined) this.#losses.remember(subscription, turn);
      this.#pause(subscription, turn);
    }
  }

  /** The socket cannot take more of its state topics: they end here until `resume`. Events go on. */
  suspendStates(session: Session): void {
    for (const subscription of session.subscriptions.values())
      if (subscription.entry.isState) this.#pause(subscription, 0);
  }

  /** Moves some state topics to the lanes that serve the session now, by snapshot. True when all are on theirs. */
  changeLanes(session: Session): boolean {
    const others = [...session.subscriptions.values()].filter(subscription => !isServed(subscription));
    const next = others.filter(({ state }) => state === 'live').slice(0, this.#options.resumedAtOnceMax);
    this.#begin(session, this.#make(session, next.map(wantedOf), true));
    return others.length === next.length;
  }

  /**
   * The socket has drained: losses of events are announced, states come anew as snapshots, then they are live. Some
   * topics at a time, so that the snapshots of many do not stall it again; it stays stalled until none is left (true).
   */
  resume(session: Session): boolean {
    const paused = [...session.subscriptions.values()].filter(subscription => subscription.state === 'paused');
    const next = paused.slice(0, this.#options.resumedAtOnceMax);
    const isLast = paused.length === next.length;
    if (isLast) session.isStalled = false;
    // Should it stall once more, those that were not live yet come first.
    moveToEnd(session, next);
    const others = next.filter(subscription => !isServed(subscription)).map(wantedOf);
    this.#begin(session, [...next.filter(isServed), ...this.#make(session, others, true)]);
    if (!session.isStalled) this.resumptions.drained(session);
    return isLast;
  }

  /** The answer to a lane's request has come; `part` is undefined for event lanes. */
  answered(entry: LaneEntry, part: Part | undefined): void {
    entry.setPart(part);
    if (entry.isBroken) {
      entry.repair();
      if (part !== undefined && part.bytes.length > 0) this.#outbox.publishPart(entry, part);
      this.#outbox.publishStale(entry);
    }
    const waiting = [...entry.waiting];
    entry.waiting.clear();
    for (const subscription of waiting) this.#deliver(subscription, part);
    entry.becameLive(true);
  }

  /** The hub cannot serve the lane. Those that wait for it end. */
  refused(entry: LaneEntry): void {
    this.#table.requests.settled(entry.request);
    const ended = new Set([...entry.waiting, ...entry.behind, ...entry.held, ...entry.recovering]);
    for (const subscription of ended) this.#refuse(subscription);
    entry.becameLive(false);
  }

  /** Frames of this lane were missed: nothing is published until a new answer repairs the chain. */
  broken(entry: LaneEntry): void {
    if (this.#table.endLingering(entry)) return;
    entry.break();
    this.#table.requests.askAgain(entry);
    awaitRepair(entry);
    this.resumptions.broken(entry);
    for (const subscription of this.#quotes.restart(entry)) this.#await(subscription);
  }

  /** A delta is about to be published: those that hold their part get it behind the snapshot. @param tag of the epoch of `seq` */
  queueForHeld(entry: LaneEntry, bytes: Uint8Array, seq: number, tag: number): void {
    const copy = bytes.slice();
    for (const subscription of [...entry.held]) {
      if (this.resumptions.isRecovering(subscription)) this.resumptions.queue(subscription, copy, seq, tag);
      this.#quotes.queueBehind(subscription, copy);
    }
  }

  /** Makes subscriptions in the place of those that the session has. @param keeps those on the same lane stay as they are */
  #make(session: Session, wanted: readonly Wanted[], keeps: boolean): Subscription[] {
    const made: Subscription[] = [];
    for (const { stream, symbol, lane } of wanted) {
      const entry = this.#table.acquire(stream, symbol, lane, session, session.pace.steps);
      const { topic } = entry;
      if (entry.isAllTrades) this.#charge.begin(session, entry);
      const present = session.subscriptions.get(topic);
      if (keeps && present?.entry === entry && present.asked === lane) {
        this.#table.release(entry, session.owner);
        continue;
      }
      const heldAt = present === undefined ? takeLeft(session, topic) : heldPlaceOf(present);
      if (present !== undefined) this.#remove(present);
      const subscription = new Subscription(session, lane, entry, heldAt);
      session.subscriptions.set(topic, subscription);
      made.push(subscription);
    }
    return made;
  }

  #begin(session: Session, subscriptions: readonly Subscription[], after?: object): void {
    const quotes = subscriptions.filter(subscription => subscription.stream === 'quotes');
    if (quotes.length > 0) this.#quotes.begin(session, quotes, after);
    else if (after !== undefined) this.#outbox.send(session, after);
    for (const subscription of subscriptions) this.#await(subscription);
  }

  /** Serves the subscription at once where the lane allows, else puts it among those that wait. */
  #await(subscription: Subscription): void {
    const { entry } = subscription;
    if (subscription.state !== 'live') subscription.moveTo('waiting');
    const isLive = entry.source >= 0 && !entry.isBroken;
    if (isLive && (!entry.isState || entry.part !== undefined)) {
      this.#deliver(subscription, entry.part);
      return;
    }
    // A lane that is known is said to be subscribed at once.
    if (!entry.isState && entry.source >= 0) this.#losses.remember(subscription, 0);
    entry.waiting.add(subscription);
    // An answer that is on its way may stand in the ring before this subscription began: it is as good, as the chain
    // goes on from it.
    if (this.#table.ask(entry, subscription.session, subscription.heldAt)) subscription.setAskedHeld(true);
  }

  /** A frame of a state lane was published: those who held more than it may go on. */
  advanced(entry: LaneEntry): void {
    for (const subscription of takeCaughtUp(entry)) this.#await(subscription);
  }

  #deliver(subscription: Subscription, part: Part | undefined): void {
    const { session, entry } = subscription;
    if (session.socket === undefined || subscription.state === 'paused') return;
    if (this.resumptions.isRecovering(subscription)) return;
    if (part !== undefined && subscription.state !== 'live' && isOlder(part, subscription.heldAt)) {
      awaitNewer(this.#table, subscription);
      return;
    }
    if (this.#quotes.take(subscription, part ?? NO_DATA)) return;
    // A dropped snapshot leaves the subscription waiting: the drop suspends the session, and its resumption begins anew.
    if (part !== undefined && part.bytes.length > 0) {
      this.deliveries.charge(session, snapshotUnits(part.bytes.length));
      if (!this.#outbox.sendPart(session, entry, part)) return;
    }
    if (!this.#outbox.sendStale(session, entry)) return;
    if (subscription.stream === 'trades') this.trades.mergeIntoSingle(subscription);
    // Only a live lane knows what went by meanwhile.
    this.trades.announce(subscription);
    this.#goLive(subscription);
  }

  #goLive(subscription: Subscription): void {
    subscription.moveTo('live');
    if (subscription.topic === ALL_TRADES) {
      for (const single of singleTradesOf(subscription.session)) {
        if (this.resumptions.cover(single)) single.moveTo('live');
      }
      this.trades.cover(subscription);
      this.trades.settle(subscription.session);
      return;
    }
    this.#native.set(subscription, subscription.stream !== 'trades' || !hasAllTrades(subscription.session));
  }

  #pause(subscription: Subscription, turn: number): void {
    if (subscription.state === 'paused') return;
    const { entry, state } = subscription;
    const isRecovering = this.resumptions.isRecovering(subscription);
    subscription.holdAt(heldPlaceOf(subscription));
    subscription.setAskedHeld(false);
    const wasNative = subscription.wasNativeIn(turn);
    if (!entry.isState && wasNative) this.#losses.remember(subscription, turn);
    this.#native.set(subscription, false);
    this.resumptions.pause(subscription);
    subscription.leaveView();
    this.#quotes.abandon(subscription);
    subscription.moveTo('paused');
    if (entry.source < 0) {
      const mayRemember = () => !this.resumptions.isRecovering(subscription);
      this.#losses.rememberWhenLive(subscription, mayRemember, () => this.#refuse(subscription));
    } else if (!entry.isState && state === 'waiting' && !isRecovering) {
      this.#losses.remember(subscription, 0);
    }
  }

  #refuse(subscription: Subscription): void {
    const { session, topic } = subscription;
    this.#remove(subscription);
    const refusal = { code: 'too_many_subscriptions', message: `not served here: ${topic}`, topics: [topic] };
    this.#outbox.send(session, { type: 'error', ...refusal });
  }

  #remove(subscription: Subscription): void {
    const { session, entry } = subscription;
    session.subscriptions.delete(subscription.topic);
    this.#native.set(subscription, false);
    this.resumptions.drop(subscription);
    subscription.leaveView();
    this.trades.mergeIntoAll(subscription);
    this.#table.release(entry, session.owner);
    this.#quotes.leave(subscription);
  }
}
