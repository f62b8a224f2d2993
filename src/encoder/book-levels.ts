/** How many levels the books of an encoder hold together: publishers make its memory, so all of it is bounded. */
export class BookLevels {
  readonly #max: number;
  #held = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get held(): number {
    return this.#held;
  }

  /** True where so many more levels may be too many. */
  mayExceed(more: number): boolean {
    return this.#held + more > this.#max;
  }

  /** A book comes to hold so many more levels, or fewer (negative). False, and it may not, where that is too many. */
  change(by: number): boolean {
    if (by > 0 && this.mayExceed(by)) return false;
    this.#held += by;
    return true;
  }
}
