/**
 * A map that keeps the most recently set entries: setting an entry moves it to the end, and beyond `max` entries the
 * oldest is dropped.
 */
export class BoundedMap<Key, Value> extends Map<Key, Value> {
  readonly #max: number;

  constructor(max: number) {
    super();
    this.#max = max;
  }

  override set(key: Key, value: Value): this {
    this.delete(key);
    super.set(key, value);
    if (this.size > this.#max) this.forgetOldest();
    return this;
  }

  /** @returns the number of entries removed: 0 for an empty map */
  forgetOldest(): number {
    for (const oldest of this.keys()) {
      this.delete(oldest);
      return 1;
    }
    return 0;
  }
}
