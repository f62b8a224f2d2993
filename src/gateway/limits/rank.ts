/** Who goes first when there is not enough for all: connections without a credential, then retail, institutional last. */
import type { Credential } from '../../auth/credential.js';

/** From the first to go to the last; each has a cell of its own in tables by rank. */
export const RANKS = ['anonymous', 'retail', 'institutional'] as const;
export type Rank = (typeof RANKS)[number];

export function rankOf({ sub, tier }: Pick<Credential, 'sub' | 'tier'>): Rank {
  return sub === '' ? 'anonymous' : tier;
}

/** One Int32 a worker and rank, summed over the workers. */
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

  /** Of all workers. */
  total(rank: Rank): number {
    let total = 0;
    for (let at = this.#at(0, rank); at < this.#cells.length; at += RANKS.length)
      total += Atomics.load(this.#cells, at);
    return total;
  }

  /** What this worker had is gone. */
  clear(): void {
    for (const rank of RANKS) this.set(rank, 0);
  }

  #at(worker: number, rank: Rank): number {
    return worker * RANKS.length + RANKS.indexOf(rank);
  }
}
