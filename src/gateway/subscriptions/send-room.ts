/** How much a session may be sent now. Beyond it, its state topics wait: their snapshots are newer when they are sent. */
import { detailOfLane, levelsOfDetail } from '../../threads/lanes.js';
import type { Session, Subscription } from '../model/session.js';
import type { Receipts } from '../sending/receipts.js';

export type Room = Pick<Receipts, 'begin' | 'hasRoom' | 'roomBytes' | 'delivered'>;

export const UNLIMITED_ROOM: Room = {
  begin() {},
  hasRoom: () => true,
  roomBytes: () => Number.POSITIVE_INFINITY,
  delivered() {},
};

/** Typical lengths of snapshots whose length is not known yet: of a quote or a best level, and of a level of a book. */
const DOCUMENT_BYTES = 256;
const LEVEL_BYTES = 28;

/** What its snapshot takes, about; nothing for an event topic. */
function snapshotBytes({ view }: Subscription): number {
  if (!view.isState) return 0;
  if (view.part !== undefined) return view.part.bytes.length;
  return view.stream === 'depth' ? 2 * LEVEL_BYTES * levelsOfDetail(detailOfLane(view.lane)) : DOCUMENT_BYTES;
}

/** About what the session awaits already. */
export function awaitedBytes({ subscriptions }: Session): number {
  let bytes = 0;
  for (const subscription of subscriptions.values()) {
    const { state } = subscription;
    if (state === 'waiting' || state === 'buffering') bytes += snapshotBytes(subscription);
  }
  return bytes;
}

/**
 * Those of `subscriptions`, in order, whose snapshots fit; the last one may exceed the room. Event topics always fit.
 */
export function fitting(
  subscriptions: readonly Subscription[],
  roomBytes: number,
  countMax = Number.POSITIVE_INFINITY,
): Subscription[] {
  let leftBytes = roomBytes;
  const fit: Subscription[] = [];
  for (const subscription of subscriptions) {
    if (fit.length === countMax) break;
    if (subscription.view.isState && leftBytes <= 0) continue;
    leftBytes -= snapshotBytes(subscription);
    fit.push(subscription);
  }
  return fit;
}
