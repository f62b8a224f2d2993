/** What the other source brought since the active one fell silent: handed over in order if that one is left. */
import type { FeedMessage } from './feed.js';

/** Payload bytes held. Beyond it the older ones are dropped: what follows tells of the loss, by number or by epoch. */
const HELD_BYTES_MAX = 32 * 1024 * 1024;

export class HeldMessages {
  readonly #bytesMax: number;
  #messages: FeedMessage[] = [];
  #bytes = 0;

  constructor(bytesMax: number = HELD_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** Copies a message in. */
  add(m: FeedMessage): void {
    // Not `slice`: on a Buffer, which feeds hand over and fill again, that is a view.
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

  /** By half, so that it is not done for every message. */
  #dropOlder(): void {
    let dropped = 0;
    while (this.#bytes > this.#bytesMax / 2 && dropped < this.#messages.length) {
      this.#bytes -= this.#messages[dropped++]?.payload.length ?? 0;
    }
    this.#messages = this.#messages.slice(dropped);
  }
}
