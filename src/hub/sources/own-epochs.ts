/** The epochs of the gateway's own sequences, used when neither the publisher nor the feed numbers messages. */
import { isOnDemand } from '../../protocol/topics.js';
import type { Source } from './source-table.js';

export class OwnEpochs {
  readonly #epoch: string;
  #outages = 0;
  /** Epochs created for single sources so far. */
  #singles = 0;
  /** Some sources were forgotten and may return: a new source must not reuse the numbering of its predecessor. */
  hasForgotten = false;

  /** @param epoch unique to this start */
  constructor(epoch: string) {
    this.#epoch = epoch;
  }

  /** The feed lost its source: sequences before and after have an unknown hole between them. */
  outage(): void {
    this.#outages++;
  }

  /**
   * The current epoch of the source's own sequences. It changes after every outage (the same for all sources), each
   * time the gateway takes over from the publisher's numbering, and for a source that was not followed all the time.
   */
  of(source: Source): string {
    const isSamePeriod = source.ownEpoch !== '' && source.outages === this.#outages;
    if (isSamePeriod && source.epoch === source.ownEpoch) return source.ownEpoch;
    const period = this.#outages === 0 ? this.#epoch : `${this.#epoch}.${this.#outages}`;
    source.outages = this.#outages;
    source.ownEpoch =
      isSamePeriod || this.hasForgotten || isOnDemand(source.kind) ? `${period}-${++this.#singles}` : period;
    return source.ownEpoch;
  }
}
