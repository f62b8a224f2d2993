/** Why messages may have left a stream before they were read. */
import type { StreamInfo } from 'nats';

const NANOS_PER_MS = 1e6;

/** The stream's limits, and how full it was when it was last looked at. */
export class StreamLimits {
  #info: StreamInfo | undefined;

  /** Takes the stream as it is now. */
  update(info: StreamInfo): void {
    this.#info = info;
  }

  /** It keeps only the newest messages of each subject: an older one leaves whenever a newer one comes. */
  get isBySubject(): boolean {
    return (this.#info?.config.max_msgs_per_subject ?? -1) > 0;
  }

  /**
   * True when messages behind `lastSeq` may have left because the stream as a whole was full, or they were too old. Such messages
   * may have been the newest of their subjects, so that every subject may have lost something. What leaves for a newer message of
   * its own subject, or is deleted, concerns that subject alone.
   * @param streamSeq the newest sequence known
   * @param lastNanos when the message at `lastSeq` was stored; those behind it are younger
   */
  mayHaveTaken(lastSeq: number, streamSeq: number, lastNanos: number, nowMs: number): boolean {
    const info = this.#info;
    if (info === undefined) return true;
    const { max_msgs: messagesMax, max_bytes: bytesMax, max_age: ageMaxNanos } = info.config;
    // Half of it: `streamSeq` may be a little older than the message that is looked at.
    if (messagesMax > 0 && 2 * (streamSeq - lastSeq) >= messagesMax) return true;
    // While a server drops messages, it may count fewer behind the one it delivers than there are: a full stream proves nothing.
    if (messagesMax > 0 && !this.isBySubject && 2 * this.#heldBy(info, streamSeq) >= messagesMax) return true;
    // How many bytes came behind `lastSeq` is not known; a stream that is half empty has dropped none of them.
    if (bytesMax > 0 && info.state.bytes > bytesMax / 2) return true;
    return ageMaxNanos > 0 && nowMs * NANOS_PER_MS - lastNanos >= ageMaxNanos;
  }

  /** How many messages it would hold by now if none had left since it was looked at. */
  #heldBy({ state }: StreamInfo, streamSeq: number): number {
    return state.messages + Math.max(0, streamSeq - state.last_seq);
  }
}
