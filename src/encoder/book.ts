/** One side of an order book: levels sorted from the best, prices compared as decimals. */
import { CHECKSUM_LEVELS, LevelSum } from '../protocol/checksum.js';
import { compareDecimal } from '../protocol/decimal.js';

/** Price and quantity as the publisher wrote them. Immutable: views share levels by reference. */
export class Level {
  readonly price: string;
  readonly quantity: string;
  /** Computed on first use, so for the best levels only. */
  #sum: LevelSum | undefined;

  constructor(price: string, quantity: string) {
    this.price = price;
    this.quantity = quantity;
  }

  get pair(): [price: string, quantity: string] {
    return [this.price, this.quantity];
  }

  /** The checksum register after this level. */
  addedTo(crc: number): number {
    this.#sum ??= new LevelSum(this.price, this.quantity);
    return this.#sum.addedTo(crc);
  }
}

/**
 * `bookChecksum` with each level's contribution cached; if the asks are the same array as before, it reads only the
 * bids.
 */
export class BookChecksum {
  #asks: readonly Level[] | undefined;
  #asksAdded = 0;

  of(asks: readonly Level[], bids: readonly Level[]): number {
    if (this.#asks !== asks) {
      this.#asks = asks;
      this.#asksAdded = addLevels(-1, asks);
    }
    return ~addLevels(this.#asksAdded, bids) >>> 0;
  }
}

function addLevels(crc: number, levels: readonly Level[]): number {
  const count = Math.min(levels.length, CHECKSUM_LEVELS);
  let sum = crc;
  for (let i = 0; i < count; i++) sum = levels[i]?.addedTo(sum) ?? sum;
  return sum;
}

export class BookSide {
  readonly #sign: 1 | -1;
  #levels: Level[] = [];
  /** A change that does not affect one of these leaves it the same array. */
  readonly #tops: { readonly count: number; levels: readonly Level[] | undefined }[] = [];

  /** @param side bids are best at the highest price, asks at the lowest. */
  constructor(side: 'bids' | 'asks') {
    this.#sign = side === 'asks' ? 1 : -1;
  }

  get levels(): readonly Level[] {
    return this.#levels;
  }

  /** The best `count` levels; the same array as before if none of them changed. */
  top(count: number): readonly Level[] {
    let top = this.#tops.find(known => known.count === count);
    if (top === undefined) {
      top = { count, levels: undefined };
      this.#tops.push(top);
    }
    top.levels ??= this.#levels.slice(0, count);
    return top.levels;
  }

  /** A copy of the levels for {@link restore}. */
  copy(): Level[] {
    return this.#levels.slice();
  }

  /** Replaces all levels with these, sorted from the best. */
  restore(levels: Level[]): void {
    this.#levels = levels;
    this.#changedAt(-1);
  }

  /**
   * Inserts or replaces the level at its price.
   * @param near index to start searching from
   * @returns index of its neighbour on the worse side
   */
  set(level: Level, near = 0): number {
    const found = this.#find(level.price, near);
    const at = found >= 0 ? found : ~found;
    if (found >= 0) {
      this.#levels[at] = level;
    } else {
      this.#levels.splice(at, 0, level);
    }
    this.#changedAt(at);
    return at + 1;
  }

  /** Arguments and result as in `set`. */
  remove(price: string, near = 0): number {
    const at = this.#find(price, near);
    if (at < 0) return ~at;
    this.#levels.splice(at, 1);
    this.#changedAt(at);
    return at;
  }

  #changedAt(index: number): void {
    for (const top of this.#tops) if (index < top.count) top.levels = undefined;
  }

  /**
   * The index of the price, or the complement (`~`) of its insertion point. Searches outwards from `near` in doubling
   * steps: most changes are close to the best level and to each other.
   */
  #find(price: string, near: number): number {
    let low = 0;
    let high = this.#levels.length - 1;
    for (let at = near, step = 1; low <= high && at <= high; at += step, step *= 2) {
      const order = this.#order(at, price);
      if (order === 0) return at;
      if (order > 0) high = at - 1;
      else low = at + 1;
    }
    while (low <= high) {
      const middle = (low + high) >> 1;
      const order = this.#order(middle, price);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return ~low;
  }

  /** Negative: the level at the index is better than the price. */
  #order(index: number, price: string): number {
    return compareDecimal((this.#levels[index] as Level).price, price) * this.#sign;
  }
}

/** The change of the member `price` on one side of `{"bids":{…},"asks":{…}}`. */
export interface LevelChange {
  readonly op: 'add' | 'replace' | 'remove';
  readonly side: 'bids' | 'asks';
  readonly price: string;
  /** Undefined if it is removed. */
  readonly quantity: string | undefined;
}

/**
 * Appends the changes that turn one window of levels into another; both are sorted from the best. Unchanged levels are
 * the same objects, so most of the walk is one comparison per level.
 */
export function diffLevels(
  side: 'bids' | 'asks',
  from: readonly Level[],
  to: readonly Level[],
  changes: LevelChange[],
): void {
  if (from === to) return;
  const sign = side === 'asks' ? 1 : -1;
  const shorter = Math.min(from.length, to.length);
  let i = 0;
  let j = 0;
  while (i < from.length || j < to.length) {
    if (i === j) {
      while (i < shorter && from[i] === to[i]) i++;
      j = i;
    }
    const before = from[i];
    const after = to[j];
    if (before === after) {
      i++;
      j++;
      continue;
    }
    const order =
      before === undefined ? 1 : after === undefined ? -1 : compareDecimal(before.price, after.price) * sign;
    if (order === 0 && before !== undefined && after !== undefined) {
      replaceLevel(side, before, after, changes);
      i++;
      j++;
    } else if (order < 0 && before !== undefined) {
      changes.push({ op: 'remove', side, price: before.price, quantity: undefined });
      i++;
    } else if (after !== undefined) {
      changes.push({ op: 'add', side, price: after.price, quantity: after.quantity });
      j++;
    }
  }
}

function replaceLevel(side: 'bids' | 'asks', before: Level, after: Level, changes: LevelChange[]): void {
  const { price, quantity } = after;
  if (before.price === price) {
    if (before.quantity !== quantity) changes.push({ op: 'replace', side, price, quantity });
    return;
  }
  // The same price spelt differently is another member of the document.
  changes.push({ op: 'remove', side, price: before.price, quantity: undefined });
  changes.push({ op: 'add', side, price, quantity });
}
