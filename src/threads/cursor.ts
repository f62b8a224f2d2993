/** Cycles through a set or map while values are added and deleted. */

/** Repeatedly deleting from the front of a set is cheap only for an iterator that keeps its place. */
export class Cursor<Value> {
  readonly #all: { values(): Iterator<Value> };
  #at: Iterator<Value>;

  constructor(all: { values(): Iterator<Value> }) {
    this.#all = all;
    this.#at = all.values();
  }

  /** The next value, wrapping around at the end; undefined when there is none. */
  next(): Value | undefined {
    let step = this.#at.next();
    if (step.done === true) {
      this.#at = this.#all.values();
      step = this.#at.next();
    }
    return step.done === true ? undefined : step.value;
  }
}
