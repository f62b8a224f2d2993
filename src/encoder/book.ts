/** One side of an order book: levels sorted from the best, prices compared as decimals. */
import { compareDecimal } from '../protocol/decimal.js';

/** Price and quantity as the publisher wrote them. Never changed, only replaced: views share levels by reference. */
export type Level = readonly [price: string, quantity: string];

/** Levels kept a side; the worst beyond it are forgotten. The deepest view has 100. */
export const LEVELS_MAX = 5000;

export class BookSide {
  readonly #sign: 1 | -1;
  #levels: Level[] = [];

  /** @param side bids are best at the highest price, asks at the lowest. */
  constructor(side: 'bids' | 'asks') {
    this.#sign = side === 'asks' ? 1 : -1;
  }

  get levels(): readonly Level[] {
    return this.#levels;
  }

  clear(): void {
    this.#levels = [];
  }

  /** Puts or replaces the level at its price. */
  set(level: Level): void {
    const at = this.#find(level[0]);
    if (at >= 0) {
      this.#levels[at] = level;
    } else if (~at < LEVELS_MAX) {
      this.#levels.splice(~at, 0, level);
      if (this.#levels.length > LEVELS_MAX) this.#levels.pop();
    }
  }

  remove(price: string): void {
    const at = this.#find(price);
    if (at >= 0) this.#levels.splice(at, 1);
  }

  /** The index of the price, or the complement (`~`) of where it would go. */
  #find(price: string): number {
    let low = 0;
    let high = this.#levels.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const order = compareDecimal((this.#levels[middle] as Level)[0], price) * this.#sign;
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return ~low;
  }
}

/** A JSON Patch operation on `{"bids":{…},"asks":{…}}`. */
export interface LevelOperation {
  op: 'add' | 'replace' | 'remove';
  path: string;
  value?: string;
}

/**
 * Appends the operations that turn one window of levels into another; both sorted from the best. Levels that did not
 * change are the same objects, so most of the walk is one comparison a level.
 */
export function diffLevels(
  side: 'bids' | 'asks',
  from: readonly Level[],
  to: readonly Level[],
  operations: LevelOperation[],
): void {
  const sign = side === 'asks' ? 1 : -1;
  let i = 0;
  let j = 0;
  while (i < from.length || j < to.length) {
    const before = from[i];
    const after = to[j];
    if (before === after) {
      i++;
      j++;
      continue;
    }
    const order = before === undefined ? 1 : after === undefined ? -1 : compareDecimal(before[0], after[0]) * sign;
    if (order === 0 && before !== undefined && after !== undefined) {
      replaceLevel(side, before, after, operations);
      i++;
      j++;
    } else if (order < 0 && before !== undefined) {
      operations.push({ op: 'remove', path: `/${side}/${before[0]}` });
      i++;
    } else if (after !== undefined) {
      operations.push({ op: 'add', path: `/${side}/${after[0]}`, value: after[1] });
      j++;
    }
  }
}

function replaceLevel(side: string, before: Level, after: Level, operations: LevelOperation[]): void {
  if (before[0] === after[0]) {
    if (before[1] !== after[1]) operations.push({ op: 'replace', path: `/${side}/${after[0]}`, value: after[1] });
    return;
  }
  // The same price written in another way is another member of the document.
  operations.push({ op: 'remove', path: `/${side}/${before[0]}` });
  operations.push({ op: 'add', path: `/${side}/${after[0]}`, value: after[1] });
}
