/**
 * How much of a latency is the generator's own doing. A frame that is read late in its turn (read-turn.ts) has waited for
 * the sockets before it, and before that perhaps for the turn before: its own delay is at most what `readDelay` and `turn`
 * say together.
 */
import { LatencyHistogram, type LatencyReport } from './latency-histogram.js';
import { ReadTurn } from './read-turn.js';

export interface ReadTurnsReport {
  /** Of every sampled frame: from the beginning of its turn to its reading. */
  readonly readDelay: LatencyReport;
  /** Length of the turns. */
  readonly turn: LatencyReport;
}

export class ReadTurns {
  readonly #delays = new LatencyHistogram();
  readonly #turns = new LatencyHistogram();
  readonly #turn = new ReadTurn(tookMs => this.#turns.record(tookMs * 1000));

  /** A socket is about to be read. */
  enter(): void {
    this.#turn.enter();
  }

  /** A sampled frame was read at `nowMs`. */
  sampled(nowMs: number): void {
    this.#delays.record((nowMs - this.#turn.startedMs) * 1000);
  }

  /** Since the last call. */
  take(): ReadTurnsReport {
    return { readDelay: this.#delays.take(), turn: this.#turns.take() };
  }
}
