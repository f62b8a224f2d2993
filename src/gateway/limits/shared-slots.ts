/**
 * Tables of keyed slots in shared memory, one table per worker: that worker alone writes it, all workers read all tables,
 * and nobody waits for anybody.
 *
 * Open addressing with linear probing, at most `PROBES_MAX` slots from the key's home. A slot once used stays used, and
 * nothing is ever moved: its content becomes free (a count of 0, an old window) and goes to the next key that comes by. So a
 * search may stop at the first empty slot, whatever is reused around it, and the table needs neither tombstones nor rebuilds.
 *
 * A slot's generation is odd while the slot changes hands or while fields that belong together are written. A reader takes
 * the generation, then the key, then the fields, and asks at last whether the generation is still the same; if not, the
 * fields may be those of two keys. What a slot that changed hands held for its old key was free at that moment.
 *
 * Keys are known by 64 bits of hash. Two keys of one hash share a slot; among 100 000 keys that happens once in 3 billion
 * processes.
 */
import { HalfSipHash, type HashSeed, type KeyHash } from './key-hash.js';

/** What searches return when there is no slot. */
export const NO_SLOT = -1;
/** Longest way of a key from its home. Random keys first find no slot when about three quarters of a table are full. */
export const PROBES_MAX = 128;
export const SLOTS_MAX = 2 ** 20;
/** How often a reader looks again at a slot being written, which takes nanoseconds unless its writer is suspended in it. */
const SPINS_MAX = 64;

const HEADER_WORDS = 16;
const WORKERS = 0;
const SLOTS = 1;
const FIELDS = 2;
const SEED = 3;

/** In a slot, before its fields. The other half of the key's hash is its tag; tags lie together for short searches. */
const GENERATION = 0;
const HIGH = 1;
const FIELDS_AT = 2;

/**
 * Allocates the tables of all workers.
 * @param slots a table's slots: a power of two, at most `SLOTS_MAX`
 * @param fields Int32 fields of a slot
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

/** One thread's view of all tables. A slot is named by the place of its first field in `words`. */
export class SharedSlots {
  readonly words: Int32Array;
  readonly workers: number;
  readonly #slots: number;
  readonly #fields: number;
  readonly #probes: number;
  readonly #hash: KeyHash;
  #tag = 0;
  #high = 0;
  /** Of the slot found last. */
  #generation = 0;

  /** @param hash another one than the tables' own is for tests; all threads must use the same */
  constructor(buffer: SharedArrayBuffer, hash?: KeyHash) {
    this.words = new Int32Array(buffer);
    this.workers = Atomics.load(this.words, WORKERS);
    this.#slots = Atomics.load(this.words, SLOTS);
    this.#fields = Atomics.load(this.words, FIELDS);
    this.#probes = Math.min(PROBES_MAX, this.#slots);
    this.#hash = hash ?? new HalfSipHash([Atomics.load(this.words, SEED), Atomics.load(this.words, SEED + 1)]);
  }

  /** Names the key that the calls after this one are about. */
  seek(key: string): void {
    this.#hash.update(key);
    this.#high = this.#hash.high;
    // 0 is the tag of an empty slot.
    this.#tag = this.#hash.low || 1;
  }

  /** The key's slot in the table of `worker`, or `NO_SLOT`. What is read from it counts if `isSame` afterwards. */
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

  /** True when the slot found last has been the same key's, its fields unbroken, since `find`. */
  isSame(slot: number): boolean {
    return Atomics.load(this.words, slot - FIELDS_AT + GENERATION) === this.#generation;
  }

  /**
   * The key's slot in the caller's own table; where it has none, the first free one, with all fields 0. `NO_SLOT` when
   * none of the slots that the key may have is free.
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

  /** Before fields that belong together are written, in the caller's own table; `end` follows. */
  begin(slot: number): void {
    // Not + 1: a worker that died in here left it odd.
    const at = slot - FIELDS_AT + GENERATION;
    Atomics.store(this.words, at, Atomics.load(this.words, at) | 1);
  }

  end(slot: number): void {
    Atomics.add(this.words, slot - FIELDS_AT + GENERATION, 1);
  }

  /** Empties the table of a worker that has ended. Until its successor starts, the caller is the table's writer. */
  clear(worker: number): void {
    const tags = this.#tagsOf(worker);
    for (let index = 0; index < this.#slots; index++) {
      if (Atomics.load(this.words, tags + index) !== 0) this.#assign(tags + index, this.#slotAt(tags, index), 0, 0);
    }
  }

  #assign(tagAt: number, slot: number, tag: number, high: number): void {
    this.begin(slot);
    Atomics.store(this.words, slot - FIELDS_AT + HIGH, high);
    for (let field = 0; field < this.#fields; field++) Atomics.store(this.words, slot + field, 0);
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
    return HEADER_WORDS + worker * this.#slots * (1 + FIELDS_AT + this.#fields);
  }

  #slotAt(tags: number, index: number): number {
    return tags + this.#slots + index * (FIELDS_AT + this.#fields) + FIELDS_AT;
  }
}
