/** The updates that are published: whole quotes in which a known set of fields differs from the tick before. */

/** `price`: only `current_price` moves (the smallest delta). `tick`: every field that a trade moves. */
export type TickShape = 'price' | 'tick';

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
