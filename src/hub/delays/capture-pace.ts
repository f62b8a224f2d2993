/**
 * How many documents may be held back now. A document stays for its whole delay, so bytes flow in at the rate that fills
 * the memory once in that time, and no faster: the more topics change, the less often each is captured.
 */

/** Unspent allowance is kept for so many ticks at most. */
const TICKS_KEPT = 10;
/** Usable share of the memory: chunks are allocated before they are full. */
const PLANNED = 0.9;

export class CapturePace {
  readonly #perTick: number;
  #bytes: number;

  /** @param bytes for this delay */
  constructor(bytes: number, delayMs: number, tickMs: number) {
    this.#perTick = (bytes * PLANNED * tickMs) / (delayMs + tickMs);
    this.#bytes = this.#perTick;
  }

  tick(): void {
    this.#bytes = Math.min(this.#bytes + this.#perTick, this.#perTick * TICKS_KEPT);
  }

  get hasRoom(): boolean {
    return this.#bytes > 0;
  }

  /** @param bytes negative: less was needed than was spent before */
  spend(bytes: number): void {
    this.#bytes -= bytes;
  }
}
