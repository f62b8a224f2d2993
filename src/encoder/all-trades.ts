/** Workers that want the trades of all symbols, by lane. One per encoder, shared by its trades sources. */
import { LANES } from '../threads/lanes.js';

export class AllTrades {
  readonly #masks = new Uint32Array(LANES);

  want(lane: number, worker: number): void {
    this.#masks[lane] = (this.#masks[lane] ?? 0) | (1 << worker);
  }

  unwant(lane: number, worker: number): void {
    this.#masks[lane] = (this.#masks[lane] ?? 0) & ~(1 << worker);
  }

  forget(worker: number): void {
    for (let lane = 0; lane < LANES; lane++) this.unwant(lane, worker);
  }

  mask(lane: number): number {
    return this.#masks[lane] ?? 0;
  }
}
