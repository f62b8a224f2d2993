/** What the subscribers of a state source hold, per class and detail. */
import type { PendingTraces } from './frame-traces.js';
import { newVariantMasks, setWanted, type VariantMasks } from './variant-masks.js';

export interface Track<View> {
  readonly rateClass: number;
  readonly detail: number;
  readonly masks: VariantMasks;
  /** What this track's subscribers hold; undefined: nothing yet. */
  last: View | undefined;
  lastSeq: number;
  /** A subscriber from another track already holds the document up to here: this track's next send must reach it. */
  awaitedSeq: number;
  /** Times of the message that triggered the last send. */
  lastTsEventMicros: number;
  lastHubMicros: number;
  /** The next send must be a whole document because a new epoch has begun. */
  needsSnapshot: boolean;
  /** Its subscribers know that the source is held back. */
  isHoldTold: boolean;
  /** Traces of messages that its next send carries. */
  readonly traces: PendingTraces;
}

/** The worker that asked for a snapshot, while it is written. */
const requester = newVariantMasks();

/** The masks of one worker and lane, valid until the next call. */
export function requesterOf(lane: number, worker: number): VariantMasks {
  requester.fill(0);
  setWanted(requester, lane, worker, true);
  return requester;
}

/** A track of which no client holds anything. */
export const newTrack = (rateClass: number, detail: number): Track<never> => ({
  rateClass,
  detail,
  masks: newVariantMasks(),
  last: undefined,
  lastSeq: 0,
  awaitedSeq: 0,
  lastTsEventMicros: 0,
  lastHubMicros: 0,
  needsSnapshot: false,
  isHoldTold: false,
  traces: [],
});
