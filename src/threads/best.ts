/** Keeps the first items of an order among many, without sorting all of them. */

export class Best<Item> {
  readonly items: Item[] = [];
  readonly #max: number;
  readonly #compare: (a: Item, b: Item) => number;

  /** @param max items kept. @param compare below 0 when `a` comes first */
  constructor(max: number, compare: (a: Item, b: Item) => number) {
    this.#max = max;
    this.#compare = compare;
  }

  add(item: Item): void {
    const { items } = this;
    const last = items.at(-1);
    if (items.length >= this.#max && (last === undefined || this.#compare(item, last) >= 0)) return;
    let low = 0;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compare(items[middle] as Item, item) <= 0) low = middle + 1;
      else high = middle;
    }
    items.splice(low, 0, item);
    if (items.length > this.#max) items.pop();
  }
}
