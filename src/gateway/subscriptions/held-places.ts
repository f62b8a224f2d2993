/** Up to where a session was sent its state topics: whatever lane serves them next, it never runs back within an epoch. */

import { BoundedMap } from '../../protocol/bounded-map.js';
import type { LaneEntry, Session, Subscription } from '../model/session.js';
import type { HeldPlace, LaneTable } from '../views/views.js';

/** Topics that a session left and whose places are remembered; the oldest are forgotten first. */
export const LEFT_TOPICS_MAX = 128;

/** Never too low: what the lane published last counts as sent. */
export function heldPlaceOf({ entry, state, heldAt }: Subscription): HeldPlace | undefined {
  if (!entry.isState || state !== 'live' || entry.epoch === '') return heldAt;
  return { epoch: entry.epoch, seq: entry.lastSeq };
}

/** True for a document, or a lane, that is older than what is held. */
export function isOlder({ epoch, seq }: HeldPlace, held: HeldPlace | undefined): boolean {
  return held !== undefined && held.epoch === epoch && seq < held.seq;
}

/** The session leaves the topic, and may come back to it. */
export function noteLeft(session: Session, subscription: Subscription): void {
  const held = heldPlaceOf(subscription);
  if (held === undefined) return;
  session.left ??= new BoundedMap(LEFT_TOPICS_MAX);
  session.left.set(subscription.topic, held);
}

/** Where it left the topic; forgotten with that. */
export function takeLeft(session: Session, topic: string): HeldPlace | undefined {
  const held = session.left?.get(topic);
  session.left?.delete(topic);
  return held;
}

/** The lane is behind what the session holds: it is asked to get there, and waited for. */
export function awaitNewer(table: LaneTable, subscription: Subscription): void {
  const { entry, heldAt, session } = subscription;
  if (entry.request === 0 && subscription.hasAskedHeld) {
    entry.behind.add(subscription);
    return;
  }
  entry.waiting.add(subscription);
  if (table.ask(entry, session, heldAt)) subscription.setAskedHeld(true);
}

/** Those whose lane has got to where they were. */
export function takeCaughtUp(entry: LaneEntry): Subscription[] {
  const place = { epoch: entry.epoch, seq: entry.lastSeq };
  const caughtUp = [...entry.behind].filter(({ heldAt }) => !isOlder(place, heldAt));
  for (const subscription of caughtUp) entry.behind.delete(subscription);
  return caughtUp;
}

/** Frames of the lane were missed: they wait for the answer that repairs it. */
export function awaitRepair(entry: LaneEntry): void {
  for (const subscription of entry.behind) entry.waiting.add(subscription);
  entry.behind.clear();
}
