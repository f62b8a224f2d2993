/** Positions, in the feed's own numbering, of subjects that are not followed here: new clients are told. */
import { BoundedMap } from '../../protocol/bounded-map.js';
import type { StreamPosition } from '../../protocol/stream-position.js';

/** Maximum subjects remembered; the oldest are evicted first. */
const SUBJECTS_MAX = 100_000;

export class LastSeqs {
  readonly #seqs = new BoundedMap<string, number>(SUBJECTS_MAX);
  #epoch = '';

  note(subject: string, { epoch, seq }: StreamPosition): void {
    if (epoch !== this.#epoch) this.#seqs.clear();
    this.#epoch = epoch;
    this.#seqs.set(subject, seq);
  }

  /** The newest sequence of the subject in this epoch; 0 when unknown. */
  of(subject: string, epoch: string): number {
    return epoch === this.#epoch ? (this.#seqs.get(subject) ?? 0) : 0;
  }
}
