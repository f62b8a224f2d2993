/** Messages of one subject that came before those that they follow, in the order of their numbers. */
import type { FeedMessage } from './feed.js';

export class AheadMessages {
  readonly #messages: FeedMessage[] = [];
  bytes = 0;

  /** Number of the first; 0 where there is none. */
  get firstSeq(): number {
    return this.#messages[0]?.seq ?? 0;
  }

  /** Copies a message in, unless its number is there already. */
  add(m: FeedMessage): void {
    // Each line brings its own in order, so that its place is mostly the last.
    let at = this.#messages.length;
    while (at > 0 && (this.#messages[at - 1]?.seq ?? 0) > m.seq) at--;
    if (this.#messages[at - 1]?.seq === m.seq) return;
    // Not `slice`: on a Buffer, which feeds hand over and fill again, that is a view.
    this.#messages.splice(at, 0, { ...m, payload: new Uint8Array(m.payload) });
    this.bytes += m.payload.length;
  }

  shift(): FeedMessage | undefined {
    const first = this.#messages.shift();
    if (first !== undefined) this.bytes -= first.payload.length;
    return first;
  }
}
