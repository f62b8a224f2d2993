/** Messages of the standby upstream since the active one fell silent: delivered in order if the gateway switches. */
import type { FeedMessage } from '../feed-contract/feed.js';

/** Most payload bytes kept. Beyond it, the oldest are dropped: later messages reveal the loss by number or epoch. */
const WAITING_BYTES_MAX = 32 * 1024 * 1024;

export class HeldMessages {
  readonly #bytesMax: number;
  #messages: FeedMessage[] = [];
  #bytes = 0;

  constructor(bytesMax: number = WAITING_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** Copies a message in. */
  add(m: FeedMessage): void {
    // Not `slice`: feeds reuse their buffers, and `slice` of a Buffer is a view.
    this.#messages.push({ ...m, payload: new Uint8Array(m.payload) });
    this.#bytes += m.payload.length;
    if (this.#bytes > this.#bytesMax) this.#dropOlder();
  }

  clear(): void {
    if (this.#messages.length === 0) return;
    this.#messages = [];
    this.#bytes = 0;
  }

  takeAll(): readonly FeedMessage[] {
    const messages = this.#messages;
    this.clear();
    return messages;
  }

  /** Drops half, so that this does not run for every message. */
  #dropOlder(): void {
    let dropped = 0;
    while (this.#bytes > this.#bytesMax / 2 && dropped < this.#messages.length) {
      this.#bytes -= this.#messages[dropped++]?.payload.length ?? 0;
    }
    this.#messages = this.#messages.slice(dropped);
  }
}
