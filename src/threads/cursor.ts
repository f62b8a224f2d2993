/** Walks a set round and round while values are added and deleted. */

/** Deleting from the front of a set, time and again, is only cheap for an iterator that stays where it is. */
export class Cursor<Value> {
  readonly #all: ReadonlySet<Value>;
  #at: Iterator<Value>;

  constructor(all: ReadonlySet<Value>) {
    this.#all = all;
    this.#at = all.values();
  }

  /** The value behind the last one, the first behind the last of all; undefined when there is none. */
  next(): Value | undefined {
    let step = this.#at.next();
    if (step.done === true) {
      this.#at = this.#all.values();
      step = this.#at.next();
    }
    return step.done === true ? undefined : step.value;
  }
}
