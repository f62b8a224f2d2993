/** How a JetStream stream is numbered, and whether what is read of it continues what was read before. */
import type { StreamInfo } from 'nats';
import { epochOf } from './jetstream-stream.js';

export class StreamNumbering {
  /** What `lastSeq` counts in; '' before the stream was first found. */
  epoch = '';
  /** What the stream's creation alone makes the epoch. */
  createdEpoch = '';
  /** Stream sequence of the last message delivered; 0 where reading begins anew. */
  lastSeq = 0;

  /** Takes the stream as it is now. Says what could not be read any more, or ''. */
  adopt(info: StreamInfo): string {
    const epoch = epochOf(info);
    const { first_seq: firstSeq, last_seq: streamSeq } = info.state;
    if (epoch !== this.createdEpoch) {
      const remark = this.epoch === '' ? '' : 'the stream was created anew';
      this.createdEpoch = epoch;
      this.epoch = epoch;
      this.lastSeq = 0;
      return remark;
    }
    if (streamSeq < this.lastSeq) {
      // A server that lost its disk's last writes reuses their numbers: continuity cannot be proved.
      const remark = `the stream fell back from ${this.lastSeq} to ${streamSeq}`;
      this.epoch = `${epoch}.${streamSeq.toString(36)}`;
      this.lastSeq = 0;
      return remark;
    }
    if (this.lastSeq === 0 || firstSeq <= this.lastSeq + 1) return '';
    const lost = firstSeq - this.lastSeq - 1;
    this.#leaveOut(firstSeq);
    return `up to ${lost} messages left the stream before they could be read`;
  }

  /**
   * Takes the next message that the stream delivers: `old` when it was taken before, `behind_hole` when those before it left
   * the stream (by its limits, or deleted) before they could be read.
   * @param readsAll every message that the stream stores is delivered here
   */
  take(seq: number, readsAll: boolean): 'next' | 'old' | 'behind_hole' {
    if (seq <= this.lastSeq) return 'old';
    const isBehindHole = readsAll && this.lastSeq !== 0 && seq > this.lastSeq + 1;
    if (isBehindHole) this.#leaveOut(seq);
    this.lastSeq = seq;
    return isBehindHole ? 'behind_hole' : 'next';
  }

  /** Of which subjects the messages before `seq` were is not known, so no chain may be continued. */
  #leaveOut(seq: number): void {
    this.epoch = `${this.createdEpoch}.${seq.toString(36)}`;
    this.lastSeq = seq - 1;
  }
}
