/** Bounds the levels of all books of an encoder together, because publishers decide how much memory they take. */
export class BookLevels {
  readonly #max: number;
  #held = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get held(): number {
    return this.#held;
  }

  /** True if this many more levels could exceed the limit. */
  mayExceed(more: number): boolean {
    return this.#held + more > this.#max;
  }

  /** Adds levels to the total, or removes them (negative). False, with no change, if that would exceed the limit. */
  change(by: number): boolean {
    if (by > 0 && this.mayExceed(by)) return false;
    this.#held += by;
    return true;
  }
}
