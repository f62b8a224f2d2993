/**
 * Two sources that carry the same messages, as exchanges send them on lines A and B: where the publisher numbers them, the
 * first copy of each counts, from whichever source, and the other is a duplicate. So nothing is missing as long as one of
 * the two has it, without waiting until anybody has noticed that the other is silent.
 */
import type { FeedMessage } from './feed.js';

/** Subjects whose place is kept. Of others, only what the active source brings is taken. */
const SUBJECTS_MAX = 500_000;

/** `take` it; a `duplicate` has been taken before; `pass` over what only counts if it comes from the active source. */
export type Arbitration = 'take' | 'duplicate' | 'pass';

interface Place {
  epoch: string;
  seq: number;
}

export class Arbiter {
  readonly #places = new Map<string, Place>();

  /** A message of the source that is read. */
  active(m: FeedMessage): Arbitration {
    const place = this.#places.get(m.subject);
    if (place === undefined) {
      this.#begin(m);
      return 'take';
    }
    const seq = m.contiguous ? m.seq : 0;
    const epoch = m.contiguous ? m.epoch : '';
    if (m.contiguous && epoch === place.epoch && seq <= place.seq) return 'duplicate';
    place.epoch = epoch;
    place.seq = seq;
    return 'take';
  }

  /** A message of the other one: taken where it is surely the next. */
  standby(m: FeedMessage): Arbitration {
    if (!m.contiguous) return 'pass';
    const place = this.#places.get(m.subject);
    if (place === undefined) {
      if (this.#places.size >= SUBJECTS_MAX) return 'pass';
      this.#begin(m);
      return 'take';
    }
    // Of another epoch, or behind a hole: the active source may still bring what belongs before it.
    if (m.epoch !== place.epoch || m.seq > place.seq + 1) return 'pass';
    if (m.seq <= place.seq) return 'duplicate';
    place.seq = m.seq;
    return 'take';
  }

  /** The subject is not followed any more. */
  forget(subject: string): void {
    this.#places.delete(subject);
  }

  #begin({ subject, contiguous, epoch, seq }: FeedMessage): void {
    if (this.#places.size >= SUBJECTS_MAX) return;
    this.#places.set(subject, { epoch: contiguous ? epoch : '', seq: contiguous ? seq : 0 });
  }
}
