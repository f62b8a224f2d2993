/** One side of an order book: levels sorted from the best, prices compared as decimals. */
import { compareDecimal } from '../protocol/decimal.js';

/** Price and quantity as the publisher wrote them. Never changed, only replaced: views share levels by reference. */
export type Level = readonly [price: string, quantity: string];

/** Levels kept a side; the worst beyond it are forgotten. The deepest view has 100. */
export const LEVELS_MAX = 5000;

export class BookSide {
  readonly #sign: 1 | -1;
  #levels: Level[] = [];
  /** By how many levels it holds; those that a change leaves as they are stay the same arrays. */
  readonly #tops = new Map<number, readonly Level[]>();

  /** @param side bids are best at the highest price, asks at the lowest. */
  constructor(side: 'bids' | 'asks') {
    this.#sign = side === 'asks' ? 1 : -1;
  }

  get levels(): readonly Level[] {
    return this.#levels;
  }

  /** So many of the best levels; the same array as before where none of them has changed. */
  top(count: number): readonly Level[] {
    let top = this.#tops.get(count);
    if (top === undefined) {
      top = this.#levels.slice(0, count);
      this.#tops.set(count, top);
    }
    return top;
  }

  clear(): void {
    this.#levels = [];
    this.#tops.clear();
  }

  /** Puts or replaces the level at its price. */
  set(level: Level): void {
    const at = this.#find(level[0]);
    if (at >= 0) {
      this.#levels[at] = level;
      this.#changedAt(at);
    } else if (~at < LEVELS_MAX) {
      this.#levels.splice(~at, 0, level);
      if (this.#levels.length > LEVELS_MAX) this.#levels.pop();
      this.#changedAt(~at);
    }
  }

  remove(price: string): void {
    const at = this.#find(price);
    if (at < 0) return;
    this.#levels.splice(at, 1);
    this.#changedAt(at);
  }

  #changedAt(index: number): void {
    for (const count of this.#tops.keys()) if (index < count) this.#tops.delete(count);
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

/** What becomes of the member `price` of one side of `{"bids":{…},"asks":{…}}`. */
export interface LevelChange {
  readonly op: 'add' | 'replace' | 'remove';
  readonly side: 'bids' | 'asks';
  readonly price: string;
  /** Undefined where it is removed. */
  readonly quantity: string | undefined;
}

/**
 * Appends the changes that turn one window of levels into another; both sorted from the best. Levels that did not
 * change are the same objects, so most of the walk is one comparison a level.
 */
export function diffLevels(
  side: 'bids' | 'asks',
  from: readonly Level[],
  to: readonly Level[],
  changes: LevelChange[],
): void {
  if (from === to) return;
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
      replaceLevel(side, before, after, changes);
      i++;
      j++;
    } else if (order < 0 && before !== undefined) {
      changes.push({ op: 'remove', side, price: before[0], quantity: undefined });
      i++;
    } else if (after !== undefined) {
      changes.push({ op: 'add', side, price: after[0], quantity: after[1] });
      j++;
    }
  }
}

function replaceLevel(side: 'bids' | 'asks', before: Level, after: Level, changes: LevelChange[]): void {
  const [price, quantity] = after;
  if (before[0] === price) {
    if (before[1] !== quantity) changes.push({ op: 'replace', side, price, quantity });
    return;
  }
  // The same price written in another way is another member of the document.
  changes.push({ op: 'remove', side, price: before[0], quantity: undefined });
  changes.push({ op: 'add', side, price, quantity });
}
