/**
 * Attempts per second by key (an address) over all workers of the process, in shared memory.
 *
 * A slot holds two windows of one second, the first beginning with the key's first attempt. The rate is estimated as what
 * the current window has plus as much of the previous one as the last second still overlaps. So in the first second of a
 * key the estimate is exact, and two seconds after its last attempt there is nothing left of it.
 */
import type { HashSeed } from './key-hash.js';
import { createSharedSlots, NO_SLOT, SharedSlots } from './shared-slots.js';

const FIELDS = 3;
/** When the current window began, ms modulo 2^32. */
const START = 0;
const CURRENT = 1;
const PREVIOUS = 2;

const WINDOW_MS = 1000;
/** After this a slot says nothing any more, and is free. */
const MEMORY_MS = 2 * WINDOW_MS;
/** A slot that changed while it was read is read again this often; then the estimate is what was read last. */
const READS_MAX = 3;

/** 384 KiB a worker: addresses that one worker can tell apart within two seconds. */
export const ATTEMPT_SLOTS_PER_WORKER = 2 ** 14;

/**
 * Allocates the tables, 24 bytes a slot.
 * @param slotsPerWorker a power of two
 * @throws {RangeError} for another number of slots
 */
export function createAttemptRates(
  workers: number,
  seed: HashSeed,
  slotsPerWorker: number = ATTEMPT_SLOTS_PER_WORKER,
): SharedArrayBuffer {
  return createSharedSlots(workers, slotsPerWorker, FIELDS, seed);
}

/** One worker's end of the rates. */
export class AttemptRates {
  /**
   * `overflow`: attempts that were not counted because the table was full. They are allowed: somebody with a million
   * addresses must not lock out everybody else.
   */
  readonly counters = { overflow: 0 };
  /** After a pause this long a key has its whole rate again. */
  readonly retryAfterSeconds = MEMORY_MS / 1000;
  readonly #slots: SharedSlots;
  readonly #worker: number;
  readonly #ratePerSecond: number;
  readonly #isFree = (slot: number) => {
    const ageMs = this.#ageMs(slot);
    // A window that begins more than a window from now: the clock was set back.
    return ageMs >= MEMORY_MS || ageMs < -WINDOW_MS || this.#field(slot, CURRENT) === 0;
  };
  /** Modulo 2^32, as in the slots. */
  #nowMs = 0;

  constructor(buffer: SharedArrayBuffer, worker: number, ratePerSecond: number) {
    this.#slots = new SharedSlots(buffer);
    this.#worker = worker;
    this.#ratePerSecond = ratePerSecond;
  }

  /**
   * Counts an attempt, whether it is allowed or not, and says whether it is. So a key that never pauses stays refused.
   * @param nowMs of a clock that all workers share and that is never set, such as `process.hrtime`'s; its lower 32 bits count
   */
  attempt(key: string, nowMs: number): boolean {
    this.#nowMs = nowMs | 0;
    this.#slots.seek(key);
    const slot = this.#slots.claim(this.#worker, this.#isFree);
    if (slot === NO_SLOT) this.counters.overflow++;
    else this.#count(slot);
    let attempts = 0;
    for (let worker = 0; worker < this.#slots.workers; worker++) attempts += this.#attemptsIn(worker);
    return Math.floor(attempts) <= this.#ratePerSecond;
  }

  /** Forgets what `worker` counted. It must have ended, and its successor not have begun. */
  clear(worker: number): void {
    this.#slots.clear(worker);
  }

  #count(slot: number): void {
    if (this.#isFree(slot)) this.#begin(slot, this.#nowMs, 0);
    else if (this.#ageMs(slot) < WINDOW_MS) Atomics.add(this.#slots.words, slot + CURRENT, 1);
    else this.#begin(slot, this.#field(slot, START) + WINDOW_MS, this.#field(slot, CURRENT));
  }

  /** A new window, with the attempt that begins it. */
  #begin(slot: number, startMs: number, previous: number): void {
    const { words } = this.#slots;
    this.#slots.begin(slot);
    Atomics.store(words, slot + START, startMs);
    Atomics.store(words, slot + PREVIOUS, previous);
    Atomics.store(words, slot + CURRENT, 1);
    this.#slots.end(slot);
  }

  /** The last second's attempts in one table, estimated. */
  #attemptsIn(worker: number): number {
    let attempts = 0;
    for (let reads = 0; reads < READS_MAX; reads++) {
      const slot = this.#slots.find(worker);
      if (slot === NO_SLOT) return 0;
      attempts = this.#isFree(slot) ? 0 : this.#estimate(slot);
      if (this.#slots.isSame(slot)) break;
    }
    return attempts;
  }

  #estimate(slot: number): number {
    const ageMs = Math.max(0, this.#ageMs(slot));
    // The millisecond that is running has left the last second already: else a steady rate at the limit would be over it.
    const overlap = 1 - ((ageMs % WINDOW_MS) + 1) / WINDOW_MS;
    const current = this.#field(slot, CURRENT);
    return ageMs < WINDOW_MS ? current + this.#field(slot, PREVIOUS) * overlap : current * overlap;
  }

  #ageMs(slot: number): number {
    return (this.#nowMs - this.#field(slot, START)) | 0;
  }

  #field(slot: number, field: number): number {
    return Atomics.load(this.#slots.words, slot + field);
  }
}
