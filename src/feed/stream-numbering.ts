/** How a JetStream stream is numbered, and whether what is read of it continues what was read before. */
import { createHash } from 'node:crypto';
import type { StreamInfo } from 'nats';
import { epochOf } from './jetstream-stream.js';
import { StreamLimits } from './stream-limits.js';

/** An epoch that would be longer is replaced by a hash of it: clients hold it, and publishers' epochs have this bound as well. */
const EPOCH_LENGTH_MAX = 64;

/** The message that was read last: what the stream has at this sequence must be the same one. */
export interface StreamMark {
  readonly seq: number;
  readonly subject: string;
  /** When the server stored it, ns since the Unix epoch as far as a double is exact: to 256 ns. */
  readonly nanos: number;
}

/**
 * `same`: the stream still holds what was read, or did until its limits took it. A number: it is another life of the stream, and
 * this the sequence of its first message that is not of the life before.
 */
export type Continuity = 'same' | number;

export class StreamNumbering {
  readonly limits = new StreamLimits();
  readonly #nowMs: () => number;
  /** What `lastSeq` counts in; '' before the stream was first found. */
  epoch = '';
  /** What the stream's creation alone makes the epoch. */
  createdEpoch = '';
  /** The same, and each time that the stream fell back since: what was stored in one life is not the other's. */
  #lifeEpoch = '';
  /** Stream sequence of the last message delivered; 0 where reading begins anew. */
  lastSeq = 0;
  /** The last message that was read in this life; 0 before the first. */
  #readSeq = 0;
  #lastSubject = '';
  #lastNanos = 0;
  /** The newest sequence that was passed over and concerns single subjects only; 0 for none. */
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

  /** True where what is counted in `epoch` is in the stream as it is now, unless its limits took it. */
  isOfThisLife(epoch: string): boolean {
    return epoch === this.#lifeEpoch || epoch.startsWith(`${this.#lifeEpoch}.`);
  }

  /** True for the stream that `mark` was read from, or another life of it. */
  isSameStream(info: StreamInfo): boolean {
    return epochOf(info) === this.createdEpoch;
  }

  /** Takes the stream as it is now. Says what could not be read any more, or ''. */
  adopt(info: StreamInfo, continuity: Continuity): string {
    const { first_seq: firstSeq, last_seq: streamSeq } = info.state;
    this.limits.update(info);
    const subjectsBefore = this.#subjects;
    this.#subjects = info.state.num_subjects ?? 0;
    if (!this.isSameStream(info)) {
      const remark = this.epoch === '' ? '' : 'the stream was created anew';
      this.createdEpoch = epochOf(info);
      this.#beginLife(this.createdEpoch);
      return remark;
    }
    if (continuity !== 'same') {
      // A server that lost its disk's last writes reuses their numbers: continuity cannot be proved.
      const remark = `the stream fell back from ${this.lastSeq} to before ${continuity}`;
      this.#beginLife(`${this.#lifeEpoch}-${continuity.toString(36)}`);
      return remark;
    }
    if (this.lastSeq === 0 || firstSeq <= this.lastSeq + 1) return '';
    const lost = firstSeq - this.lastSeq - 1;
    const hasLostSubjects = this.#subjects < subjectsBefore;
    // Where each subject keeps its newest messages, they are read now; what left before them was of the same subjects.
    if (this.limits.isBySubject && !hasLostSubjects && !this.#mayBeLimits(streamSeq)) this.holeSeq = firstSeq - 1;
    else this.#leaveOut(firstSeq);
    return `up to ${lost} messages left the stream before they could be read`;
  }

  /**
   * Takes the next message that the stream delivers: `old` when it was taken before. Where messages before it left the stream or
   * were deleted before they could be read: `behind_hole` if that may concern any subject, and an epoch begins; `behind_own_hole`
   * if it concerns those subjects only that have newer messages, or messages that were deleted: `holeSeq` says so.
   * @param pending messages that the stream holds behind it
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

  /** Of which subjects the messages before `seq` were is not known, so no chain may be continued. */
  #leaveOut(seq: number): void {
    this.epoch = `${this.#lifeEpoch}.${seq.toString(36)}`;
    this.lastSeq = seq - 1;
    this.holeSeq = 0;
  }
}
