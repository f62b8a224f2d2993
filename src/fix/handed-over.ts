/** When messages were handed to a client's socket. A ResendRequest from a number proves that the client has all messages before it. */

/** Times kept, and how far they are apart: those of the last seconds. */
const TIMES_MAX = 128;
const APART_MICROS = 50_000;

export class HandedOver {
  readonly #numbers = new Float64Array(TIMES_MAX);
  readonly #micros = new Float64Array(TIMES_MAX);
  #count = 0;

  /** All messages before this number are handed over. @param micros time of day */
  note(next: number, micros: number): void {
    const last = (this.#count - 1) % TIMES_MAX;
    // The numbers have started over.
    if (this.#count > 0 && next < (this.#numbers[last] as number)) this.#count = 0;
    if (this.#count > 0 && this.#numbers[last] === next) return;
    if (this.#count > 0 && micros - (this.#micros[last] as number) < APART_MICROS) return;
    const at = this.#count++ % TIMES_MAX;
    this.#numbers[at] = next;
    this.#micros[at] = micros;
  }

  /** The latest known time by which only messages before this number had been handed over. */
  before(next: number): number | undefined {
    for (let i = this.#count - 1; i >= Math.max(0, this.#count - TIMES_MAX); i--) {
      if ((this.#numbers[i % TIMES_MAX] as number) <= next) return this.#micros[i % TIMES_MAX];
    }
    return undefined;
  }
}
