/** Limits the bytes a user publishes per second, over all its connections and all workers of the process. */
import { SharedRates } from './shared-rates.js';

/** Resolution of the retry time. */
const RETRY_STEP_MS = 250;

export class PublishedBytes {
  readonly #rates: SharedRates;
  readonly #bytesPerSecond: number;

  /** @param buffer from `createSharedRates` */
  constructor(buffer: SharedArrayBuffer, worker: number, bytesPerSecond: number) {
    this.#rates = new SharedRates(buffer, worker);
    this.#bytesPerSecond = bytesPerSecond;
  }

  /**
   * Counts a message if the user may publish it now; a refused one costs nothing.
   * @param nowMs see `SharedRates`
   * @returns ms until it may be published; 0: it is counted
   */
  take(user: string, bytes: number, nowMs: number): number {
    for (let waitMs = 0; waitMs < this.#rates.memoryMs; waitMs += RETRY_STEP_MS) {
      if (Math.floor(this.#rates.used(user, nowMs + waitMs)) + bytes > this.#bytesPerSecond) continue;
      // More users than a table can hold must not disable the limit.
      return waitMs === 0 && !this.#rates.add(user, bytes, nowMs) ? this.#rates.memoryMs : waitMs;
    }
    return this.#rates.memoryMs;
  }

  /** Clears what `worker` counted. Call after it has ended and before its successor starts. */
  clear(worker: number): void {
    this.#rates.clear(worker);
  }
}
