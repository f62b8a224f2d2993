/**
 * Keeps every topic of every socket on an unbroken chain: a snapshot, then exactly the deltas that follow it.
 *
 * A view's snapshot comes through the same ring as its deltas, so its position among them is exact: it includes
 * everything before it, and everything after it follows it. The socket is subscribed natively at that exact position.
 */
import { snapshotUnits } from '../../protocol/costs.js';
import type { StreamPosition } from '../../protocol/stream-position.js';
import { STREAMS, type Stream, topicOf } from '../../protocol/topics.js';
import type { Gaps } from '../events/gaps.js';
import { Recoveries, type Resumption } from '../events/recovery.js';
import { ALL_TRADES, isCovered, TradesCoverage } from '../events/trades-coverage.js';
import type { EndReason } from '../journal/delivery-journal.js';
import {
  hasPausedStates,
  isServed,
  mustWait,
  type NotServed,
  type RequestedTopic,
  requestedOf,
  type Session,
  type Subscription,
} from '../model/session.js';
import { Deliveries } from '../sending/deliveries.js';
import type { Outbox } from '../sending/outbox.js';
import { NativeTopics } from '../views/native-topics.js';
import { NO_DATA, type Part, type Views } from '../views/views.js';
import { EventStarts } from './event-starts.js';
import { Making } from './making.js';
import { Pausing } from './pausing.js';
import { QuoteSnapshots } from './quote-snapshots.js';
import { awaitedBytes, fitting, type Room, UNLIMITED_ROOM } from './send-room.js';
import { awaitCatchUp, isHeld, isOlder, recordLeft } from './sent-positions.js';
import { RESUMED_AT_ONCE_MAX, type SubscriptionsOptions } from './subscriptions-options.js';
import { TradesCharges } from './trades-charges.js';
import { ViewChanges } from './view-changes.js';

export class Subscriptions {
  /** Current ones, by stream. */
  readonly counts: Record<Stream, number>;
  readonly #views: Views;
  readonly #outbox: Outbox;
  readonly #gaps: Gaps;
  readonly #native: NativeTopics;
  readonly #options: SubscriptionsOptions & { readonly resumedAtOnceMax: number };
  readonly #quotes: QuoteSnapshots;
  readonly #room: Room;
  /** Event topics whose command is not answered yet. */
  readonly #starts: EventStarts;
  /** Which trades subscriptions deliver for which others. */
  readonly trades: TradesCoverage;
  readonly #charge: TradesCharges;
  readonly #making: Making;
  /** Snapshots and missed messages waiting for their turn. */
  readonly deliveries: Deliveries;
  /** Clients that return to event topics. */
  readonly recoveries: Recoveries;
  /** Topics of sockets that cannot take more. */
  readonly pausing: Pausing;
  /** What happens to the views of all these topics. */
  readonly viewChanges: ViewChanges;

  constructor(options: SubscriptionsOptions) {
    this.counts = Object.fromEntries(STREAMS.map(stream => [stream, 0])) as Record<Stream, number>;
    this.#options = { resumedAtOnceMax: RESUMED_AT_ONCE_MAX, ...options };
    this.#views = options.views;
    this.#outbox = options.outbox;
    this.#gaps = options.gaps;
    this.#room = options.room ?? UNLIMITED_ROOM;
    const { journal } = options.outbox;
    this.#native = new NativeTopics(options.turn, journal);
    this.trades = new TradesCoverage(options.gaps, this.#native);
    this.deliveries = new Deliveries(options.wake, options.deliveredBytesMax, options.charge);
    this.#charge = new TradesCharges(this.deliveries.charge, options.tradesSymbols);
    this.#making = new Making({
      ...{ views: options.views, charge: this.#charge, counts: this.counts, nowMs: options.nowMs, journal },
      replace: earlier => this.#leave(earlier, 'moved'),
    });
    this.#quotes = new QuoteSnapshots({
      outbox: options.outbox,
      deliveries: this.deliveries,
      native: this.#native,
      assemblyBytesMax: options.assemblyBytesMax,
      hasRoom: session => this.#room.hasRoom(session),
      pause: subscription => this.pausing.pauseForRoom(subscription),
      goLive: subscription => this.#goLive(subscription),
    });
    this.recoveries = new Recoveries({
      views: options.views,
      outbox: options.outbox,
      deliveries: this.deliveries,
      replayKeptBytesMin: options.replayKeptBytesMin,
      reserve: options.reserve,
      bufferedBytesMax: options.bufferedBytesMax,
      isCovered,
      // All missed messages, and those published during the replay, have been sent; announce any that were too many.
      goLive: subscription => {
        this.trades.announce(subscription);
        this.#goLive(subscription);
      },
      continueWithView: subscription => {
        // For a view that never answered, everything is lost until it does.
        if (subscription.view.source < 0) this.#gaps.rememberNothingSent(subscription);
        this.#await(subscription);
      },
    });
    this.#starts = new EventStarts({ refuse: (subscription, why) => this.#refuse(subscription, why) });
    this.pausing = new Pausing({
      gaps: options.gaps,
      native: this.#native,
      quotes: this.#quotes,
      recoveries: this.recoveries,
      refuse: (subscription, why) => this.#refuse(subscription, why),
      room: this.#room,
      sampled: options.outbox.buffered,
      resumedAtOnceMax: this.#options.resumedAtOnceMax,
      nowMs: options.nowMs,
      journal,
    });
    this.viewChanges = new ViewChanges({
      ...options,
      quotes: this.#quotes,
      recoveries: this.recoveries,
      deliver: (subscription, part) => this.#deliver(subscription, part),
      restart: subscription => this.#await(subscription),
      refuse: (subscription, why) => this.#refuse(subscription, why),
    });
  }

  /**
   * Subscribes the session. A topic it already has on the same view stays as it is; on another view, it changes over.
   * Quotes requested together come in one snapshot, followed by `after`. State topics whose snapshots do not fit now
   * follow as the socket drains.
   */
  subscribe(session: Session, requested: readonly RequestedTopic[], after: readonly object[] = []): void {
    const added = this.#making.make(session, requested, true);
    for (const subscription of added) if (mustWait(subscription)) this.pausing.pause(subscription, 0);
    if (session.isSuspended) return;
    this.pausing.pauseBeyondRoom(session, added);
    const begun = added.filter(({ state }) => state !== 'paused');
    this.#begin(session, begun, after);
  }

  /**
   * Subscribes the session to event topics. They begin together, once all their views are live or refused.
   * @param answer answers the command: no message of a new topic is sent before, and none is left out after it
   */
  subscribeEvents(session: Session, requested: readonly RequestedTopic[], answer: () => void): void {
    const topics = requested.map(({ stream, symbol }) => topicOf(stream, symbol));
    const added = this.#making.make(session, requested, true);
    this.#starts.begin(session, topics, added, () => {
      answer();
      // Events that were published before the answer are not part of what it promises.
      for (const subscription of added) subscription.takeSent();
      this.#start(added);
    });
    this.#start(added.filter(subscription => this.#starts.isPending(subscription)));
  }

  /**
   * Subscribes the session to event topics from the first message after `since`. A topic it already has restarts
   * there.
   */
  resumeFrom(
    session: Session,
    requested: readonly RequestedTopic[],
    since: StreamPosition,
    answer: Resumption['answer'],
    onHeld: Resumption['onHeld'],
  ): void {
    const begun = this.#making.make(session, requested, false);
    for (const { topic } of begun) this.#outbox.journal?.resumed(session, topic, since);
    this.recoveries.begin(session, begun, since, answer, onHeld);
    if (!session.isSuspended) return;
    for (const subscription of begun) this.pausing.pause(subscription, 0);
  }

  /** Ends a subscription; false when there was none. */
  unsubscribe(session: Session, topic: string): boolean {
    const subscription = session.subscriptions.get(topic);
    if (subscription === undefined) return false;
    if (topic === ALL_TRADES) this.#charge.end(session);
    const singles = topic === ALL_TRADES ? this.trades.uncover(subscription) : [];
    recordLeft(session, subscription);
    this.#leave(subscription);
    this.#outbox.journal?.unsubscribed(session, topic);
    for (const single of singles) this.#await(single);
    if (subscription.topic === ALL_TRADES) this.trades.settle(session);
    return true;
  }

  /**
   * Sends fresh snapshots of state topics, with quotes in one frame. A topic that already awaits a snapshot gets that
   * one; event topics get none.
   * @returns the topics that the session is not subscribed to
   */
  resync(session: Session, topics: readonly string[]): string[] {
    const again = new Set<Subscription>();
    const missing: string[] = [];
    for (const topic of topics) {
      const subscription = session.subscriptions.get(topic);
      if (subscription === undefined) missing.push(topic);
      else if (this.#quotes.hasSnapshot(subscription)) again.add(subscription);
      // It may have lost what it was sent.
      else subscription.recordSentUpTo(subscription.sentUpTo);
    }
    this.#begin(session, [...again]);
    return missing;
  }

  /** The socket is closed; uWS has dropped its native subscriptions. */
  closed(session: Session): void {
    session.close();
    for (const subscription of session.subscriptions.values()) this.#remove(subscription);
  }

  /**
   * Moves some state topics, `countMax` at most, by snapshot to the views that now serve the session. True when none are
   * left to move.
   */
  changeViews(session: Session, countMax: number): boolean {
    const others = [...session.subscriptions.values()].filter(subscription => !isServed(subscription));
    const live = others.filter(({ state }) => state === 'live');
    const roomBytes = this.#room.roomBytes(session) - awaitedBytes(session);
    const next = fitting(live, roomBytes, Math.min(countMax, this.#options.resumedAtOnceMax));
    this.#begin(session, this.#making.make(session, next.map(requestedOf), true));
    return others.length === next.length;
  }

  /**
   * The socket has drained: of these paused topics, announces lost events, sends state topics as snapshots, and makes
   * them live.
   */
  resume(session: Session, paused: readonly Subscription[]): void {
    const others = paused.filter(subscription => !isServed(subscription)).map(requestedOf);
    this.#begin(session, [...paused.filter(isServed), ...this.#making.make(session, others, true)]);
    if (!session.isSuspended) this.recoveries.drained(session);
  }

  /** Begins those of these event topics that are still subscribed. */
  #start(subscriptions: readonly Subscription[]): void {
    for (const subscription of subscriptions) {
      const { session, topic, state } = subscription;
      if (session.subscriptions.get(topic) !== subscription) continue;
      if (state === 'paused') this.#gaps.remember(subscription, 0);
      else if (mustWait(subscription)) this.pausing.pause(subscription, 0);
      else this.#await(subscription);
    }
  }

  #begin(session: Session, subscriptions: readonly Subscription[], after: readonly object[] = []): void {
    const quotes = subscriptions.filter(subscription => subscription.stream === 'quotes');
    if (quotes.length > 0) this.#quotes.begin(session, quotes, after);
    else for (const frame of after) this.#outbox.send(session, frame);
    for (const subscription of subscriptions) this.#await(subscription);
  }

  /** Serves the subscription at once if the view allows it; otherwise makes it wait. */
  #await(subscription: Subscription): void {
    const { view } = subscription;
    if (subscription.state !== 'live') subscription.moveTo('waiting');
    const isLive = view.source >= 0 && !view.isBroken;
    if (isLive && (!view.isState || view.part !== undefined)) {
      this.#deliver(subscription, view.part);
      return;
    }
    // A known view counts as subscribed at once.
    if (!view.isState && view.source >= 0) this.#gaps.remember(subscription, 0);
    view.waiting.add(subscription);
    // An answer in transit may be in the ring from before this subscription began. It is just as good: the chain
    // continues from it.
    if (this.#views.ask(view, subscription.session, subscription.sentUpTo)) subscription.setAskedCatchUp(true);
  }

  #deliver(subscription: Subscription, part: Part | undefined): void {
    const { session, view } = subscription;
    if (session.socket === undefined || subscription.state === 'paused') return;
    if (this.recoveries.isRecovering(subscription) || this.#starts.isPending(subscription)) return;
    if (part !== undefined && subscription.state !== 'live' && isOlder(part, subscription.sentUpTo)) {
      awaitCatchUp(this.#views, subscription);
      return;
    }
    if (part !== undefined && isHeld(part, subscription)) this.#quotes.leave(subscription);
    else if (!this.#sendPart(subscription, part ?? NO_DATA)) return;
    if (!this.#outbox.sendStale(session, view)) return;
    if (subscription.stream === 'trades') this.trades.mergeIntoSingle(subscription);
    // Only a live view knows what was published before.
    this.trades.announce(subscription);
    this.#goLive(subscription);
  }

  /** False when it is not sent now. */
  #sendPart(subscription: Subscription, part: Part): boolean {
    const { session, view } = subscription;
    const bytes = part.bytes.length;
    if (bytes > 0 && !this.#room.hasRoom(session)) {
      this.pausing.pauseForRoom(subscription);
      return false;
    }
    if (this.#quotes.take(subscription, part)) return false;
    if (bytes === 0) return true;
    this.deliveries.charge(session, snapshotUnits(bytes));
    // If it is dropped, the subscription keeps waiting: the drop suspends the session, and resuming starts it again.
    return this.#outbox.sendPart(session, view, part);
  }

  #goLive(subscription: Subscription): void {
    subscription.moveTo('live');
    const { session, view } = subscription;
    if (view.isState && hasPausedStates(session)) this.#room.delivered(session);
    this.trades.begin(subscription, single => this.recoveries.cover(single));
  }

  #refuse(subscription: Subscription, why: NotServed): void {
    const { session, topic } = subscription;
    this.#remove(subscription);
    this.#outbox.journal?.unsubscribed(session, topic);
    const code = why === 'unavailable' ? why : 'too_many_subscriptions';
    const message = why === 'share' ? 'your share of topics is used up' : 'not available here';
    this.#outbox.send(session, { type: 'error', code, message: `${message}: ${topic}`, topics: [topic] });
  }

  /** The client no longer wants it, or wants it otherwise: a command that still resumes it is answered before it ends. */
  #leave(subscription: Subscription, reason?: EndReason): void {
    this.recoveries.drop(subscription);
    this.#remove(subscription, reason);
  }

  #remove(subscription: Subscription, reason: EndReason = 'ended'): void {
    const { session, view } = subscription;
    session.subscriptions.delete(subscription);
    this.counts[subscription.stream]--;
    this.#native.set(subscription, false, reason);
    this.recoveries.drop(subscription);
    this.#starts.drop(subscription);
    subscription.leaveView();
    this.trades.mergeIntoAll(subscription);
    this.#views.release(view, session.owner);
    this.#quotes.leave(subscription);
  }
}
