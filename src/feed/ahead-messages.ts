/** Messages of one subject that arrived before their predecessors, sorted by number. */
import type { FeedMessage } from '../feed-contract/feed.js';

export class AheadMessages {
  readonly #messages: FeedMessage[] = [];
  bytes = 0;

  /** Number of the first message; 0 if there is none. */
  get firstSeq(): number {
    return this.#messages[0]?.seq ?? 0;
  }

  /** Copies a message in unless its number is already present. */
  add(m: FeedMessage): void {
    // Each line delivers in order, so the insertion point is mostly at the end.
    let at = this.#messages.length;
    while (at > 0 && (this.#messages[at - 1]?.seq ?? 0) > m.seq) at--;
    if (this.#messages[at - 1]?.seq === m.seq) return;
    // Not `slice`: feeds reuse their buffers, and `slice` of a Buffer is a view.
    this.#messages.splice(at, 0, { ...m, payload: new Uint8Array(m.payload) });
    this.bytes += m.payload.length;
  }

  shift(): FeedMessage | undefined {
    const first = this.#messages.shift();
    if (first !== undefined) this.bytes -= first.payload.length;
    return first;
  }
}
