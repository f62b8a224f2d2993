/** How many messages a client sends within a second. */
const SECOND_MS = 1000;

export class SecondCount {
  #sinceMs = 0;
  #count = 0;

  /** @returns the messages of this second, with the one that is here now. @param nowMs monotonic */
  next(nowMs: number): number {
    if (nowMs - this.#sinceMs >= SECOND_MS) {
      this.#sinceMs = nowMs;
      this.#count = 0;
    }
    return ++this.#count;
  }
}
