/** Items that are taken away may stay in front of the array before it is cut: cutting each time would copy it each time. */
const TAKEN_MAX = 256;

/** A queue, of which a detector judges all items that are in it. */
export class Fifo<Item> {
  #items: Item[] = [];
  #from = 0;

  get size(): number {
    return this.#items.length - this.#from;
  }

  get first(): Item | undefined {
    return this.#items[this.#from];
  }

  get last(): Item | undefined {
    return this.size === 0 ? undefined : this.#items.at(-1);
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  /** Takes the first one. */
  shift(): Item | undefined {
    const { first } = this;
    if (this.size === 0) return undefined;
    if (++this.#from > TAKEN_MAX) {
      this.#items = this.#items.slice(this.#from);
      this.#from = 0;
    }
    return first;
  }

  /** All, from the first. */
  all(): Item[] {
    return this.#items.slice(this.#from);
  }

  clear(): void {
    this.#items = [];
    this.#from = 0;
  }
}
