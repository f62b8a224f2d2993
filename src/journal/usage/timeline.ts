/**
 * The times of a chain whose system clock was set back. Records stand in the order of writing, but then their times contradict it. The
 * timeline believes as many minutes as possible that are in order, and moves the records of the others to the nearest time between
 * those around them: a gateway that started with a wrong clock, or an hour that happened twice, costs no other use.
 */
import { MINUTES_MAX, refuseBeyond } from './usage-bounds.js';

/** Batches of several threads overlap by this much at most; the clock was set back if times differ by more. */
export const OVERLAP_MICROS = 60_000_000;
const MINUTE_MICROS = 60_000_000;

/** When a record counts. */
interface Moment {
  readonly micros: number;
  /** Its own time contradicts its place. */
  readonly isMoved: boolean;
}

/** Divides a chain into pieces: a minute each, and less where the clock is set back. */
class Pieces {
  newest = Number.NEGATIVE_INFINITY;
  /** The piece of the last record. */
  at = -1;

  /** @returns true if the record begins another piece */
  take(micros: number): boolean {
    const isSetBack = micros < this.newest - OVERLAP_MICROS;
    const isLater = Math.floor(micros / MINUTE_MICROS) > Math.floor(this.newest / MINUTE_MICROS);
    if (isSetBack || isLater) this.at++;
    this.newest = isSetBack ? micros : Math.max(this.newest, micros);
    return isSetBack || isLater;
  }
}

export class Timeline {
  readonly #pieces = new Pieces();
  /** When each piece begins. */
  readonly #begins: number[] = [];
  /** From which time to which the clock was set back. */
  readonly #steps: { readonly from: number; readonly to: number }[] = [];

  /** Takes the next record of the chain. */
  note(micros: number): void {
    const { newest } = this.#pieces;
    if (!this.#pieces.take(micros)) return;
    if (micros < newest) this.#steps.push({ from: newest, to: micros });
    this.#begins.push(micros);
    refuseBeyond(this.#begins.length, MINUTES_MAX, 'minutes');
  }

  get isInOrder(): boolean {
    return this.#steps.length === 0;
  }

  /** How many times the clock was set back to or from a time in a period. */
  stepsIn({ fromMicros, toMicros }: { readonly fromMicros: number; readonly toMicros: number }): number {
    const isIn = (micros: number): boolean => micros >= fromMicros && micros < toMicros;
    return this.#steps.filter(({ from, to }) => isIn(from) || isIn(to)).length;
  }

  /** After the last `note`. @returns tells when each record counts; give it all records again, from the first */
  reader(): (micros: number) => Moment {
    if (this.isInOrder) return micros => ({ micros, isMoved: false });
    const begins = this.#begins;
    const isBelieved = longestInOrder(begins);
    // From the last: when the next believed piece begins.
    const next = new Array<number>(begins.length);
    for (let at = begins.length - 1, begin = Number.POSITIVE_INFINITY; at >= 0; at--) {
      next[at] = begin;
      if (isBelieved[at] === true) begin = begins[at] ?? begin;
    }
    const pieces = new Pieces();
    let newest = Number.NEGATIVE_INFINITY;
    return micros => {
      pieces.take(micros);
      // What was written since the timeline was made is in order.
      const isMoved = isBelieved[pieces.at] === false || micros < newest - OVERLAP_MICROS;
      if (isMoved) return { micros: Math.max(newest, Math.min(micros, next[pieces.at] ?? micros)), isMoved };
      newest = Math.max(newest, micros);
      return { micros, isMoved };
    };
  }
}

/** Which values belong to the longest sequence that never falls. */
function longestInOrder(values: readonly number[]): boolean[] {
  // ends[n]: where the sequence of n + 1 values ends that has the smallest end.
  const ends: number[] = [];
  const before: number[] = [];
  for (const [at, value] of values.entries()) {
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((values[ends[middle] ?? 0] ?? 0) <= value) low = middle + 1;
      else high = middle;
    }
    before.push(low === 0 ? -1 : (ends[low - 1] ?? -1));
    ends[low] = at;
  }
  const found = values.map(() => false);
  for (let at = ends.at(-1) ?? -1; at >= 0; at = before[at] ?? -1) found[at] = true;
  return found;
}
