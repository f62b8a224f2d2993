/**
 * Each key's usage in the last second, over all workers of the process, in shared memory.
 *
 * A slot counts by parts of a second, the first part beginning with the key's first use. The rate is estimated as all
 * parts that began in the last second, plus the share of the one before them that still overlaps it. So the estimate is
 * exact in a key's first second, and zero once a second and a part have passed since its last use. The more parts, the
 * closer it is, and the more memory a slot takes.
 */
import type { HashSeed } from './key-hash.js';
import { createSharedSlots, NO_SLOT, SharedSlots } from './shared-slots.js';

/** When the newest part began, ms modulo 2^32. */
const START = 0;
/** The uses in the newest part; the older ones follow. */
const NEWEST = 1;

const WINDOW_MS = 1000;
/** How often to reread a slot that changed while it was read; after that, the last read is the estimate. */
const READS_MAX = 3;

/**
 * Allocates the tables, 20 bytes a slot and 4 for each part.
 * @param slotsPerWorker a power of two
 * @param parts a divisor of 1000; more than 1 where the estimate must be close
 * @throws {RangeError} for any other number of slots
 */
export function createSharedRates(
  workers: number,
  seed: HashSeed,
  slotsPerWorker: number,
  parts = 1,
): SharedArrayBuffer {
  return createSharedSlots(workers, slotsPerWorker, NEWEST + parts + 1, seed);
}

/**
 * One worker's access to the rates. Times are from a clock that all workers share and that is never set; only its
 * lower 32 bits matter.
 */
export class SharedRates {
  /** How long a key's usage counts. After that its slot holds no information and is free. */
  readonly memoryMs: number;
  readonly #slots: SharedSlots;
  readonly #worker: number;
  readonly #parts: number;
  readonly #partMs: number;
  readonly #isFree = (slot: number) => {
    const ageMs = this.#ageMs(slot);
    // A part that begins more than a second from now: the clock was set back.
    return ageMs >= this.memoryMs || ageMs < -WINDOW_MS || this.#field(slot, NEWEST) === 0;
  };
  /** Modulo 2^32, as in the slots. */
  #nowMs = 0;

  constructor(buffer: SharedArrayBuffer, worker: number) {
    this.#slots = new SharedSlots(buffer);
    this.#worker = worker;
    this.#parts = this.#slots.fields - NEWEST - 1;
    this.#partMs = WINDOW_MS / this.#parts;
    this.memoryMs = WINDOW_MS + this.#partMs;
  }

  /**
   * Counts a use; false when the table is full and nothing was counted.
   * @param amount above 0, below 2^31 in two seconds
   */
  add(key: string, amount: number, nowMs: number): boolean {
    this.#seek(key, nowMs);
    const slot = this.#slots.claim(this.#worker, this.#isFree);
    if (slot === NO_SLOT) return false;
    if (this.#isFree(slot)) this.#begin(slot, this.#nowMs, this.#parts + 1, amount);
    else if (this.#ageMs(slot) < this.#partMs) Atomics.add(this.#slots.words, slot + NEWEST, amount);
    else {
      const passed = Math.floor(this.#ageMs(slot) / this.#partMs);
      this.#begin(slot, this.#field(slot, START) + passed * this.#partMs, passed, amount);
    }
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

  /** Starts a new part with its first use. @param passed parts that began since the newest one */
  #begin(slot: number, startMs: number, passed: number, amount: number): void {
    const { words } = this.#slots;
    this.#slots.begin(slot);
    Atomics.store(words, slot + START, startMs);
    for (let part = this.#parts; part > 0; part--) {
      const used = part >= passed ? Atomics.load(words, slot + NEWEST + part - passed) : 0;
      Atomics.store(words, slot + NEWEST + part, used);
    }
    Atomics.store(words, slot + NEWEST, amount);
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
    let used = 0;
    for (let part = 0; part <= this.#parts; part++) {
      const begunMs = ageMs + part * this.#partMs;
      // The current millisecond has already left the last second: otherwise a steady rate at the limit would exceed it.
      const overlap = begunMs < WINDOW_MS ? 1 : 1 - (begunMs - WINDOW_MS + 1) / this.#partMs;
      if (overlap <= 0) break;
      used += this.#field(slot, NEWEST + part) * overlap;
    }
    return used;
  }

  #ageMs(slot: number): number {
    return (this.#nowMs - this.#field(slot, START)) | 0;
  }

  #field(slot: number, field: number): number {
    return Atomics.load(this.#slots.words, slot + field);
  }
}
