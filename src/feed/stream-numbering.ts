/** How a JetStream stream is numbered, and whether what is read now continues what was read before. */
import { createHash } from 'node:crypto';
import type { StreamInfo } from 'nats';
import { epochOf } from './jetstream-stream.js';
import { StreamLimits } from './stream-limits.js';

/** Longer epochs are replaced by a hash: clients store them, and publishers' epochs have the same bound. */
const EPOCH_LENGTH_MAX = 64;

/** The message read last: the stream must hold the same one at this sequence. */
export interface StreamMark {
  readonly seq: number;
  readonly subject: string;
  /** When the server stored it, ns since the Unix epoch as exact as a double: to 256 ns. */
  readonly nanos: number;
}

/**
 * `same`: the stream still holds what was read, or did until its limits removed it. A number: it is another life of the
 * stream, and this is the sequence of its first message that the previous life did not have.
 */
export type Continuity = 'same' | number;

export class StreamNumbering {
  readonly limits = new StreamLimits();
  readonly #nowMs: () => number;
  /** The epoch that `lastSeq` counts in; '' before the stream was first found. */
  epoch = '';
  /** The epoch derived from the stream's creation alone. */
  createdEpoch = '';
  /** The same plus each time the stream fell back since: one life's messages are not another's. */
  #lifeEpoch = '';
  /** Stream sequence of the last message delivered; 0 if reading starts over. */
  lastSeq = 0;
  /** The last message read in this life; 0 before the first. */
  #readSeq = 0;
  #lastSubject = '';
  #lastNanos = 0;
  /** The newest skipped sequence that concerns single subjects only; 0 for none. */
  holeSeq = 0;
  #subjects = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Undefined before the first message of this life. */
  get mark(): StreamMark | undefined {
    const [seq, subject, nanos] = [this.#readSeq, this.#lastSubject, this.#lastNanos];
    return seq === 0 ? undefined : { seq, subject, nanos };
  }

  /** True if what is counted in `epoch` is in the current stream, unless its limits removed it. */
  isOfThisLife(epoch: string): boolean {
    return epoch === this.#lifeEpoch || epoch.startsWith(`${this.#lifeEpoch}.`);
  }

  /** True for the stream that `mark` was read from, or another life of it. */
  isSameStream(info: StreamInfo): boolean {
    return epochOf(info) === this.createdEpoch;
  }

  /** Continues with the stream's current state. Returns what was no longer readable, or ''. */
  adopt(info: StreamInfo, continuity: Continuity): string {
    const { first_seq: firstSeq, last_seq: streamSeq } = info.state;
    this.limits.update(info);
    const subjectsBefore = this.#subjects;
    this.#subjects = info.state.num_subjects ?? 0;
    if (!this.isSameStream(info)) {
      const remark = this.epoch === '' ? '' : 'the stream was recreated';
      this.createdEpoch = epochOf(info);
      this.#beginLife(this.createdEpoch);
      return remark;
    }
    if (continuity !== 'same') {
      // A server that lost its last disk writes reuses their numbers: continuity cannot be proved.
      const remark = `the stream fell back from ${this.lastSeq} to before ${continuity}`;
      this.#beginLife(`${this.#lifeEpoch}-${continuity.toString(36)}`);
      return remark;
    }
    if (this.lastSeq === 0 || firstSeq <= this.lastSeq + 1) return '';
    const lost = firstSeq - this.lastSeq - 1;
    const hasLostSubjects = this.#subjects < subjectsBefore;
    // If each subject keeps its newest messages, they are read now; those that left before had the same subjects.
    if (this.limits.isBySubject && !hasLostSubjects && !this.#mayBeLimits(streamSeq)) this.holeSeq = firstSeq - 1;
    else this.#leaveOut(firstSeq);
    return `up to ${lost} messages left the stream before they could be read`;
  }

  /**
   * Takes the next message that the stream delivers; `old` if it was taken before. If messages before it left the
   * stream or were deleted unread, the result is `behind_hole` if any subject may be concerned, and a new epoch begins.
   * It is `behind_own_hole` if only subjects with newer or deleted messages are concerned; `holeSeq` has the details.
   * @param pending messages that the stream holds after it
   * @param nanos when the server stored it
   * @param readsAll every message that the stream stores is delivered here
   */
  take(
    seq: number,
    subject: string,
    nanos: number,
    pending: number,
    readsAll: boolean,
  ): 'next' | 'old' | 'behind_hole' | 'behind_own_hole' {
    if (seq <= this.lastSeq) return 'old';
    const isBehindHole = readsAll && this.lastSeq !== 0 && seq > this.lastSeq + 1;
    let taken: 'next' | 'behind_hole' | 'behind_own_hole' = 'next';
    if (isBehindHole && this.#mayBeLimits(seq + pending)) {
      this.#leaveOut(seq);
      taken = 'behind_hole';
    } else if (isBehindHole) {
      this.holeSeq = seq - 1;
      taken = 'behind_own_hole';
    }
    this.lastSeq = seq;
    this.#readSeq = seq;
    this.#lastSubject = subject;
    this.#lastNanos = nanos;
    return taken;
  }

  #mayBeLimits(streamSeq: number): boolean {
    return this.limits.mayHaveTaken(this.lastSeq, streamSeq, this.#lastNanos, this.#nowMs());
  }

  #beginLife(epoch: string): void {
    this.#lifeEpoch =
      epoch.length <= EPOCH_LENGTH_MAX / 2 ? epoch : createHash('sha256').update(epoch).digest('hex').slice(0, 16);
    this.epoch = this.#lifeEpoch;
    this.lastSeq = 0;
    this.#readSeq = 0;
    this.#lastNanos = 0;
    this.holeSeq = 0;
  }

  /** The subjects of the messages before `seq` are unknown, so no chain may continue. */
  #leaveOut(seq: number): void {
    this.epoch = `${this.#lifeEpoch}.${seq.toString(36)}`;
    this.lastSeq = seq - 1;
    this.holeSeq = 0;
  }
}
