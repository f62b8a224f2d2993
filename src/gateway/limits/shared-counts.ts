/**
 * Counts by key (connections of an address or a user) over all workers of the process, in shared memory.
 *
 * Each worker counts in its own table, and a total is the sum over all tables. When a worker dies, its table is
 * cleared and its counts are gone.
 */
import type { HashSeed, KeyHash } from './key-hash.js';
import { createSharedSlots, NO_SLOT, SharedSlots } from './shared-slots.js';

const FIELDS = 1;
const COUNT = 0;
const SLOTS_PER_WORKER_MIN = 1024;
/** 2 MiB per worker. */
const SLOTS_PER_WORKER_MAX = 2 ** 17;

/**
 * Slots per worker's table for at most `keysMax` keys at once, which may all be on one worker: twice as many, between
 * 1024 and 131,072. The largest table takes about 100,000 keys.
 */
export function countSlotsFor(keysMax: number): number {
  const slots = 2 ** Math.ceil(Math.log2(2 * keysMax));
  return Math.min(SLOTS_PER_WORKER_MAX, Math.max(SLOTS_PER_WORKER_MIN, slots));
}

/**
 * Allocates the tables, 16 bytes a slot.
 * @param slotsPerWorker a power of two; how many keys one worker can count at once, see {@link countSlotsFor}
 * @throws {RangeError} for any other number
 */
export function createSharedCounts(workers: number, slotsPerWorker: number, seed: HashSeed): SharedArrayBuffer {
  return createSharedSlots(workers, slotsPerWorker, FIELDS, seed);
}

/** One worker's access to the counts. */
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
   * Counts `key` once more in this worker. Returns the total over all workers. When several workers add at once, at
   * least the last one sees all of them, so a limit cannot be exceeded; but more may be refused than necessary.
   * `Infinity` when the table is full: nothing was counted, and the caller must refuse. A flood of keys must not
   * disable a limit.
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

  /** Takes back one `add` of this worker. @returns false when there is none, which changes nothing */
  remove(key: string): boolean {
    this.#slots.seek(key);
    const slot = this.#slots.find(this.#worker);
    if (slot === NO_SLOT || this.#isFree(slot)) return false;
    Atomics.sub(this.#slots.words, slot + COUNT, 1);
    return true;
  }

  /** The key's count over all workers. Concurrent adds and removes may or may not be included. */
  total(key: string): number {
    this.#slots.seek(key);
    return this.#total();
  }

  /** How many keys have a count. Goes through all slots. */
  get keys(): number {
    return this.#slots.distinct(this.#isFree);
  }

  /** Takes back everything `worker` counted. Call after it has ended and before its successor starts. */
  clear(worker: number): void {
    this.#slots.clear(worker);
  }

  #total(): number {
    let total = 0;
    for (let worker = 0; worker < this.#slots.workers; worker++) {
      const slot = this.#slots.find(worker);
      if (slot === NO_SLOT) continue;
      const count = Atomics.load(this.#slots.words, slot + COUNT);
      // Otherwise another key took the slot during the read: this key's count was 0 by then.
      if (this.#slots.isSame(slot)) total += count;
    }
    return total;
  }
}
