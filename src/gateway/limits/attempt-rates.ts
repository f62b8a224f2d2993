/** Attempts per second by key (an address), over all workers of the process. */
import type { HashSeed } from './key-hash.js';
import { createSharedRates, RATE_MEMORY_MS, SharedRates } from './shared-rates.js';

/** 384 KiB per worker: how many addresses one worker can tell apart within two seconds. */
const ATTEMPT_SLOTS_PER_WORKER = 2 ** 14;

/** @see createSharedRates */
export function createAttemptRates(
  workers: number,
  seed: HashSeed,
  slotsPerWorker: number = ATTEMPT_SLOTS_PER_WORKER,
): SharedArrayBuffer {
  return createSharedRates(workers, seed, slotsPerWorker);
}

/** One worker's access to the rates. */
export class AttemptRates {
  /**
   * `overflow`: attempts not counted because the table was full. They are allowed: a client with a million addresses
   * must not lock out everybody else.
   */
  readonly counters = { overflow: 0 };
  /** After a pause of this length a key has its full rate again. */
  readonly retryAfterSeconds = RATE_MEMORY_MS / 1000;
  readonly #rates: SharedRates;
  readonly #ratePerSecond: number;

  constructor(buffer: SharedArrayBuffer, worker: number, ratePerSecond: number) {
    this.#rates = new SharedRates(buffer, worker);
    this.#ratePerSecond = ratePerSecond;
  }

  /**
   * Counts an attempt, allowed or not, and returns whether it is allowed. So a key that never pauses stays refused.
   * @param nowMs from a clock that all workers share and that never steps, such as `process.hrtime`'s; only its lower
   * 32 bits matter
   */
  attempt(key: string, nowMs: number): boolean {
    if (!this.#rates.add(key, 1, nowMs)) this.counters.overflow++;
    return Math.floor(this.#rates.used(key, nowMs)) <= this.#ratePerSecond;
  }

  /** Clears what `worker` counted. Call after it has ended and before its successor starts. */
  clear(worker: number): void {
    this.#rates.clear(worker);
  }
}
