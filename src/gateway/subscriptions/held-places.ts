/**
 * Remembers how far a session was sent its state topics: whichever view serves them next must not go back within an
 * epoch.
 */

import { BoundedMap } from '../../protocol/bounded-map.js';
import type { StreamPosition } from '../../protocol/stream-position.js';
import type { Session, Subscription, View } from '../model/session.js';
import type { Views } from '../views/views.js';

/** Maximum topics a session left whose positions are remembered; the oldest are evicted first. */
export const LEFT_TOPICS_MAX = 128;

/** Never too low: the last message the view published counts as sent. */
export function heldPlaceOf({ view, state, heldAt }: Subscription): StreamPosition | undefined {
  if (!view.isState || state !== 'live' || view.epoch === '') return heldAt;
  return { epoch: view.epoch, seq: view.lastSeq };
}

/** True for a document or view that is older than what the session was sent. */
export function isOlder({ epoch, seq }: StreamPosition, held: StreamPosition | undefined): boolean {
  return held !== undefined && held.epoch === epoch && seq < held.seq;
}

/** The session leaves the topic and may return to it. */
export function noteLeft(session: Session, subscription: Subscription): void {
  const held = heldPlaceOf(subscription);
  if (held === undefined) return;
  session.left ??= new BoundedMap(LEFT_TOPICS_MAX);
  session.left.set(subscription.topic, held);
}

/** Takes the position at which it left the topic, and forgets it. */
export function takeLeft(session: Session, topic: string): StreamPosition | undefined {
  const held = session.left?.get(topic);
  session.left?.delete(topic);
  return held;
}

/** The view is behind what the session was sent: asks it to catch up, and waits. */
export function awaitNewer(table: Views, subscription: Subscription): void {
  const { view, heldAt, session } = subscription;
  if (view.request === 0 && subscription.hasAskedHeld) {
    view.behind.add(subscription);
    return;
  }
  view.waiting.add(subscription);
  if (table.ask(view, session, heldAt)) subscription.setAskedHeld(true);
}

/** Takes the subscriptions whose view has caught up with them. */
export function takeCaughtUp(view: View): Subscription[] {
  const place = { epoch: view.epoch, seq: view.lastSeq };
  const caughtUp = [...view.behind].filter(({ heldAt }) => !isOlder(place, heldAt));
  for (const subscription of caughtUp) view.behind.delete(subscription);
  return caughtUp;
}

/** The thread missed frames of the view: these subscriptions wait for the answer that repairs it. */
export function awaitRepair(view: View): void {
  for (const subscription of view.behind) view.waiting.add(subscription);
  view.behind.clear();
}
