/**
 * What the sequences of a publisher that numbers its messages count in. A publisher that restarts should name another epoch;
 * one that does not is recognised by its sequences, which fall back.
 */
import type { HubMessage } from './hub-options.js';
import type { Source } from './source-table.js';

export class PublisherEpochs {
  #outages = 0;

  /** The feed lost its source: a publisher may restart unseen. */
  outage(): void {
    this.#outages++;
  }

  /** The epoch that clients are told for this message; a new one where its publisher has restarted. */
  of(source: Source, { epoch, seq, contiguous }: HubMessage): string {
    // A stream's own numbering never falls back: whoever reads it sees to that.
    if (!contiguous) return epoch;
    if (source.publisherEpoch !== epoch) {
      source.publisherEpoch = epoch;
      source.publisherLife = 1;
    } else if (this.#hasRestarted(source, seq)) {
      source.publisherLife++;
    }
    source.publisherOutages = this.#outages;
    return source.publisherLife === 1 ? epoch : `${epoch}~${source.publisherLife}`;
  }

  #hasRestarted(source: Source, seq: number): boolean {
    if (seq >= source.seq) return false;
    // The first messages of the new life may be lost with an outage; else, what is not the first is an old copy.
    return seq === 1 || source.publisherOutages !== this.#outages;
  }
}
