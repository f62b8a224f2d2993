/** The simulator's seeded random numbers, with what generated input needs besides. */
import { SeededRandom } from '../../src/feed/simulator/seeded-random.js';

export class FuzzRandom extends SeededRandom {
  chance(share: number): boolean {
    return this.fraction() < share;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Uint8Array.from({ length }, () => this.below(256)));
  }
}
