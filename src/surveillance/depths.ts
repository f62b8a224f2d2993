/** Books as far as detectors need them: the quantity on the ten best levels of each side. */
import { BoundedMap } from '../protocol/bounded-map.js';
import type { DepthEvent } from './events.js';
import { numberOf } from './parse.js';

const BOOKS_MAX = 20_000;
/** Levels of one side that are kept at most; then its worst ones are removed, many at a time, because that takes a while. */
const LEVELS_MAX = 5_000;
const LEVELS_LEFT = 4_000;
const BEST_LEVELS = 10;

type Members = Readonly<Record<string, unknown>>;
/** Quantity by price. */
type Levels = Map<number, number>;

/** A book. Its sums are computed on demand, because most books change more often than a detector asks. */
class WatchedBook implements DepthEvent {
  readonly kind = 'depth';
  readonly symbol: string;
  readonly bids: Levels = new Map();
  readonly asks: Levels = new Map();
  atMicros = 0;

  constructor(symbol: string) {
    this.symbol = symbol;
  }

  get bidQuantity(): number {
    return bestOf(this.bids, true);
  }

  get askQuantity(): number {
    return bestOf(this.asks, false);
  }
}

export class Depths {
  readonly #books = new BoundedMap<string, WatchedBook>(BOOKS_MAX);

  /**
   * Takes a book message: whole, or the changed levels of a book that was whole before.
   * @returns undefined while the book is unknown
   */
  take(message: Members, symbol: string, receivedMicros: number): DepthEvent | undefined {
    const isWhole = message.snapshot === true;
    const book = isWhole ? new WatchedBook(symbol) : this.#books.get(symbol);
    if (book === undefined || (!Array.isArray(message.bids) && !Array.isArray(message.asks))) return undefined;
    if (isWhole) this.#books.set(symbol, book);
    apply(book.bids, message.bids, true);
    apply(book.asks, message.asks, false);
    book.atMicros = receivedMicros;
    return book;
  }

  /** A message about this book is missing: it is unknown until the next whole one. */
  forget(symbol: string): void {
    const book = this.#books.get(symbol);
    this.#books.delete(symbol);
    // Whoever holds it sees an empty book, which counts as unknown.
    book?.bids.clear();
    book?.asks.clear();
  }
}

function apply(levels: Levels, changes: unknown, isBid: boolean): void {
  if (!Array.isArray(changes)) return;
  for (const change of changes as readonly unknown[]) {
    if (!Array.isArray(change)) continue;
    const [price, quantity] = [numberOf(change[0]), numberOf(change[1])];
    if (price === undefined || quantity === undefined) continue;
    if (quantity === 0) levels.delete(price);
    else levels.set(price, quantity);
  }
  if (levels.size <= LEVELS_MAX) return;
  const best = pricesOf(levels, isBid).slice(0, LEVELS_LEFT);
  const kept = new Set(best);
  for (const price of levels.keys()) if (!kept.has(price)) levels.delete(price);
}

const pricesOf = (levels: Levels, isBid: boolean): number[] =>
  [...levels.keys()].sort((a, b) => (isBid ? b - a : a - b));

/** One pass: a user's fills ask for it, and sorting 5,000 levels for each takes 3 ms instead of 0.1. */
function bestOf(levels: Levels, isBid: boolean): number {
  const best: number[] = [];
  const isBetter = (a: number, b: number): boolean => (isBid ? a > b : a < b);
  for (const price of levels.keys()) {
    if (best.length === BEST_LEVELS && !isBetter(price, best.at(-1) as number)) continue;
    let place = Math.min(best.length, BEST_LEVELS - 1);
    for (; place > 0 && isBetter(price, best[place - 1] as number); place--) best[place] = best[place - 1] as number;
    best[place] = price;
  }
  return best.reduce((total, price) => total + (levels.get(price) ?? 0), 0);
}
