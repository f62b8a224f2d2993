import type { SeededRandom } from './seeded-random.js';

/** Lowest simulated price: 1.00. */
const PRICE_CENTS_MIN = 100;
/** A price stays within this share of its base price, on either side. */
const PRICE_BAND = 0.01;
/** Half of the quoted spread, as a share of the price. */
const HALF_SPREAD = 0.0001;
const LOTS_PER_UPDATE_MAX = 500;

/**
 * One symbol's price: a random walk in whole cents that always moves, stays within ±1 % of the base price and never
 * falls below 1.00. Integers only, so that all machines round alike.
 */
export class Market {
  readonly basePriceCents: number;
  readonly #lowCents: number;
  readonly #highCents: number;
  readonly #stepCentsMax: number;
  readonly #random: SeededRandom;
  priceCents: number;
  /** Traded since the start, in whole lots. */
  volume: number;

  /**
   * @param basePriceCents at least 100.
   * @param stepMax the largest step, as a share of the base price; every step is at least one cent.
   */
  constructor(basePriceCents: number, stepMax: number, random: SeededRandom) {
    if (basePriceCents < PRICE_CENTS_MIN) throw new RangeError(`base price under 1.00: ${basePriceCents} cents`);
    this.basePriceCents = basePriceCents;
    this.#lowCents = Math.max(PRICE_CENTS_MIN, Math.ceil(basePriceCents * (1 - PRICE_BAND)));
    this.#highCents = Math.floor(basePriceCents * (1 + PRICE_BAND));
    this.#stepCentsMax = Math.max(1, Math.floor(basePriceCents * stepMax));
    this.#random = random;
    this.priceCents = basePriceCents;
    this.volume = random.between(10_000, 1_000_000);
  }

  /** Moves the price by one step, up or down; at an edge of the band, back inside. */
  step(): void {
    const size = this.#random.between(1, this.#stepCentsMax);
    const moved = this.#random.below(2) === 0 ? this.priceCents - size : this.priceCents + size;
    if (moved < this.#lowCents) this.priceCents = Math.min(this.#highCents, this.priceCents + size);
    else if (moved > this.#highCents) this.priceCents = Math.max(this.#lowCents, this.priceCents - size);
    else this.priceCents = moved;
    this.volume += this.#random.between(1, LOTS_PER_UPDATE_MAX);
  }

  /** Best bid in cents: at least 1.00, and below `askCents`. */
  get bidCents(): number {
    return Math.max(PRICE_CENTS_MIN, this.priceCents - this.#halfSpreadCents());
  }

  /** Best ask in cents. */
  get askCents(): number {
    return this.priceCents + this.#halfSpreadCents();
  }

  #halfSpreadCents(): number {
    return Math.max(1, Math.round(this.priceCents * HALF_SPREAD));
  }
}
