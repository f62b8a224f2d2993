/**
 * Each key's usage in the last second, over all workers of the process, in shared memory.
 *
 * A slot holds two windows of one second, the first beginning with the key's first use. The rate is estimated as the
 * current window plus the part of the previous one that still overlaps the last second. So the estimate is exact in a
 * key's first second, and zero two seconds after its last use.
 */
import type { HashSeed } from './key-hash.js';
import { createSharedSlots, NO_SLOT, SharedSlots } from './shared-slots.js';

const FIELDS = 3;
/** When the current window began, ms modulo 2^32. */
const START = 0;
const CURRENT = 1;
const PREVIOUS = 2;

const WINDOW_MS = 1000;
/** After this time a slot holds no information and is free. */
export const RATE_MEMORY_MS = 2 * WINDOW_MS;
/** How often to reread a slot that changed while it was read; after that, the last read is the estimate. */
const READS_MAX = 3;

/**
 * Allocates the tables, 24 bytes a slot.
 * @param slotsPerWorker a power of two
 * @throws {RangeError} for any other number
 */
export function createSharedRates(workers: number, seed: HashSeed, slotsPerWorker: number): SharedArrayBuffer {
  return createSharedSlots(workers, slotsPerWorker, FIELDS, seed);
}

/**
 * One worker's access to the rates. Times are from a clock that all workers share and that is never set; only its
 * lower 32 bits matter.
 */
export class SharedRates {
  readonly #slots: SharedSlots;
  readonly #worker: number;
  readonly #isFree = (slot: number) => {
    const ageMs = this.#ageMs(slot);
    // A window that begins more than a window from now: the clock was set back.
    return ageMs >= RATE_MEMORY_MS || ageMs < -WINDOW_MS || this.#field(slot, CURRENT) === 0;
  };
  /** Modulo 2^32, as in the slots. */
  #nowMs = 0;

  constructor(buffer: SharedArrayBuffer, worker: number) {
    this.#slots = new SharedSlots(buffer);
    this.#worker = worker;
  }

  /**
   * Counts a use; false when the table is full and nothing was counted.
   * @param amount above 0, below 2^31 in two seconds
   */
  add(key: string, amount: number, nowMs: number): boolean {
    this.#seek(key, nowMs);
    const slot = this.#slots.claim(this.#worker, this.#isFree);
    if (slot === NO_SLOT) return false;
    if (this.#isFree(slot)) this.#begin(slot, this.#nowMs, 0, amount);
    else if (this.#ageMs(slot) < WINDOW_MS) Atomics.add(this.#slots.words, slot + CURRENT, amount);
    else this.#begin(slot, this.#field(slot, START) + WINDOW_MS, this.#field(slot, CURRENT), amount);
    return true;
  }

  /** The key's usage in the second before this time, which may be in the future. */
  used(key: string, nowMs: number): number {
    this.#seek(key, nowMs);
    let used = 0;
    for (let worker = 0; worker < this.#slots.workers; worker++) used += this.#usedIn(worker);
    return used;
  }

  /** Clears what `worker` counted. Call after it has ended and before its successor starts. */
  clear(worker: number): void {
    this.#slots.clear(worker);
  }

  #seek(key: string, nowMs: number): void {
    this.#nowMs = nowMs | 0;
    this.#slots.seek(key);
  }

  /** Starts a new window with its first use. */
  #begin(slot: number, startMs: number, previous: number, amount: number): void {
    const { words } = this.#slots;
    this.#slots.begin(slot);
    Atomics.store(words, slot + START, startMs);
    Atomics.store(words, slot + PREVIOUS, previous);
    Atomics.store(words, slot + CURRENT, amount);
    this.#slots.end(slot);
  }

  /** The estimated usage of the last second in one table. */
  #usedIn(worker: number): number {
    let used = 0;
    for (let reads = 0; reads < READS_MAX; reads++) {
      const slot = this.#slots.find(worker);
      if (slot === NO_SLOT) return 0;
      used = this.#isFree(slot) ? 0 : this.#estimate(slot);
      if (this.#slots.isSame(slot)) break;
    }
    return used;
  }

  #estimate(slot: number): number {
    const ageMs = Math.max(0, this.#ageMs(slot));
    // The current millisecond has already left the last second: otherwise a steady rate at the limit would exceed it.
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
