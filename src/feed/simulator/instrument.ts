import { fnv1aOfText } from '../../protocol/fnv.js';
import { Book } from './book.js';
import { Market } from './market.js';
import { SeededRandom } from './seeded-random.js';
import { basePriceCents } from './symbols.js';

/** Each party's fee is the traded value divided by this. */
const FEE_DIVISOR = 1000;
const ACCOUNTS = 1000;
const TRADE_QUANTITY_MAX = 50_000;

/**
 * One simulated symbol: its market and book, and its publisher messages as JSON text (ops/publishing.md). All
 * randomness comes from the symbol's own stream, so its messages do not depend on which other symbols exist.
 */
export class Instrument {
  readonly symbol: string;
  readonly market: Market;
  readonly #random: SeededRandom;
  readonly #symbolJson: string;
  readonly #tickCents: number;
  #book: Book | undefined;
  #trades = 0;
  // One update's levels, by side: kept here so that an update allocates no closures.
  readonly #bidText: Levels;
  readonly #askText: Levels;

  /** @param stepMax largest step of the price, as a share of the base price. */
  constructor(symbol: string, seed: number, stepMax: number) {
    this.symbol = symbol;
    this.#symbolJson = JSON.stringify(symbol);
    this.#random = new SeededRandom(seed, fnv1aOfText(symbol) ^ MARKET_STREAM);
    const base = basePriceCents(symbol, seed);
    this.market = new Market(base, stepMax, this.#random);
    this.#tickCents = tickCents(base);
    this.#bidText = new Levels(this.#tickCents);
    this.#askText = new Levels(this.#tickCents);
  }

  /** A whole AssetQuote. @param time RFC 3339. */
  quote(time: string): string {
    const { priceCents, basePriceCents: base, bidCents, askCents, volume } = this.market;
    const percent = Math.round(((priceCents - base) * 10_000) / base) / 100;
    return (
      `{"symbol":${this.#symbolJson},"current_price":${priceCents / 100},"base_price":${base / 100}` +
      `,"change":${(priceCents - base) / 100},"change_percent":${percent},"bid":${bidCents / 100}` +
      `,"ask":${askCents / 100},"volume":${volume},"last_updated":"${time}"}`
    );
  }

  /** One trade at the bid or at the ask. @param time RFC 3339. */
  trade(time: string): string {
    const random = this.#random;
    const cents = random.below(2) === 0 ? this.market.bidCents : this.market.askCents;
    const quantity = random.between(1, TRADE_QUANTITY_MAX);
    const buyer = random.below(ACCOUNTS);
    const seller = (buyer + random.between(1, ACCOUNTS - 1)) % ACCOUNTS;
    const fee = hundredths(Math.round((cents * quantity) / 100 / FEE_DIVISOR));
    this.#trades++;
    return (
      `{"type":"trade_executed","trade_id":${this.#tradeId()},"symbol":${this.#symbolJson}` +
      `,"price":"${hundredths(cents)}","quantity":"${hundredths(quantity)}"` +
      `,"buyer_id":"account-${buyer}","seller_id":"account-${seller}","buyer_fee":"${fee}","seller_fee":"${fee}"` +
      `,"executed_at":"${time}"}`
    );
  }

  /** The whole book. Later deltas follow it. */
  bookSnapshot(): string {
    this.#book ??= new Book(this.#bidTicks(), this.#askTicks(), this.#random);
    this.#book.forEach(this.#bidText.add, this.#askText.add);
    return this.#bookText(',"snapshot":true}');
  }

  /** What changed since the last book message, as absolute levels; a snapshot if there was none. */
  bookDelta(): string {
    if (this.#book === undefined) return this.bookSnapshot();
    this.#book.update(this.#bidTicks(), this.#askTicks(), this.#bidText.add, this.#askText.add);
    return this.#bookText('}');
  }

  #bookText(end: string): string {
    return `{"symbol":${this.#symbolJson},"bids":[${this.#bidText.take()}],"asks":[${this.#askText.take()}]${end}`;
  }

  #tradeId(): string {
    return `${this.#symbolJson.slice(0, -1)}-${this.#trades}"`;
  }

  #bidTicks(): number {
    return Math.floor(this.market.bidCents / this.#tickCents);
  }

  /** Rounded away from the bid, so that the book is not crossed even if bid and ask are within one tick. */
  #askTicks(): number {
    return Math.max(this.#bidTicks() + 1, Math.ceil(this.market.askCents / this.#tickCents));
  }
}

/** Collects levels as the inside of a JSON array. */
class Levels {
  #json = '';
  readonly #tickCents: number;

  constructor(tickCents: number) {
    this.#tickCents = tickCents;
  }

  /** Returns the text and drops it: kept, the text of ten thousand snapshots would take 400 MB. */
  take(): string {
    const json = this.#json;
    this.#json = '';
    return json;
  }

  readonly add = (priceTicks: number, quantity: number): void => {
    const comma = this.#json === '' ? '' : ',';
    const size = quantity === 0 ? '0' : hundredths(quantity);
    this.#json += `${comma}["${hundredths(priceTicks * this.#tickCents)}","${size}"]`;
  };
}

/** `12345` → `123.45`: whole hundredths to a decimal string, without floats. */
function hundredths(value: number): string {
  const cents = value % 100;
  return `${(value - cents) / 100}.${cents < 10 ? '0' : ''}${cents}`;
}

function tickCents(base: number): number {
  if (base >= 10_000_00) return 1_00;
  return base >= 1_000_00 ? 10 : 1;
}

/** Separates a symbol's walk from the draw of its base price. */
const MARKET_STREAM = 0x5bd1e995;
