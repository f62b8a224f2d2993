/** Messages above a gap: they wait, within bounds, until the client has filled it. */
import type { FixMessage } from '../wire/message.js';

/** Most messages that wait, and most bytes of them. */
const WAITING_MAX = 1000;
const WAITING_BYTES_MAX = 1024 * 1024;

export class WaitingMessages {
  readonly #messages = new Map<number, FixMessage | 'done'>();
  #bytes = 0;

  get size(): number {
    return this.#messages.size;
  }

  /**
   * Keeps a message until its number is due. If too many wait it is dropped: once the gap is closed, the next message
   * shows that it is missing.
   * @param message 'done': it was acted upon at once, and only its number is still due
   */
  add(seqNum: number, message: FixMessage | 'done'): void {
    if (this.#messages.has(seqNum)) return;
    const bytes = message === 'done' ? 0 : message.bytes.length;
    if (this.#messages.size >= WAITING_MAX || this.#bytes + bytes > WAITING_BYTES_MAX) return;
    this.#messages.set(seqNum, message);
    this.#bytes += bytes;
  }

  take(seqNum: number): FixMessage | 'done' | undefined {
    const message = this.#messages.get(seqNum);
    if (message === undefined) return undefined;
    this.#messages.delete(seqNum);
    if (message !== 'done') this.#bytes -= message.bytes.length;
    return message;
  }

  /** Drops everything below a number: the client has skipped it. */
  dropBelow(seqNum: number): void {
    for (const at of [...this.#messages.keys()]) if (at < seqNum) this.take(at);
  }

  clear(): void {
    this.#messages.clear();
    this.#bytes = 0;
  }
}
