/**
 * Whether the process is ready, as the main thread tells the gateway threads. What it tells expires, because a process
 * whose main thread hangs is not ready.
 */
import { monotonicMicros } from '../protocol/wall-clock.js';

/** Several times the interval at which the main thread reports. */
const VALID_MS = 2_000;
const NOT_READY = 0;

export class SharedReadiness {
  readonly cells: SharedArrayBuffer;
  readonly #reportedMs: Int32Array;
  readonly #nowMs: () => number;

  /** @param cells of another thread's instance; a new one is not ready. @param nowMs a clock that threads share */
  constructor(
    cells = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT),
    nowMs: () => number = () => monotonicMicros() / 1000,
  ) {
    this.cells = cells;
    this.#reportedMs = new Int32Array(cells);
    this.#nowMs = nowMs;
  }

  /** The main thread calls this often, and whenever it changes. */
  report(isReady: boolean): void {
    // The low bits of the time are enough for an age, and zero is taken.
    Atomics.store(this.#reportedMs, 0, isReady ? this.#nowMs() | 0 || 1 : NOT_READY);
  }

  get isReady(): boolean {
    const reportedMs = Atomics.load(this.#reportedMs, 0);
    return reportedMs !== NOT_READY && ((this.#nowMs() - reportedMs) | 0) < VALID_MS;
  }
}
