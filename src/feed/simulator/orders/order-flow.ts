/**
 * Ordinary order flow in one symbol: market makers who quote around a moving value, takers, and investors whose orders rest for a
 * while. Seeded: equal seeds and times give equal messages.
 */
import type { SeededRandom } from '../seeded-random.js';
import type { Exchange } from './exchange.js';
import type { Side } from './limit-book.js';

const SECOND_MICROS = 1_000_000;
const MAKERS = 25;
const TAKERS = 300;
const INVESTORS = 200;
/** A maker looks at its quotes this often on average. */
const REQUOTE_SECONDS = 3;
/** It moves a quote once the value has moved so many ticks. */
const REQUOTE_TICKS = 3;
/** After such a move it does so at once. */
const SURPRISE_TICKS = 12;
const HALF_SPREAD_TICKS = 4;
/** Standard deviation of the value's move in a second, as a share of it. */
const VOLATILITY = 0.000_05;
const TAKES_PER_SECOND = 1;
const INVESTMENTS_PER_SECOND = 0.5;
const REST_SECONDS_MIN = 15;
const REST_SECONDS_MAX = 180;
/** A taker's limit is so far beyond the best price that it is filled. */
const TAKER_REACH_TICKS = 6;

interface Quote {
  readonly user: string;
  readonly orders: Record<Side, string | undefined>;
  dueMicros: number;
  /** The value that it last quoted around, in ticks. */
  value: number;
}

interface Resting {
  readonly id: string;
  readonly untilMicros: number;
}

export class OrderFlow {
  readonly #exchange: Exchange;
  readonly #random: SeededRandom;
  readonly #quotes: Quote[];
  #resting: Resting[] = [];
  #value: number;
  #lastMicros: number;
  #nextTakeMicros: number;
  #nextInvestmentMicros: number;

  /** @param ticks the value to begin with */
  constructor(exchange: Exchange, random: SeededRandom, ticks: number, startMicros: number) {
    this.#exchange = exchange;
    this.#random = random;
    this.#value = ticks;
    this.#lastMicros = startMicros;
    this.#quotes = Array.from({ length: MAKERS }, (_, i) => ({
      user: `maker-${i + 1}`,
      orders: { buy: undefined, sell: undefined },
      dueMicros: startMicros,
      value: ticks,
    }));
    this.#nextTakeMicros = startMicros + this.#interval(1 / TAKES_PER_SECOND);
    this.#nextInvestmentMicros = startMicros + this.#interval(1 / INVESTMENTS_PER_SECOND);
  }

  /** The value around which makers quote, in ticks. */
  get valueTicks(): number {
    return Math.round(this.#value);
  }

  /** Moves the value, as news would. */
  shift(ticks: number): void {
    this.#value = Math.max(2 * HALF_SPREAD_TICKS, this.#value + ticks);
  }

  /** Does all that is due until then. Call it with growing times, a second apart at most. */
  run(nowMicros: number): void {
    const seconds = (nowMicros - this.#lastMicros) / SECOND_MICROS;
    this.#lastMicros = nowMicros;
    this.shift(this.#value * VOLATILITY * Math.sqrt(seconds) * this.#normal());
    for (const quote of this.#quotes) {
      const isSurprised = Math.abs(this.#value - quote.value) >= SURPRISE_TICKS;
      if (isSurprised || nowMicros >= quote.dueMicros) this.#requote(quote, nowMicros);
    }
    while (this.#nextTakeMicros <= nowMicros) {
      this.#nextTakeMicros += this.#interval(1 / TAKES_PER_SECOND);
      this.#take();
    }
    while (this.#nextInvestmentMicros <= nowMicros) {
      this.#nextInvestmentMicros += this.#interval(1 / INVESTMENTS_PER_SECOND);
      this.#invest(nowMicros);
    }
    this.#resting = this.#resting.filter(({ id, untilMicros }) => {
      if (nowMicros < untilMicros) return this.#exchange.open(id) !== undefined;
      this.#exchange.cancel(id);
      return false;
    });
  }

  #requote(quote: Quote, nowMicros: number): void {
    quote.dueMicros = nowMicros + this.#interval(REQUOTE_SECONDS);
    // The side that the value moves towards makes room first, so that a maker never trades with itself.
    const sides: readonly Side[] = this.#value > quote.value ? ['sell', 'buy'] : ['buy', 'sell'];
    quote.value = this.#value;
    for (const side of sides) {
      const offset = HALF_SPREAD_TICKS + this.#random.below(HALF_SPREAD_TICKS);
      const ticks = this.#passive(side, this.valueTicks + (side === 'buy' ? -offset : offset));
      const id = quote.orders[side];
      const open = id === undefined ? undefined : this.#exchange.open(id);
      const lots = this.#random.between(8, 25) * 100;
      if (id === undefined || open === undefined) {
        quote.orders[side] = this.#exchange.submit({ user: quote.user, side, ticks, lots });
      } else if (Math.abs(open.ticks - ticks) >= REQUOTE_TICKS) this.#exchange.replace(id, ticks, lots);
    }
  }

  /** A maker never takes: its quote stays behind the other side. */
  #passive(side: Side, ticks: number): number {
    const other = this.#exchange.best(side === 'buy' ? 'sell' : 'buy') ?? ticks;
    return Math.max(1, side === 'buy' ? Math.min(ticks, other - 1) : Math.max(ticks, other + 1));
  }

  #take(): void {
    const side: Side = this.#random.below(2) === 0 ? 'buy' : 'sell';
    const best = this.#exchange.best(side === 'buy' ? 'sell' : 'buy');
    if (best === undefined) return;
    const ticks = Math.max(1, best + (side === 'buy' ? TAKER_REACH_TICKS : -TAKER_REACH_TICKS));
    const user = `taker-${this.#random.below(TAKERS) + 1}`;
    this.#exchange.submit({ user, side, ticks, lots: this.#random.between(1, 20) * 100, isImmediate: true });
  }

  #invest(nowMicros: number): void {
    const side: Side = this.#random.below(2) === 0 ? 'buy' : 'sell';
    const offset = this.#random.between(1, 12);
    const ticks = Math.max(1, this.valueTicks + (side === 'buy' ? -offset : offset));
    const user = `investor-${this.#random.below(INVESTORS) + 1}`;
    const id = this.#exchange.submit({ user, side, ticks, lots: this.#random.between(1, 30) * 100 });
    const rest = this.#random.between(REST_SECONDS_MIN, REST_SECONDS_MAX) * SECOND_MICROS;
    this.#resting.push({ id, untilMicros: nowMicros + rest });
  }

  /** Time until the next event of a Poisson process. */
  #interval(meanSeconds: number): number {
    return -Math.log(1 - this.#random.fraction()) * meanSeconds * SECOND_MICROS;
  }

  /** Standard normal, by Box and Muller. */
  #normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.#random.fraction())) * Math.cos(2 * Math.PI * this.#random.fraction());
  }
}
