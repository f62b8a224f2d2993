/**
 * What a ResendRequest is answered from. Market data is never sent again, because it is old by then; what answers a
 * request or rejects a message is, within bounds.
 */

/** Most messages kept per session, and longest body of one. */
const KEPT_MAX = 256;
const BODY_BYTES_MAX = 1024;

/** A message as it was sent, without its header. */
interface SentMessage {
  readonly type: string;
  readonly body: Buffer;
  readonly sendingTime: string;
}

/** A part of the answer: one message again, or everything from a number up to another one filled. */
type Resent =
  | { readonly seqNum: number; readonly message: SentMessage }
  | { readonly seqNum: number; readonly newSeqNo: number };

export class SentMessages {
  readonly #kept = new Map<number, SentMessage>();

  keep(seqNum: number, message: SentMessage): void {
    if (message.body.length > BODY_BYTES_MAX) return;
    this.#kept.set(seqNum, message);
    if (this.#kept.size <= KEPT_MAX) return;
    for (const oldest of this.#kept.keys()) {
      this.#kept.delete(oldest);
      return;
    }
  }

  clear(): void {
    this.#kept.clear();
  }

  countBetween(begin: number, end: number): number {
    let count = 0;
    for (const seqNum of this.#kept.keys()) if (seqNum >= begin && seqNum <= end) count++;
    return count;
  }

  /** Everything from `begin` to `end`, in order. */
  between(begin: number, end: number): Resent[] {
    const parts: Resent[] = [];
    let from = begin;
    for (const [seqNum, message] of this.#kept) {
      if (seqNum < from || seqNum > end) continue;
      if (seqNum > from) parts.push({ seqNum: from, newSeqNo: seqNum });
      parts.push({ seqNum, message });
      from = seqNum + 1;
    }
    if (from <= end) parts.push({ seqNum: from, newSeqNo: end + 1 });
    return parts;
  }
}
