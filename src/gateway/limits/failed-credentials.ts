/**
 * Credentials that were refused, by address, over all workers of the process: an address that guesses is told to wait, twice as
 * long with every further failure. Who asks decides what waits: at an address that clients share, only what is wrong.
 *
 * A slot holds its worker's failures of the key and the time until which the key has to wait; an address's failures are the
 * sum over all tables, its wait the longest. Both are forgotten when the address has not failed for `MEMORY_MS`.
 */
import type { HashSeed } from './key-hash.js';
import { createSharedSlots, NO_SLOT, SharedSlots } from './shared-slots.js';

const FIELDS = 3;
/** When the key failed last, ms modulo 2^32. */
const LAST = 0;
const COUNT = 1;
/** Until when it has to wait, ms modulo 2^32; counts only while the slot does. */
const UNTIL = 2;

/** What the first failure beyond the limit costs; each further one costs twice as much as the one before. */
export const WAIT_MS_MIN = 1_000;
export const WAIT_MS_MAX = 300_000;
/** Longer than the longest wait: who comes back after it and fails again waits that long again. */
export const MEMORY_MS = 2 * WAIT_MS_MAX;
/** A slot from further ahead than this was written before the clock was set back. */
const CLOCK_STEP_MS = 1_000;
/** A slot that changed while it was read is read again this often; then what was read last counts. */
const READS_MAX = 3;

/** 192 KiB a worker: addresses whose failures one worker remembers at once. Failures of further ones are not counted. */
export const FAILURE_SLOTS_PER_WORKER = 2 ** 13;

/**
 * Allocates the tables, 24 bytes a slot.
 * @param slotsPerWorker a power of two
 * @throws {RangeError} for another number of slots
 */
export function createFailedCredentials(
  workers: number,
  seed: HashSeed,
  slotsPerWorker: number = FAILURE_SLOTS_PER_WORKER,
): SharedArrayBuffer {
  return createSharedSlots(workers, slotsPerWorker, FIELDS, seed);
}

/** One worker's end of the tables. */
export class FailedCredentials {
  /** `overflow`: failures that were not counted, as the table was full: no address may lock out others by having many. */
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

  /** @param freeFailures that cost nothing: people mistype, and many of them may share an address */
  constructor(buffer: SharedArrayBuffer, worker: number, freeFailures: number) {
    this.#slots = new SharedSlots(buffer);
    this.#worker = worker;
    this.#freeFailures = freeFailures;
  }

  /** How long `key` has to wait before it may fail again; 0: not at all. @param nowMs see `failed` */
  waitMs(key: string, nowMs: number): number {
    this.#seek(key, nowMs);
    let longest = 0;
    this.#each(slot => {
      longest = Math.max(longest, (this.#field(slot, UNTIL) - this.#nowMs) | 0);
    });
    return Math.min(longest, WAIT_MS_MAX);
  }

  /** Counts a refused credential. @param nowMs of a clock that all workers share, such as `sharedNowMs` */
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

  /** Forgets what `worker` counted. It must have ended, and its successor not have begun. */
  clear(worker: number): void {
    this.#slots.clear(worker);
  }

  #seek(key: string, nowMs: number): void {
    this.#nowMs = nowMs | 0;
    this.#slots.seek(key);
  }

  /** Every table's slot of the key that still counts. */
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
