import { isList, type Parsed, textOf } from './exchange-json.js';
import type { Level } from './market-event.js';

/** `[[price, quantity, …], …]`, as most exchanges write levels; what is no level is left out. */
export function levelPairs(value: Parsed | undefined): Level[] {
  if (!isList(value)) return [];
  return value.flatMap(level => {
    if (!isList(level)) return [];
    const [price, quantity] = [textOf(level[0]), textOf(level[1])];
    return price === undefined || quantity === undefined ? [] : [[price, quantity] as const];
  });
}
