/**
 * Failed credentials by address, over all workers of the process. An address that guesses has to wait, twice as long
 * after every further failure. The caller decides what waits: at an address that clients share, only wrong credentials
 * do.
 *
 * A slot holds its worker's failures for the key and the time until which the key has to wait. An address's failures
 * are the sum over all tables, its wait the longest. Both are forgotten when the address has not failed for
 * `MEMORY_MS`.
 */
import type { HashSeed } from './key-hash.js';
import { createSharedSlots, NO_SLOT, SharedSlots } from './shared-slots.js';

const FIELDS = 3;
/** When the key last failed, ms modulo 2^32. */
const LAST = 0;
const COUNT = 1;
/** Until when it has to wait, ms modulo 2^32; valid only while the slot is. */
const UNTIL = 2;

/** Wait after the first failure beyond the limit; each further failure doubles it. */
export const WAIT_MS_MIN = 1_000;
export const WAIT_MS_MAX = 300_000;
/** Longer than the longest wait: an address that returns after that wait and fails again waits as long again. */
export const MEMORY_MS = 2 * WAIT_MS_MAX;
/** A slot from further in the future than this was written before the clock was set back. */
const CLOCK_STEP_MS = 1_000;
/** How often to reread a slot that changed while it was read; after that, the last read counts. */
const READS_MAX = 3;

/**
 * 192 KiB per worker: how many addresses one worker can remember failures for. Failures of further ones are not
 * counted.
 */
const FAILURE_SLOTS_PER_WORKER = 2 ** 13;

/**
 * Allocates the tables, 24 bytes a slot.
 * @param slotsPerWorker a power of two
 * @throws {RangeError} for any other number
 */
export function createFailedCredentials(
  workers: number,
  seed: HashSeed,
  slotsPerWorker: number = FAILURE_SLOTS_PER_WORKER,
): SharedArrayBuffer {
  return createSharedSlots(workers, slotsPerWorker, FIELDS, seed);
}

/** One worker's access to the tables. */
export class FailedCredentials {
  /**
   * `overflow`: failures not counted because the table was full: no client may lock out others by using many
   * addresses.
   */
  readonly counters = { overflow: 0 };
  readonly #slots: SharedSlots;
  readonly #worker: number;
  readonly #freeFailures: number;
  readonly #isFree = (slot: number) => {
    const ageMs = (this.#nowMs - this.#field(slot, LAST)) | 0;
    return ageMs >= MEMORY_MS || ageMs < -CLOCK_STEP_MS || this.#field(slot, COUNT) === 0;
  };
  /** Modulo 2^32, as in the slots. */
  #nowMs = 0;

  /** @param freeFailures failures without a wait: people mistype, and many of them may share an address */
  constructor(buffer: SharedArrayBuffer, worker: number, freeFailures: number) {
    this.#slots = new SharedSlots(buffer);
    this.#worker = worker;
    this.#freeFailures = freeFailures;
  }

  /** How long `key` has to wait before it may fail again; 0: no wait. @param nowMs see `failed` */
  waitMs(key: string, nowMs: number): number {
    this.#seek(key, nowMs);
    let longest = 0;
    this.#each(slot => {
      longest = Math.max(longest, (this.#field(slot, UNTIL) - this.#nowMs) | 0);
    });
    return Math.min(longest, WAIT_MS_MAX);
  }

  /** Counts a failed credential. @param nowMs from a clock that all workers share, such as `sharedNowMs` */
  failed(key: string, nowMs: number): void {
    this.#seek(key, nowMs);
    let failures = 1;
    this.#each(slot => {
      failures += this.#field(slot, COUNT);
    });
    const beyond = failures - this.#freeFailures;
    const waitMs = beyond <= 0 ? 0 : Math.min(WAIT_MS_MAX, WAIT_MS_MIN * 2 ** (beyond - 1));
    const slot = this.#slots.claim(this.#worker, this.#isFree);
    if (slot === NO_SLOT) {
      this.counters.overflow++;
      return;
    }
    const count = this.#isFree(slot) ? 0 : this.#field(slot, COUNT);
    const { words } = this.#slots;
    this.#slots.begin(slot);
    Atomics.store(words, slot + LAST, this.#nowMs);
    Atomics.store(words, slot + COUNT, count + 1);
    Atomics.store(words, slot + UNTIL, (this.#nowMs + waitMs) | 0);
    this.#slots.end(slot);
  }

  /** Clears what `worker` counted. Call after it has ended and before its successor starts. */
  clear(worker: number): void {
    this.#slots.clear(worker);
  }

  #seek(key: string, nowMs: number): void {
    this.#nowMs = nowMs | 0;
    this.#slots.seek(key);
  }

  /** Visits the key's valid slot in every table. */
  #each(take: (slot: number) => void): void {
    for (let worker = 0; worker < this.#slots.workers; worker++) {
      for (let reads = 0; reads < READS_MAX; reads++) {
        const slot = this.#slots.find(worker);
        if (slot === NO_SLOT || this.#isFree(slot)) break;
        const isWhole = this.#slots.isSame(slot);
        if (!isWhole && reads < READS_MAX - 1) continue;
        take(slot);
        break;
      }
    }
  }

  #field(slot: number, field: number): number {
    return Atomics.load(this.#slots.words, slot + field);
  }
}
