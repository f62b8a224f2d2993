/** What the subscribers of a state source hold, by class and detail. */
import { newVariantMasks, setWanted, type VariantMasks } from './variant-masks.js';

export interface Track<View> {
  readonly rateClass: number;
  readonly detail: number;
  readonly masks: VariantMasks;
  /** What this track's subscribers hold; undefined: nothing yet. */
  last: View | undefined;
  lastSeq: number;
  /** Who asked for the document holds it up to here, from another track: this one has to get there with its next send. */
  awaitedSeq: number;
  /** Times of the message that it was sent for. */
  lastTsEventMicros: number;
  lastHubMicros: number;
  /** The next send must be a whole document: the epoch is a new one. */
  needsSnapshot: boolean;
  /** Its subscribers know that the source is held back. */
  isHoldTold: boolean;
}

/** Who has asked for a snapshot, while it is written. */
const requester = newVariantMasks();

/** The masks of one worker and lane, valid until the next call. */
export function requesterOf(lane: number, worker: number): VariantMasks {
  requester.fill(0);
  setWanted(requester, lane, worker, true);
  return requester;
}

/** No client holds anything of it. */
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
});
