/** The owner that per-user bounds apply to: a user, or the address of a connection without a credential. */
import { HalfSipHash, type HashSeed } from './key-hash.js';

/** How many of a hash's 64 bits are used: as many as a number represents exactly. */
const LOW_BITS = 21;

export class Owners {
  readonly #hash: HalfSipHash;

  /** @param seed the same in all threads and secret, so that clients cannot pick an address that counts as another's */
  constructor(seed: HashSeed) {
    this.#hash = new HalfSipHash(seed);
  }

  /** The key to count by: the user, or without one the address. User keys and address keys never collide. */
  static keyOf(user: string, address: string): string {
    return user === '' ? `a ${address}` : `u ${user}`;
  }

  /** The number that stands for it. */
  of(user: string, address: string): number {
    this.#hash.update(Owners.keyOf(user, address));
    return (this.#hash.high >>> 0) * 2 ** LOW_BITS + (this.#hash.low >>> (32 - LOW_BITS));
  }
}
