/**
 * Counts by key (connections of an address or a user) over all workers of the process, in shared memory.
 *
 * Each worker counts in a table of its own, and a total is the sum over all tables. A worker's counts end with its table,
 * which is cleared when it has died.
 */
import type { HashSeed, KeyHash } from './key-hash.js';
import { createSharedSlots, NO_SLOT, SharedSlots } from './shared-slots.js';

const FIELDS = 1;
const COUNT = 0;
const SLOTS_PER_WORKER_MIN = 1024;
/** 2 MiB a worker. */
const SLOTS_PER_WORKER_MAX = 2 ** 17;

/**
 * Slots of a worker's table for at most `keysMax` keys at once, which may all be on one worker: twice as many, within 1024
 * and 131 072. The largest table takes about 100 000 keys.
 */
export function countSlotsFor(keysMax: number): number {
  const slots = 2 ** Math.ceil(Math.log2(2 * keysMax));
  return Math.min(SLOTS_PER_WORKER_MAX, Math.max(SLOTS_PER_WORKER_MIN, slots));
}

/**
 * Allocates the tables, 16 bytes a slot.
 * @param slotsPerWorker a power of two; how many keys one worker can count at once, see {@link countSlotsFor}
 * @throws {RangeError} for another number of slots
 */
export function createSharedCounts(workers: number, slotsPerWorker: number, seed: HashSeed): SharedArrayBuffer {
  return createSharedSlots(workers, slotsPerWorker, FIELDS, seed);
}

/** One worker's end of the counts. */
export class SharedCounts {
  /** `full`: calls of `add` that found no slot. */
  readonly counters = { full: 0 };
  readonly #slots: SharedSlots;
  readonly #worker: number;
  readonly #isFree = (slot: number) => Atomics.load(this.#slots.words, slot + COUNT) === 0;

  /** @param hash for tests; see {@link SharedSlots} */
  constructor(buffer: SharedArrayBuffer, worker: number, hash?: KeyHash) {
    this.#slots = new SharedSlots(buffer, hash);
    this.#worker = worker;
  }

  /**
   * Counts `key` once more in this worker. Returns the total over all workers: of several that add at once, at least the
   * last one sees all of them, so a limit cannot be passed; it may be that more are refused than had to be.
   *
   * `Infinity` when the table is full: nothing was counted, and the caller refuses. Keys in abundance must not switch a
   * limit off.
   */
  add(key: string): number {
    this.#slots.seek(key);
    const slot = this.#slots.claim(this.#worker, this.#isFree);
    if (slot === NO_SLOT) {
      this.counters.full++;
      return Number.POSITIVE_INFINITY;
    }
    Atomics.add(this.#slots.words, slot + COUNT, 1);
    return this.#total();
  }

  /** Takes one `add` of this worker back. @returns false where there is none, which changes nothing */
  remove(key: string): boolean {
    this.#slots.seek(key);
    const slot = this.#slots.find(this.#worker);
    if (slot === NO_SLOT || this.#isFree(slot)) return false;
    Atomics.sub(this.#slots.words, slot + COUNT, 1);
    return true;
  }

  /** The key's count over all workers. What others add or remove meanwhile may be in it or not. */
  total(key: string): number {
    this.#slots.seek(key);
    return this.#total();
  }

  /** Takes back all that `worker` counted. It must have ended, and its successor not have begun. */
  clear(worker: number): void {
    this.#slots.clear(worker);
  }

  #total(): number {
    let total = 0;
    for (let worker = 0; worker < this.#slots.workers; worker++) {
      const slot = this.#slots.find(worker);
      if (slot === NO_SLOT) continue;
      const count = Atomics.load(this.#slots.words, slot + COUNT);
      // Else it changed hands meanwhile: the key's count was 0 then.
      if (this.#slots.isSame(slot)) total += count;
    }
    return total;
  }
}
