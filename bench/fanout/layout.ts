/** Who is subscribed to what: clients × symbols, the same for every contender. */
import type { TickShape } from './ticks.js';

export interface Layout {
  readonly clients: number;
  readonly symbolsPerClient: number;
  /** Symbols that are published. */
  readonly universe: number;
}

/** @throws {RangeError} naming what does not fit. */
export function checkLayout(layout: Layout): Layout {
  for (const [name, value] of Object.entries(layout)) {
    if (!Number.isInteger(value) || value < 1)
      throw new RangeError(`${name} must be a whole number above 0, not ${value}`);
  }
  if (layout.symbolsPerClient > layout.universe) {
    throw new RangeError(`${layout.symbolsPerClient} symbols per client, but only ${layout.universe} symbols`);
  }
  if (layout.clients * layout.symbolsPerClient < layout.universe) {
    throw new RangeError(
      `${layout.universe} symbols, but the clients want only ${layout.clients * layout.symbolsPerClient}`,
    );
  }
  return layout;
}

/** The same symbols, all of them for one client. */
export function oneClientOf({ universe }: Layout): Layout {
  return { clients: 1, symbolsPerClient: universe, universe };
}

/** Symbol `index` of the universe: `S000`, `S001`, … (as long as a stock's symbol). */
export function symbolAt(index: number): string {
  return `S${String(index).padStart(3, '0')}`;
}

export function symbolsOf(layout: Layout): string[] {
  return Array.from({ length: layout.universe }, (_, index) => symbolAt(index));
}

/** The symbols of one client: consecutive, starting where the client before ends, so that all symbols are wanted alike. */
export function symbolsOfClient(layout: Layout, client: number): string[] {
  const first = client * layout.symbolsPerClient;
  return Array.from({ length: layout.symbolsPerClient }, (_, i) => symbolAt((first + i) % layout.universe));
}

/** Subscribers of each symbol. */
export function fanoutOf(layout: Layout): number[] {
  const fanout = new Array<number>(layout.universe).fill(0);
  for (let at = 0; at < layout.clients * layout.symbolsPerClient; at++) {
    const symbol = at % layout.universe;
    fanout[symbol] = (fanout[symbol] ?? 0) + 1;
  }
  return fanout;
}

/** Where the updates of a symbol are published. */
export function subjectOf(symbol: string, shape: TickShape): string {
  return shape === 'depth' ? `md.books.${symbol}` : `md.quotes.${symbol}`;
}
