/**
 * How much each key used in the last second, over all workers of the process, in shared memory.
 *
 * A slot holds two windows of one second, the first beginning with the key's first use. The rate is estimated as what
 * the current window has plus as much of the previous one as the last second still overlaps. So in the first second of a
 * key the estimate is exact, and two seconds after its last use there is nothing left of it.
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
export const RATE_MEMORY_MS = 2 * WINDOW_MS;
/** A slot that changed while it was read is read again this often; then the estimate is what was read last. */
const READS_MAX = 3;

/**
 * Allocates the tables, 24 bytes a slot.
 * @param slotsPerWorker a power of two
 * @throws {RangeError} for another number of slots
 */
export function createSharedRates(workers: number, seed: HashSeed, slotsPerWorker: number): SharedArrayBuffer {
  return createSharedSlots(workers, slotsPerWorker, FIELDS, seed);
}

/** One worker's end of the rates. Times are of a clock that all workers share and that is never set; its lower 32 bits count. */
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

  /** Counts a use; false when the table is full, and nothing was counted. @param amount above 0, below 2^31 in two seconds */
  add(key: string, amount: number, nowMs: number): boolean {
    this.#seek(key, nowMs);
    const slot = this.#slots.claim(this.#worker, this.#isFree);
    if (slot === NO_SLOT) return false;
    if (this.#isFree(slot)) this.#begin(slot, this.#nowMs, 0, amount);
    else if (this.#ageMs(slot) < WINDOW_MS) Atomics.add(this.#slots.words, slot + CURRENT, amount);
    else this.#begin(slot, this.#field(slot, START) + WINDOW_MS, this.#field(slot, CURRENT), amount);
    return true;
  }

  /** What the key used in the second before this time, which may be to come. */
  used(key: string, nowMs: number): number {
    this.#seek(key, nowMs);
    let used = 0;
    for (let worker = 0; worker < this.#slots.workers; worker++) used += this.#usedIn(worker);
    return used;
  }

  /** Forgets what `worker` counted. It must have ended, and its successor not have begun. */
  clear(worker: number): void {
    this.#slots.clear(worker);
  }

  #seek(key: string, nowMs: number): void {
    this.#nowMs = nowMs | 0;
    this.#slots.seek(key);
  }

  /** A new window, with the use that begins it. */
  #begin(slot: number, startMs: number, previous: number, amount: number): void {
    const { words } = this.#slots;
    this.#slots.begin(slot);
    Atomics.store(words, slot + START, startMs);
    Atomics.store(words, slot + PREVIOUS, previous);
    Atomics.store(words, slot + CURRENT, amount);
    this.#slots.end(slot);
  }

  /** The last second's use in one table, estimated. */
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
