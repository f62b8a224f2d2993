/**
 * Seeded random numbers: sfc32 (Chris Doty-Humphrey's "Small Fast Counting", 128 bits of state, passes PractRand).
 * Equal seeds give equal sequences on every machine. Not for secrets.
 */
export class SeededRandom {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seed a whole number, 0 to 2^32 − 1. @param stream separates generators with the same seed. */
  constructor(seed: number, stream = 0) {
    this.#a = seed >>> 0;
    this.#b = stream >>> 0;
    this.#c = 0x9e3779b9;
    for (let i = 0; i < WARM_UP_ROUNDS; i++) this.uint32();
  }

  /** A whole number, 0 to 2^32 − 1. */
  uint32(): number {
    const result = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }

  /** From 0 to just below 1. */
  fraction(): number {
    return this.uint32() / 2 ** 32;
  }

  /** A whole number, 0 to `limit` − 1; `limit` from 1 to 2^32. */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit);
  }

  /** A whole number, `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }
}

/** sfc32's author asks for 12; then seeds that differ in one bit are unrelated. */
const WARM_UP_ROUNDS = 12;
