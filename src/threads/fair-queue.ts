/**
 * A queue of work by rank and owner. Lower ranks come first, but no rank starves: it gets one turn in `SHARE_OF_RANK`,
 * however much the ranks before it have to do. Within a rank the owners take turns, so an owner with much work waits
 * behind its own work and does not delay others.
 */
import { Cursor } from './cursor.js';

/** A rank with waiting work gets at least one turn in this many. */
export const SHARE_OF_RANK = 8;

interface Line<Owner, Item> {
  readonly owner: Owner;
  readonly items: Set<Item>;
  readonly first: Cursor<Item>;
}

class Rank<Owner, Item> {
  /** Turns that went to lower ranks while this one waited. */
  passedOver = 0;
  readonly #byOwner = new Map<Owner, Line<Owner, Item>>();
  readonly #lines = new Set<Line<Owner, Item>>();
  readonly #turn = new Cursor(this.#lines);

  get isEmpty(): boolean {
    return this.#lines.size === 0;
  }

  /** False when it is already queued. */
  add(owner: Owner, item: Item): boolean {
    let line = this.#byOwner.get(owner);
    if (line === undefined) {
      const items = new Set<Item>();
      line = { owner, items, first: new Cursor(items) };
      this.#byOwner.set(owner, line);
      this.#lines.add(line);
    }
    if (line.items.has(item)) return false;
    line.items.add(item);
    return true;
  }

  delete(owner: Owner, item: Item): void {
    const line = this.#byOwner.get(owner);
    if (line === undefined || !line.items.delete(item) || line.items.size > 0) return;
    this.#byOwner.delete(owner);
    this.#lines.delete(line);
  }

  next(): Item | undefined {
    return this.#turn.next()?.first.next();
  }
}

export class FairQueue<Owner, Item> {
  readonly #ranks: readonly Rank<Owner, Item>[];
  /** The lines that each item is in. */
  readonly #places = new Map<Item, { readonly rank: number; readonly owner: Owner }[]>();

  constructor(ranks: number) {
    this.#ranks = Array.from({ length: ranks }, () => new Rank());
  }

  /** Number of queued items. */
  get size(): number {
    return this.#places.size;
  }

  has(item: Item): boolean {
    return this.#places.has(item);
  }

  /**
   * Puts an item at the end of its owner's line. An item in several lines leaves all of them when the first comes up.
   */
  add(rank: number, owner: Owner, item: Item): void {
    if (this.#ranks[rank]?.add(owner, item) !== true) return;
    const places = this.#places.get(item);
    if (places === undefined) this.#places.set(item, [{ rank, owner }]);
    else places.push({ rank, owner });
  }

  /** False when it was not queued. */
  delete(item: Item): boolean {
    const places = this.#places.get(item);
    if (places === undefined) return false;
    this.#places.delete(item);
    for (const { rank, owner } of places) this.#ranks[rank]?.delete(owner, item);
    return true;
  }

  /** The next item of a rank up to `rankMax`, or of any rank whose share is due. */
  take(rankMax = this.#ranks.length - 1): Item | undefined {
    const at = this.#nextRank(rankMax);
    const item = this.#ranks[at]?.next();
    if (item === undefined) return undefined;
    this.#ranks.forEach((rank, i) => {
      if (i === at || rank.isEmpty) rank.passedOver = 0;
      else if (i > at) rank.passedOver++;
    });
    this.delete(item);
    return item;
  }

  #nextRank(rankMax: number): number {
    const due = this.#ranks.findIndex(rank => !rank.isEmpty && rank.passedOver >= SHARE_OF_RANK - 1);
    if (due >= 0) return due;
    const first = this.#ranks.findIndex(rank => !rank.isEmpty);
    return first <= rankMax ? first : -1;
  }
}
