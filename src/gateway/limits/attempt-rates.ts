/** Attempts per second by key (an address) over all workers of the process. */
import type { HashSeed } from './key-hash.js';
import { createSharedRates, RATE_MEMORY_MS, SharedRates } from './shared-rates.js';

/** 384 KiB a worker: addresses that one worker can tell apart within two seconds. */
export const ATTEMPT_SLOTS_PER_WORKER = 2 ** 14;

/** @see createSharedRates */
export function createAttemptRates(
  workers: number,
  seed: HashSeed,
  slotsPerWorker: number = ATTEMPT_SLOTS_PER_WORKER,
): SharedArrayBuffer {
  return createSharedRates(workers, seed, slotsPerWorker);
}

/** One worker's end of the rates. */
export class AttemptRates {
  /**
   * `overflow`: attempts that were not counted because the table was full. They are allowed: somebody with a million
   * addresses must not lock out everybody else.
   */
  readonly counters = { overflow: 0 };
  /** After a pause this long a key has its whole rate again. */
  readonly retryAfterSeconds = RATE_MEMORY_MS / 1000;
  readonly #rates: SharedRates;
  readonly #ratePerSecond: number;

  constructor(buffer: SharedArrayBuffer, worker: number, ratePerSecond: number) {
    this.#rates = new SharedRates(buffer, worker);
    this.#ratePerSecond = ratePerSecond;
  }

  /**
   * Counts an attempt, whether it is allowed or not, and says whether it is. So a key that never pauses stays refused.
   * @param nowMs of a clock that all workers share and that is never set, such as `process.hrtime`'s; its lower 32 bits count
   */
  attempt(key: string, nowMs: number): boolean {
    if (!this.#rates.add(key, 1, nowMs)) this.counters.overflow++;
    return Math.floor(this.#rates.used(key, nowMs)) <= this.#ratePerSecond;
  }

  /** Forgets what `worker` counted. It must have ended, and its successor not have begun. */
  clear(worker: number): void {
    this.#rates.clear(worker);
  }
}
