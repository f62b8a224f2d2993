/**
 * Exponential backoff with full jitter: each delay is drawn evenly from 0 to a ceiling that doubles, so that clients
 * that lost the same gateway do not all reconnect at once. Source: M. Brooker, "Exponential Backoff And Jitter", AWS,
 * 2015.
 */
export interface BackoffOptions {
  /** Ceiling of the first delay, in milliseconds. */
  readonly baseMs: number;
  /** Highest ceiling, in milliseconds. */
  readonly maxMs: number;
  /** Evenly distributed from 0 to below 1. */
  readonly random: () => number;
}

/** Beyond this the ceiling stops doubling, so it stays finite whatever `baseMs` is. */
const DOUBLINGS_MAX = 30;

export class Backoff {
  readonly #options: BackoffOptions;
  #attempts = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** Delays drawn since the last reset. */
  get attempts(): number {
    return this.#attempts;
  }

  nextDelayMs(): number {
    const { baseMs, maxMs, random } = this.#options;
    const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(this.#attempts, DOUBLINGS_MAX));
    this.#attempts++;
    return random() * ceiling;
  }

  reset(): void {
    this.#attempts = 0;
  }
}
