/**
 * Pauses topics whose socket cannot take more, so that nothing is queued for it. The ladder (slow-consumers/ladder.ts)
 * decides when they pause and when they resume; state topics whose snapshot does not fit pause by themselves.
 */
import type { Gaps } from '../events/gaps.js';
import type { Recoveries } from '../events/recovery.js';
import type { DeliveryJournal, EndReason } from '../journal/delivery-journal.js';
import type { NotServed, Session, Subscription } from '../model/session.js';
import type { NativeTopics } from '../views/native-topics.js';
import type { QuoteSnapshots } from './quote-snapshots.js';
import { awaitedBytes, fitting, type Room } from './send-room.js';
import { sentPositionOf } from './sent-positions.js';

interface PausingOptions {
  readonly gaps: Gaps;
  readonly native: NativeTopics;
  readonly quotes: QuoteSnapshots;
  readonly recoveries: Recoveries;
  /** Ends a paused subscription whose view the hub cannot serve. */
  readonly refuse: (subscription: Subscription, why: NotServed) => void;
  readonly room: Room;
  /** Sockets that the ladder samples: those with paused state topics are added. */
  readonly sampled: Set<Session>;
  /** How many topics of one socket resume together. */
  readonly resumedAtOnceMax: number;
  readonly nowMs: () => number;
  readonly journal: DeliveryJournal | undefined;
}

export class Pausing {
  readonly #options: PausingOptions;

  constructor(options: PausingOptions) {
    this.#options = options;
  }

  /** @param turn the turn in which uWS dropped something for the socket; 0 when nothing is lost yet */
  pauseAll(session: Session, turn: number): void {
    session.flow.endPauseOfStates();
    this.#options.journal?.dropped(session, turn);
    for (const subscription of session.subscriptions.values()) {
      // A paused topic may have lost more than was recorded.
      if (subscription.sentSeqs !== undefined) this.#options.gaps.remember(subscription, turn);
      if (subscription.view.isState) subscription.recordSentUpTo(subscription.sentUpTo);
      this.pause(subscription, turn);
    }
  }

  /**
   * Pauses state topics only; events continue.
   * @param isExact everything published so far has been handed to the socket
   */
  pauseStates(session: Session, isExact: boolean): void {
    session.flow.pauseStates(this.#options.nowMs());
    this.#options.sampled.add(session);
    for (const subscription of session.subscriptions.values()) {
      if (subscription.view.isState) this.pause(subscription, 0, isExact);
    }
  }

  /** A state topic's snapshot does not fit. */
  pauseForRoom(subscription: Subscription): void {
    const { session } = subscription;
    session.flow.pauseStates(this.#options.nowMs());
    this.#options.sampled.add(session);
    // The other quotes of the same snapshot no longer wait for it.
    this.#options.quotes.leave(subscription);
    this.pause(subscription, 0, false, 'no_room');
  }

  /** Of these new subscriptions, pauses the state topics whose snapshots do not fit. */
  pauseBeyondRoom(session: Session, added: readonly Subscription[]): void {
    const { room } = this.#options;
    const states = added.filter(({ view, state }) => view.isState && state !== 'paused');
    if (states.length === 0) return;
    room.begin(session);
    // What was begun before is not counted here; if it does not leave enough room, they pause when their parts come.
    const fit = new Set(fitting(states, room.roomBytes(session)));
    for (const subscription of states) if (!fit.has(subscription)) this.pauseForRoom(subscription);
  }

  /**
   * @param turn the turn in which uWS dropped something for the socket; 0 when nothing is lost yet
   * @param isExact everything published so far has been handed to the socket
   */
  pause(subscription: Subscription, turn: number, isExact = false, reason: EndReason = 'slow_consumer'): void {
    if (subscription.state === 'paused') return;
    const { gaps, native, quotes, recoveries, refuse } = this.#options;
    const { view, state } = subscription;
    const isRecovering = recoveries.isRecovering(subscription);
    const isStillExact = state === 'live' ? isExact : subscription.isSentExactly;
    subscription.recordSentUpTo(sentPositionOf(subscription), isStillExact);
    // A small integer takes no memory of its own.
    if (view.isState) subscription.recordUnsentSince(Math.round(this.#options.nowMs()));
    subscription.setAskedCatchUp(false);
    const wasNative = subscription.wasNativeIn(turn);
    if (!view.isState && wasNative) gaps.remember(subscription, turn);
    native.set(subscription, false, turn > 0 ? 'dropped' : reason, turn);
    recoveries.pause(subscription);
    subscription.leaveView();
    quotes.abandon(subscription);
    subscription.moveTo('paused');
    if (view.source < 0) {
      const mayRemember = () => !recoveries.isRecovering(subscription);
      gaps.rememberWhenLive(subscription, mayRemember, why => refuse(subscription, why));
    } else if (!view.isState && state === 'waiting' && !isRecovering) {
      gaps.remember(subscription, 0);
    }
  }

  /**
   * The topics to resume next: as many as there is room for, so that their snapshots do not stall the socket again. If
   * it does stall, those that were not live yet come first.
   * @returns `isLast`: no other topic is paused
   */
  takeNext(session: Session): { readonly next: readonly Subscription[]; readonly isLast: boolean } {
    const { subscriptions } = session;
    const { room, resumedAtOnceMax } = this.#options;
    const paused = [...subscriptions.values()].filter(({ state }) => state === 'paused');
    const next = fitting(paused, room.roomBytes(session) - awaitedBytes(session), resumedAtOnceMax);
    subscriptions.moveToEnd(next);
    const isLast = paused.length === next.length;
    if (isLast) session.flow.endPauseOfStates();
    return { next, isLast };
  }
}
