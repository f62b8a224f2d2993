/**
 * How much of a latency is the generator's own doing. A turn is what one loop of the generator reads: it begins with the
 * first read after a poll. A frame that is read late in its turn has waited for the sockets before it, and before that
 * perhaps for the turn before: its own delay is at most what `readDelay` and `turn` say together.
 */
import { LatencyHistogram, type LatencyReport } from './latency-histogram.js';

export interface ReadTurnsReport {
  /** Of every sampled frame: from the beginning of its turn to its reading. */
  readonly readDelay: LatencyReport;
  /** Length of the turns. */
  readonly turn: LatencyReport;
}

export class ReadTurns {
  readonly #delays = new LatencyHistogram();
  readonly #turns = new LatencyHistogram();
  #startedMs = 0;
  #isOpen = false;
  readonly #close = (): void => {
    this.#isOpen = false;
    this.#turns.record((performance.now() - this.#startedMs) * 1000);
  };

  /** A socket is about to be read. */
  enter(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#startedMs = performance.now();
    // Node runs its immediates when all that the poll had found is read.
    setImmediate(this.#close);
  }

  /** A sampled frame was read at `nowMs`. */
  sampled(nowMs: number): void {
    this.#delays.record((nowMs - this.#startedMs) * 1000);
  }

  /** Since the last call. */
  take(): ReadTurnsReport {
    return { readDelay: this.#delays.take(), turn: this.#turns.take() };
  }
}
