/**
 * Pauses topics whose socket cannot take more, so that nothing is queued for it. The ladder (slow-consumers/ladder.ts)
 * decides when they pause and when they resume.
 */
import type { Gaps } from '../events/gaps.js';
import type { Recoveries } from '../events/recovery.js';
import type { NotServed, Session, Subscription } from '../model/session.js';
import type { NativeTopics } from '../views/native-topics.js';
import type { QuoteSnapshots } from './quote-snapshots.js';
import { sentPositionOf } from './sent-positions.js';

export interface PausingOptions {
  readonly losses: Gaps;
  readonly native: NativeTopics;
  readonly quotes: QuoteSnapshots;
  readonly recoveries: Recoveries;
  /** Ends a paused subscription whose view the hub cannot serve. */
  readonly refuse: (subscription: Subscription, code: NotServed) => void;
  /** How many topics of one socket resume together. */
  readonly resumedAtOnceMax: number;
}

export class Pausing {
  readonly #options: PausingOptions;

  constructor(options: PausingOptions) {
    this.#options = options;
  }

  /** @param turn the turn in which uWS dropped something for the socket; 0 when nothing is lost yet */
  pauseAll(session: Session, turn: number): void {
    for (const subscription of session.subscriptions.values()) {
      // A paused topic may have lost more than was recorded.
      if (subscription.sentSeqs !== undefined) this.#options.losses.remember(subscription, turn);
      this.pause(subscription, turn);
    }
  }

  /** Pauses state topics only; events continue. */
  pauseStates(session: Session): void {
    for (const subscription of session.subscriptions.values()) {
      if (subscription.view.isState) this.pause(subscription, 0);
    }
  }

  pause(subscription: Subscription, turn: number): void {
    if (subscription.state === 'paused') return;
    const { losses, native, quotes, recoveries, refuse } = this.#options;
    const { view, state } = subscription;
    const isRecovering = recoveries.isRecovering(subscription);
    subscription.recordSentUpTo(sentPositionOf(subscription));
    subscription.setAskedCatchUp(false);
    const wasNative = subscription.wasNativeIn(turn);
    if (!view.isState && wasNative) losses.remember(subscription, turn);
    native.set(subscription, false);
    recoveries.pause(subscription);
    subscription.leaveView();
    quotes.abandon(subscription);
    subscription.moveTo('paused');
    if (view.source < 0) {
      const mayRemember = () => !recoveries.isRecovering(subscription);
      losses.rememberWhenLive(subscription, mayRemember, code => refuse(subscription, code));
    } else if (!view.isState && state === 'waiting' && !isRecovering) {
      losses.remember(subscription, 0);
    }
  }

  /**
   * The topics to resume next: a few at a time, so that many snapshots do not stall the socket again. If it does
   * stall, those that were not live yet come first.
   * @returns `isLast`: no other topic is paused
   */
  takeNext({ subscriptions }: Session): { readonly next: readonly Subscription[]; readonly isLast: boolean } {
    const paused = [...subscriptions.values()].filter(({ state }) => state === 'paused');
    const next = paused.slice(0, this.#options.resumedAtOnceMax);
    subscriptions.moveToEnd(next);
    return { next, isLast: paused.length === next.length };
  }
}
