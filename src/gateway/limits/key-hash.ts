/** Hashes of keys (addresses, user ids) for tables in shared memory. */

/**
 * 64 random bits as two Int32, one pair per process. They are secret, so that clients cannot pick keys that collide.
 */
export type HashSeed = readonly [number, number];

/** A hash that leaves its 64 bits in fields, so that a call allocates nothing. */
export interface KeyHash {
  readonly low: number;
  readonly high: number;
  /** Hashes `key` into `low` and `high`. */
  update(key: string): void;
}

const COMPRESSION_ROUNDS = 2;
const FINALIZATION_ROUNDS = 4;

/**
 * HalfSipHash-2-4 with 64 bits of output (J.-P. Aumasson, D. J. Bernstein; the 32-bit variant of SipHash) over the
 * key's UTF-16 code units, low byte first. It must be a keyed function: plain multiply-and-shift hashes have
 * collisions under every seed.
 */
export class HalfSipHash implements KeyHash {
  low = 0;
  high = 0;
  readonly #seed: HashSeed;
  #v0 = 0;
  #v1 = 0;
  #v2 = 0;
  #v3 = 0;

  constructor(seed: HashSeed) {
    this.#seed = seed;
  }

  update(key: string): void {
    const [k0, k1] = this.#seed;
    this.#v0 = k0;
    this.#v1 = k1 ^ 0xee;
    this.#v2 = 0x6c796765 ^ k0;
    this.#v3 = 0x74656462 ^ k1;
    const pairs = key.length & ~1;
    for (let i = 0; i < pairs; i += 2) this.#compress(key.charCodeAt(i) | (key.charCodeAt(i + 1) << 16));
    const tail = key.length > pairs ? key.charCodeAt(pairs) : 0;
    this.#compress(((key.length * 2) << 24) | tail);
    this.#v2 ^= 0xee;
    this.#rounds(FINALIZATION_ROUNDS);
    this.low = this.#v1 ^ this.#v3;
    this.#v1 ^= 0xdd;
    this.#rounds(FINALIZATION_ROUNDS);
    this.high = this.#v1 ^ this.#v3;
  }

  #compress(word: number): void {
    this.#v3 ^= word;
    this.#rounds(COMPRESSION_ROUNDS);
    this.#v0 ^= word;
  }

  #rounds(count: number): void {
    let v0 = this.#v0;
    let v1 = this.#v1;
    let v2 = this.#v2;
    let v3 = this.#v3;
    for (let i = 0; i < count; i++) {
      v0 = (v0 + v1) | 0;
      v2 = (v2 + v3) | 0;
      v1 = rotate(v1, 5) ^ v0;
      v3 = rotate(v3, 8) ^ v2;
      v0 = (rotate(v0, 16) + v3) | 0;
      v2 = (v2 + v1) | 0;
      v3 = rotate(v3, 7) ^ v0;
      v1 = rotate(v1, 13) ^ v2;
      v2 = rotate(v2, 16);
    }
    this.#v0 = v0;
    this.#v1 = v1;
    this.#v2 = v2;
    this.#v3 = v3;
  }
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
