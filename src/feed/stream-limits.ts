/** Why messages may have left a stream before they were read. */
import type { StreamInfo } from 'nats';

const NANOS_PER_MS = 1e6;

/** The stream's limits, and its size in bytes at the last check. */
export class StreamLimits {
  #info: StreamInfo | undefined;

  /** Notes the stream's current state. */
  update(info: StreamInfo): void {
    this.#info = info;
  }

  /** It keeps only the newest messages of each subject: a newer message pushes an older one out. */
  get isBySubject(): boolean {
    return (this.#info?.config.max_msgs_per_subject ?? -1) > 0;
  }

  /**
   * True if messages after `lastSeq` may have left because the stream as a whole was full, or because they were too
   * old. They may have been the newest of their subjects, so every subject may have lost something. A message that a
   * newer one of its own subject pushes out, or that is deleted, concerns that subject alone.
   * @param streamSeq the newest sequence known
   * @param lastNanos when the message at `lastSeq` was stored; those after it are younger
   */
  mayHaveTaken(lastSeq: number, streamSeq: number, lastNanos: number, nowMs: number): boolean {
    const info = this.#info;
    if (info === undefined) return true;
    const { max_msgs: messagesMax, max_bytes: bytesMax, max_age: ageMaxNanos } = info.config;
    // `streamSeq` proves nothing: nats-server 2.9 reports one message behind 312 of 339 holes in a full stream of 50.
    if (messagesMax > 0 && !this.isBySubject) return true;
    // Half of it: `streamSeq` may be slightly older than the message in question.
    if (messagesMax > 0 && 2 * (streamSeq - lastSeq) >= messagesMax) return true;
    // How many bytes followed `lastSeq` is unknown; a half-empty stream has dropped none of them.
    if (bytesMax > 0 && info.state.bytes > bytesMax / 2) return true;
    return ageMaxNanos > 0 && nowMs * NANOS_PER_MS - lastNanos >= ageMaxNanos;
  }
}
