/** The epochs of the gateway's own sequences, used when neither the publisher nor the feed numbers messages. */
import { isOnDemand } from '../../protocol/topics.js';
import type { Subject } from './subject-table.js';

/** Of no period. */
const NEVER = -1;

export class OwnEpochs {
  readonly #epoch: string;
  #outages = 0;
  /** Epochs created for single subjects so far. */
  #singles = 0;
  /** Some subjects were forgotten and may return: a new subject must not reuse the numbering of its predecessor. */
  hasForgotten = false;

  /** @param epoch unique to this start */
  constructor(epoch: string) {
    this.#epoch = epoch;
  }

  /** The feed lost its upstream: sequences before and after have an unknown hole between them. */
  outage(): void {
    this.#outages++;
  }

  /** Messages of this subject alone were lost, and its publisher may have restarted unseen. */
  interrupted(subject: Subject): void {
    subject.refusal = '';
    subject.publisherOutages = NEVER;
    subject.outages = NEVER;
    this.hasForgotten = true;
  }

  /**
   * The current epoch of the subject's own sequences. It changes after every outage (the same for all subjects), each
   * time the gateway takes over from the publisher's numbering, and for a subject that was not followed all the time.
   */
  of(subject: Subject): string {
    const isSamePeriod = subject.ownEpoch !== '' && subject.outages === this.#outages;
    if (isSamePeriod && subject.epoch === subject.ownEpoch) return subject.ownEpoch;
    const period = this.#outages === 0 ? this.#epoch : `${this.#epoch}.${this.#outages}`;
    subject.outages = this.#outages;
    subject.ownEpoch =
      isSamePeriod || this.hasForgotten || isOnDemand(subject.kind) ? `${period}-${++this.#singles}` : period;
    return subject.ownEpoch;
  }
}
