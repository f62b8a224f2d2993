/** One turn of reading after another: a turn is what one loop reads, and begins with the first read after a poll. */
export class ReadTurn {
  /** Of the turn that is open, or of the last one. */
  startedMs = 0;
  #isOpen = false;
  readonly #close: () => void;

  /** @param onEnd a turn has read all that its poll had found */
  constructor(onEnd: (tookMs: number) => void) {
    this.#close = () => {
      this.#isOpen = false;
      onEnd(performance.now() - this.startedMs);
    };
  }

  /** A socket is about to be read. */
  enter(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.startedMs = performance.now();
    // Node runs its immediates when all that the poll had found is read.
    setImmediate(this.#close);
  }
}
