/** A made-up market for the small files of captured messages: books of whole ticks, changed at random from a seed. */
import type { SeededRandom } from '../../src/feed/simulator/seeded-random.js';

/** Quantity by price, in ticks and units; 0 deletes. */
type Change = readonly [ticks: number, units: number];
export type SideName = 'bids' | 'asks';
export type Changes = Readonly<Record<SideName, readonly Change[]>>;

export interface SampleInstrument {
  readonly symbol: string;
  readonly priceDecimals: number;
  readonly quantityDecimals: number;
  /** Between the best bid and the best ask. */
  readonly middle: number;
  readonly levels: Readonly<Record<SideName, number>>;
}

export class SampleBook {
  readonly instrument: SampleInstrument;
  /** Levels a side that are sent. */
  readonly #depth: number;
  readonly #random: SeededRandom;
  readonly #sides: Readonly<Record<SideName, Map<number, number>>> = { bids: new Map(), asks: new Map() };

  constructor(instrument: SampleInstrument, depth: number, random: SeededRandom) {
    this.instrument = instrument;
    this.#depth = depth;
    this.#random = random;
    for (const side of ['bids', 'asks'] as const) {
      for (let place = 0; place < instrument.levels[side]; place++) {
        this.#sides[side].set(this.#tickAt(side, place * 2), this.#units());
      }
    }
  }

  /** The levels that are sent, from the best. */
  top(side: SideName): readonly Change[] {
    const sign = side === 'bids' ? -1 : 1;
    return [...this.#sides[side]].sort(([a], [b]) => sign * (a - b)).slice(0, this.#depth);
  }

  /** Changes one to three levels near the top, and says what an exchange sends of it. */
  change(): Changes {
    return this.#changed(side => {
      const held = this.#sides[side];
      for (let n = this.#random.below(3); n >= 0; n--) {
        const ticks = this.#tickAt(side, this.#random.below(16));
        if (held.has(ticks) && this.#random.below(3) === 0) held.delete(ticks);
        else held.set(ticks, this.#units());
      }
    }, this.#random.below(3));
  }

  /** Takes every level of the side away. */
  empty(side: SideName): Changes {
    return this.#changed(at => at === side && this.#sides[side].clear(), 2);
  }

  /** One level, for a side that has none. */
  add(side: SideName): Changes {
    return this.#changed(at => at === side && this.#sides[side].set(this.#tickAt(side, 0), this.#units()), 2);
  }

  price(ticks: number): string {
    return (ticks / 10 ** this.instrument.priceDecimals).toFixed(this.instrument.priceDecimals);
  }

  quantity(units: number): string {
    return (units / 10 ** this.instrument.quantityDecimals).toFixed(this.instrument.quantityDecimals);
  }

  /** @param which 0: the bids are changed, 1: the asks, 2: both */
  #changed(change: (side: SideName) => unknown, which: number): Changes {
    const made: Record<SideName, readonly Change[]> = { bids: [], asks: [] };
    for (const [place, side] of (['bids', 'asks'] as const).entries()) {
      if (which !== 2 && which !== place) continue;
      const before = new Map(this.top(side));
      change(side);
      const after = new Map(this.top(side));
      // What is pushed out of the depth is not told: the receiver forgets it. What comes into it is.
      const gone = [...before.keys()].filter(ticks => !this.#sides[side].has(ticks));
      const changed = [...after].filter(([ticks, units]) => before.get(ticks) !== units);
      made[side] = [...gone.map(ticks => [ticks, 0] as const), ...changed];
    }
    return made;
  }

  #tickAt(side: SideName, place: number): number {
    return side === 'bids' ? this.instrument.middle - 1 - place : this.instrument.middle + 1 + place;
  }

  /** Small ones too, which some exchanges write with an exponent. */
  #units(): number {
    const digits = 1 + this.#random.below(this.instrument.quantityDecimals + 2);
    return 1 + this.#random.below(10 ** digits);
  }
}
