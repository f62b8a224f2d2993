/** Who has to go first when resources run out: connections without a credential, then retail, institutional last. */
import type { Credential } from '../../auth/credential.js';

/** In the order in which they have to go; each has its own cell in tables by rank. */
export const RANKS = ['anonymous', 'retail', 'institutional'] as const;
export type Rank = (typeof RANKS)[number];

export function rankOf({ sub, tier }: Pick<Credential, 'sub' | 'tier'>): Rank {
  return sub === '' ? 'anonymous' : tier;
}

/** One Int32 per worker and rank, summed over the workers. */
export class RankCells {
  readonly #cells: Int32Array;
  readonly #worker: number;

  constructor(buffer: SharedArrayBuffer, worker: number) {
    this.#cells = new Int32Array(buffer);
    this.#worker = worker;
  }

  static create(workers: number): SharedArrayBuffer {
    return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT * RANKS.length * workers);
  }

  add(rank: Rank, amount: number): void {
    Atomics.add(this.#cells, this.#at(this.#worker, rank), amount);
  }

  set(rank: Rank, value: number): void {
    Atomics.store(this.#cells, this.#at(this.#worker, rank), value);
  }

  /** Over all workers. */
  total(rank: Rank): number {
    let total = 0;
    for (let at = this.#at(0, rank); at < this.#cells.length; at += RANKS.length)
      total += Atomics.load(this.#cells, at);
    return total;
  }

  /** Clears this worker's cells. */
  clear(): void {
    for (const rank of RANKS) this.set(rank, 0);
  }

  #at(worker: number, rank: Rank): number {
    return worker * RANKS.length + RANKS.indexOf(rank);
  }
}
