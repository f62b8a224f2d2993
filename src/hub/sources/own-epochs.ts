/** What the gateway's own sequences count in, where neither the publisher nor the feed numbers. */
import { isOnDemand } from '../../protocol/topics.js';
import type { Source } from './source-table.js';

export class OwnEpochs {
  readonly #epoch: string;
  #outages = 0;
  /** Epochs of single sources so far. */
  #singles = 0;
  /** Sources were forgotten that may come back: one that is new must not count where its forerunner did. */
  hasForgotten = false;

  /** @param epoch differs from that of every other start */
  constructor(epoch: string) {
    this.#epoch = epoch;
  }

  /** The feed lost its source: sequences before and after have an unknown hole between them. */
  outage(): void {
    this.#outages++;
  }

  /**
   * The epoch that the source's own sequences count in now: another one after every outage (the same for all sources), each
   * time it takes over from the publisher's, and for a source that was not followed all the time.
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
