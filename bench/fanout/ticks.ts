/** The updates that are published: whole quotes in which a known set of fields differs from the tick before. */

/**
 * `price`: only `current_price` of a quote moves (the smallest delta). `tick`: every field that a trade moves. `depth`: a
 * book in which eight levels of each side move (about 1 kB).
 */
export type TickShape = 'price' | 'tick' | 'depth';

/** Ticks of a symbol before they repeat; a tick always differs from its neighbours. */
export const TICKS_PER_CYCLE = 64;

const BASE_CENTS = 15_000;
const TICK_CENTS = 7;
const TICK_MS = 250;
const BASE_TIME_MS = Date.UTC(2025, 0, 2, 14, 30);

/** A quote as a publisher sends it, see PROTOCOL: AssetQuote. */
export interface Quote {
  readonly symbol: string;
  readonly current_price: number;
  readonly base_price: number;
  readonly change: number;
  readonly change_percent: number;
  readonly bid: number;
  readonly ask: number;
  readonly volume: number;
  readonly last_updated: string;
}

/** Quote number `tick` of `symbol`. */
export function quoteAt(symbol: string, tick: number, shape: TickShape): Quote {
  const step = tick % TICKS_PER_CYCLE;
  const cents = BASE_CENTS + 1 + step * TICK_CENTS;
  const moved = shape === 'tick' ? cents : BASE_CENTS;
  return {
    symbol,
    current_price: cents / 100,
    base_price: BASE_CENTS / 100,
    change: (moved - BASE_CENTS) / 100,
    change_percent: Math.round(((moved - BASE_CENTS) / BASE_CENTS) * 1e6) / 1e4,
    bid: (moved - 1) / 100,
    ask: (moved + 1) / 100,
    volume: 1_000_000 + (shape === 'tick' ? step * 100 : 0),
    last_updated: new Date(BASE_TIME_MS + (shape === 'tick' ? step * TICK_MS : 0)).toISOString(),
  };
}

/** Levels on each side of a book that the benchmark publishes and subscribes to. */
export const DEPTH_LEVELS = 25;
/** With more of them, the gateway sends whole sides, which are then shorter. */
const LEVELS_MOVED = 8;
const LEVEL_CENTS = 1;

/** A message on a book's subject, see PROTOCOL: books. */
interface Book {
  readonly symbol: string;
  readonly bids: readonly (readonly [string, string])[];
  readonly asks: readonly (readonly [string, string])[];
  readonly snapshot?: true;
}

/** The whole book that the ticks start from. */
export function bookBefore(symbol: string): Book {
  const levels = Array.from({ length: DEPTH_LEVELS }, (_, level) => level);
  return { symbol, ...sides(levels, TICKS_PER_CYCLE - 1), snapshot: true };
}

/** Change number `tick` of the book of `symbol`: new quantities of every third level. */
export function bookAt(symbol: string, tick: number): Book {
  const levels = Array.from({ length: LEVELS_MOVED }, (_, index) => index * 3);
  return { symbol, ...sides(levels, tick % TICKS_PER_CYCLE) };
}

function sides(levels: readonly number[], step: number): Pick<Book, 'bids' | 'asks'> {
  const quantity = (level: number): string => ((10_000 + step * 101 + level) / 1000).toFixed(3);
  const at = (cents: number, level: number) => [(cents / 100).toFixed(2), quantity(level)] as const;
  return {
    bids: levels.map(level => at(BASE_CENTS - level * LEVEL_CENTS, level)),
    asks: levels.map(level => at(BASE_CENTS + (level + 1) * LEVEL_CENTS, level)),
  };
}
