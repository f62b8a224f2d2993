/** Who shares in what is bounded by user: a user, or the address of a connection without a credential. */
import { HalfSipHash, type HashSeed } from './key-hash.js';

/** Of the 64 bits of a hash, as many as a number holds exactly. */
const LOW_BITS = 21;

export class Owners {
  readonly #hash: HalfSipHash;

  /** @param seed the same in all threads, and unknown to others: nobody can pick an address that counts as another's */
  constructor(seed: HashSeed) {
    this.#hash = new HalfSipHash(seed);
  }

  /** The key by which the user, or without one the address, is counted. No user's is an address's. */
  static keyOf(user: string, address: string): string {
    return user === '' ? `a ${address}` : `u ${user}`;
  }

  /** The number that stands for it. */
  of(user: string, address: string): number {
    this.#hash.update(Owners.keyOf(user, address));
    return (this.#hash.high >>> 0) * 2 ** LOW_BITS + (this.#hash.low >>> (32 - LOW_BITS));
  }
}
