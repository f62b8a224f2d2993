/**
 * Tables of keyed slots in shared memory, one table per worker. Each worker alone writes its own table, all workers
 * read all tables, and no worker ever waits for another.
 *
 * Open addressing with linear probing, at most `PROBES_MAX` slots from the key's home. A slot once used stays used,
 * and nothing is ever moved: when its content becomes free (a count of 0, an old window), the next key to come by
 * takes it. So a search may stop at the first empty slot, whatever is reused around it, and the table needs neither
 * tombstones nor rebuilds.
 *
 * A slot's generation is odd while the slot changes keys or while related fields are written. A reader reads the
 * generation, then the key, then the fields, and finally checks that the generation is unchanged; if it is not, the
 * fields may belong to two keys. The content for a slot's old key was free at the moment it changed keys.
 *
 * Keys are identified by a 64-bit hash. Two keys with the same hash share a slot; among 100,000 keys that happens once
 * in 3 billion processes.
 */
import { HalfSipHash, type HashSeed, type KeyHash } from './key-hash.js';

/** Searches return this when there is no slot. */
export const NO_SLOT = -1;
/**
 * Maximum distance of a key from its home. Random keys begin to find no slot when a table is about three quarters
 * full.
 */
export const PROBES_MAX = 128;
const SLOTS_MAX = 2 ** 20;
/** How often a reader retries a slot being written, which takes nanoseconds unless its writer is suspended. */
const SPINS_MAX = 64;

const HEADER_WORDS = 16;
const WORKERS = 0;
const SLOTS = 1;
const FIELDS = 2;
const SEED = 3;

/**
 * In a slot, before its fields. The other half of the key's hash is its tag; the tags are contiguous for short
 * searches.
 */
const GENERATION = 0;
const HIGH = 1;
const FIELDS_AT = 2;

/**
 * Allocates the tables of all workers.
 * @param slots per table: a power of two, at most `SLOTS_MAX`
 * @param fields Int32 fields per slot
 */
export function createSharedSlots(workers: number, slots: number, fields: number, seed: HashSeed): SharedArrayBuffer {
  if (slots < 1 || slots > SLOTS_MAX || (slots & (slots - 1)) !== 0) {
    throw new RangeError(`a table's slots must be a power of two of at most ${SLOTS_MAX}, not ${slots}`);
  }
  const words = HEADER_WORDS + workers * slots * (1 + FIELDS_AT + fields);
  const buffer = new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT);
  new Int32Array(buffer).set([workers, slots, fields, ...seed]);
  return buffer;
}

/** One thread's access to all tables. A slot is identified by the index of its first field in `words`. */
export class SharedSlots {
  readonly words: Int32Array;
  readonly workers: number;
  /** In a slot. */
  readonly fields: number;
  readonly #slots: number;
  readonly #probes: number;
  readonly #hash: KeyHash;
  #tag = 0;
  #high = 0;
  /** Generation of the slot found last. */
  #generation = 0;

  /** @param hash a different one is for tests only; all threads must use the same */
  constructor(buffer: SharedArrayBuffer, hash?: KeyHash) {
    this.words = new Int32Array(buffer);
    this.workers = Atomics.load(this.words, WORKERS);
    this.#slots = Atomics.load(this.words, SLOTS);
    this.fields = Atomics.load(this.words, FIELDS);
    this.#probes = Math.min(PROBES_MAX, this.#slots);
    this.#hash = hash ?? new HalfSipHash([Atomics.load(this.words, SEED), Atomics.load(this.words, SEED + 1)]);
  }

  /** Selects the key for the calls that follow. */
  seek(key: string): void {
    this.#hash.update(key);
    this.#high = this.#hash.high;
    // 0 is the tag of an empty slot.
    this.#tag = this.#hash.low || 1;
  }

  /**
   * The key's slot in the table of `worker`, or `NO_SLOT`. What is read from it is valid if `isSame` holds afterwards.
   */
  find(worker: number): number {
    const { words } = this;
    const tags = this.#tagsOf(worker);
    for (let i = 0; i < this.#probes; i++) {
      const index = (this.#high + i) & (this.#slots - 1);
      const tag = Atomics.load(words, tags + index);
      if (tag === 0) return NO_SLOT;
      if (tag !== this.#tag) continue;
      const slot = this.#slotAt(tags, index);
      const generation = this.#settled(slot);
      if ((generation & 1) !== 0) continue;
      const isKey = Atomics.load(words, slot - FIELDS_AT + HIGH) === this.#high;
      if (!isKey || Atomics.load(words, tags + index) !== this.#tag) continue;
      this.#generation = generation;
      return slot;
    }
    return NO_SLOT;
  }

  /** True when the slot found last still holds the same key, with its fields intact since `find`. */
  isSame(slot: number): boolean {
    return Atomics.load(this.words, slot - FIELDS_AT + GENERATION) === this.#generation;
  }

  /**
   * The key's slot in the caller's own table, or else the first free one, with all fields 0. `NO_SLOT` when none of
   * the slots available to the key is free.
   */
  claim(worker: number, isFree: (slot: number) => boolean): number {
    const { words } = this;
    const tags = this.#tagsOf(worker);
    let freeIndex = -1;
    for (let i = 0; i < this.#probes; i++) {
      const index = (this.#high + i) & (this.#slots - 1);
      const tag = Atomics.load(words, tags + index);
      if (tag === 0) {
        if (freeIndex < 0) freeIndex = index;
        break;
      }
      const slot = this.#slotAt(tags, index);
      if (tag === this.#tag && Atomics.load(words, slot - FIELDS_AT + HIGH) === this.#high) return slot;
      if (freeIndex < 0 && isFree(slot)) freeIndex = index;
    }
    if (freeIndex < 0) return NO_SLOT;
    const slot = this.#slotAt(tags, freeIndex);
    this.#assign(tags + freeIndex, slot, this.#tag, this.#high);
    return slot;
  }

  /** Call before writing related fields in the caller's own table; then call `end`. */
  begin(slot: number): void {
    // Not + 1: a worker that died while writing left it odd.
    const at = slot - FIELDS_AT + GENERATION;
    Atomics.store(this.words, at, Atomics.load(this.words, at) | 1);
  }

  end(slot: number): void {
    Atomics.add(this.words, slot - FIELDS_AT + GENERATION, 1);
  }

  /** How many keys have a slot that is not free. Goes through all slots, so call it rarely. */
  distinct(isFree: (slot: number) => boolean): number {
    const { words } = this;
    let keys = 0;
    for (let worker = 0; worker < this.workers; worker++) {
      const tags = this.#tagsOf(worker);
      for (let index = 0; index < this.#slots; index++) {
        const tag = Atomics.load(words, tags + index);
        if (tag === 0) continue;
        const slot = this.#slotAt(tags, index);
        if (isFree(slot)) continue;
        this.#tag = tag;
        this.#high = Atomics.load(words, slot - FIELDS_AT + HIGH);
        if (!this.#isInTableBefore(worker, isFree)) keys++;
      }
    }
    return keys;
  }

  #isInTableBefore(worker: number, isFree: (slot: number) => boolean): boolean {
    for (let other = 0; other < worker; other++) {
      const slot = this.find(other);
      if (slot !== NO_SLOT && !isFree(slot)) return true;
    }
    return false;
  }

  /** Clears the table of a worker that has ended. Until its successor starts, the caller is the table's writer. */
  clear(worker: number): void {
    const tags = this.#tagsOf(worker);
    for (let index = 0; index < this.#slots; index++) {
      if (Atomics.load(this.words, tags + index) !== 0) this.#assign(tags + index, this.#slotAt(tags, index), 0, 0);
    }
  }

  #assign(tagAt: number, slot: number, tag: number, high: number): void {
    this.begin(slot);
    Atomics.store(this.words, slot - FIELDS_AT + HIGH, high);
    for (let field = 0; field < this.fields; field++) Atomics.store(this.words, slot + field, 0);
    Atomics.store(this.words, tagAt, tag);
    this.end(slot);
  }

  #settled(slot: number): number {
    const at = slot - FIELDS_AT + GENERATION;
    let generation = Atomics.load(this.words, at);
    for (let i = 0; (generation & 1) !== 0 && i < SPINS_MAX; i++) generation = Atomics.load(this.words, at);
    return generation;
  }

  #tagsOf(worker: number): number {
    return HEADER_WORDS + worker * this.#slots * (1 + FIELDS_AT + this.fields);
  }

  #slotAt(tags: number, index: number): number {
    return tags + this.#slots + index * (FIELDS_AT + this.fields) + FIELDS_AT;
  }
}
