/**
 * Requests a client's W messages a few at a time, as it reads them. All at once may be more than it is allowed to leave
 * unread: it would be paused, and then be sent all of them again.
 */

/** W on their way at most, and how long one is before the first was sent. */
const ASKED_MAX = 64;
const BYTES_AT_FIRST = 8 * 1024;

/** A subscription. */
interface Awaiting {
  /** A W is due. */
  readonly isUnanswered: boolean;
  /** It was requested, and there is no answer yet. */
  readonly isAsked: boolean;
  /** Requests it. */
  ask(): void;
}

export class Wholes<Subscription extends Awaiting> {
  readonly #due = new Set<Subscription>();
  readonly #asked = new Set<Subscription>();

  /** A W of this subscription is due. */
  add(subscription: Subscription): void {
    this.#due.add(subscription);
  }

  delete(subscription: Subscription): void {
    this.#due.delete(subscription);
    this.#asked.delete(subscription);
  }

  clear(): void {
    this.#due.clear();
    this.#asked.clear();
  }

  /**
   * Requests those that fit.
   * @param room bytes that the client may be sent now
   * @param bytes of the W sent last; 0: there was none
   */
  next(room: number, bytes: number): void {
    if (this.#due.size === 0) return;
    for (const subscription of this.#asked) if (!subscription.isAsked) this.#asked.delete(subscription);
    // One that is longer than the room there can be must come, too.
    const fitting = Math.max(room > 0 ? 1 : 0, Math.floor(room / (bytes === 0 ? BYTES_AT_FIRST : bytes)));
    const max = Math.min(ASKED_MAX, fitting);
    for (const subscription of this.#due) {
      if (this.#asked.size >= max) return;
      this.#due.delete(subscription);
      if (!subscription.isUnanswered) continue;
      subscription.ask();
      if (subscription.isAsked) this.#asked.add(subscription);
    }
  }
}
