/**
 * Remembers how far a session was sent its state topics: whichever view serves them next must not go back within an
 * epoch.
 */

import type { StreamPosition } from '../../protocol/stream-position.js';
import type { Session, Subscription, View } from '../model/session.js';
import type { Views } from '../views/views.js';

/** Never too low: the last message the view published counts as sent. */
export function sentPositionOf({ view, state, sentUpTo }: Subscription): StreamPosition | undefined {
  if (!view.isState || state !== 'live' || view.epoch === '') return sentUpTo;
  return { epoch: view.epoch, seq: view.lastSeq };
}

/** True for a document or view that is older than what the session was sent. */
export function isOlder({ epoch, seq }: StreamPosition, sent: StreamPosition | undefined): boolean {
  return sent !== undefined && sent.epoch === epoch && seq < sent.seq;
}

/** True when the session certainly holds this document. */
export function isHeld({ epoch, seq }: StreamPosition, { state, sentUpTo, isSentExactly }: Subscription): boolean {
  return state !== 'live' && isSentExactly && sentUpTo?.epoch === epoch && sentUpTo.seq === seq;
}

/** The subscription takes the place of an earlier one of the same session and topic. */
export function continueFrom(earlier: Subscription, subscription: Subscription, nowMs: number): void {
  const isExact = earlier.state === 'paused' && earlier.asked === subscription.asked && earlier.isSentExactly;
  subscription.recordSentUpTo(sentPositionOf(earlier), isExact);
  subscription.recordUnsentSince(earlier.unsentSinceMs || Math.round(nowMs));
}

/** The session leaves the topic and may return to it. */
export function recordLeft(session: Session, subscription: Subscription): void {
  const sent = sentPositionOf(subscription);
  if (sent !== undefined) session.subscriptions.leave(subscription.topic, sent);
}

/** The view needs catch-up with what the session was sent: asks it to catch up, and waits. */
export function awaitCatchUp(views: Views, subscription: Subscription): void {
  const { view, sentUpTo, session } = subscription;
  if (view.request === 0 && subscription.hasAskedCatchUp) {
    view.awaitingCatchUp.add(subscription);
    return;
  }
  view.waiting.add(subscription);
  if (views.ask(view, session, sentUpTo)) subscription.setAskedCatchUp(true);
}

/** Takes the subscriptions whose view has caught up with them. */
export function takeCaughtUp(view: View): Subscription[] {
  const position = { epoch: view.epoch, seq: view.lastSeq };
  const caughtUp = [...view.awaitingCatchUp].filter(({ sentUpTo }) => !isOlder(position, sentUpTo));
  for (const subscription of caughtUp) view.awaitingCatchUp.delete(subscription);
  return caughtUp;
}

/** The thread missed frames of the view: these subscriptions wait for the answer that repairs it. */
export function awaitRepair(view: View): void {
  for (const subscription of view.awaitingCatchUp) view.waiting.add(subscription);
  view.awaitingCatchUp.clear();
}
