/**
 * Lets the load generator take less of the machine: after each turn of reading it sleeps for as long as the turn took, so
 * that more has come until it reads again, and each read costs less a message. The sockets' buffers hold it meanwhile.
 */
const cell = new Int32Array(new SharedArrayBuffer(4));

export class Rests {
  /** Slept since the start, in ms. */
  sleptMs = 0;
  #startedMs = 0;
  #isOpen = false;
  readonly #longestMs: number;
  readonly #close = (): void => {
    this.#isOpen = false;
    const turnEndMs = performance.now();
    Atomics.wait(cell, 0, 0, Math.min(this.#longestMs, turnEndMs - this.#startedMs));
    this.sleptMs += performance.now() - turnEndMs;
  };

  /** @param longestMs of one rest */
  constructor(longestMs: number) {
    this.#longestMs = longestMs;
  }

  /** A socket is about to be read. */
  enter(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#startedMs = performance.now();
    // Node runs its immediates when all that the poll had found is read.
    setImmediate(this.#close);
  }
}
