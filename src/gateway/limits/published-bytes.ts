/** Bytes that a user publishes in a second, over all its connections and all workers of the process. */
import { RATE_MEMORY_MS, SharedRates } from './shared-rates.js';

/** How exactly it is said when there is room again. */
const RETRY_STEP_MS = 250;

export class PublishedBytes {
  readonly #rates: SharedRates;
  readonly #bytesPerSecond: number;

  /** @param buffer of `createSharedRates` */
  constructor(buffer: SharedArrayBuffer, worker: number, bytesPerSecond: number) {
    this.#rates = new SharedRates(buffer, worker);
    this.#bytesPerSecond = bytesPerSecond;
  }

  /**
   * Counts a message, if the user may publish it now: what is refused costs nothing.
   * @param nowMs see `SharedRates`
   * @returns after how many ms it may; 0: it is counted
   */
  take(user: string, bytes: number, nowMs: number): number {
    for (let waitMs = 0; waitMs < RATE_MEMORY_MS; waitMs += RETRY_STEP_MS) {
      if (Math.floor(this.#rates.used(user, nowMs + waitMs)) + bytes > this.#bytesPerSecond) continue;
      // More users than a table holds must not switch the limit off.
      return waitMs === 0 && !this.#rates.add(user, bytes, nowMs) ? RATE_MEMORY_MS : waitMs;
    }
    return RATE_MEMORY_MS;
  }

  /** Forgets what `worker` counted. It must have ended, and its successor not have begun. */
  clear(worker: number): void {
    this.#rates.clear(worker);
  }
}
