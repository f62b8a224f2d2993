/** Notices gateway threads whose event loop does not turn: each counts its turns in shared memory, and is looked at. */

/** How often a thread says that it is alive, and how often it is looked at. */
export const BEAT_INTERVAL_MS = 250;

/** Allocates the counters: one Int32 a worker. */
export function createBeats(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT * workers);
}

/** The thread's end: called from a timer of its loop. */
export function beat(beats: Int32Array, worker: number): void {
  Atomics.add(beats, worker, 1);
}

export class Watchdog {
  readonly #beats: Int32Array;
  readonly #looksMax: number;
  readonly #last: number[] = [];
  /** Looks since a worker's count has moved. Looks, not time: while the process is stopped, nobody looks. */
  readonly #quiet: number[] = [];

  /** @param hungAfterMs without a turn */
  constructor(beats: SharedArrayBuffer, hungAfterMs: number) {
    this.#beats = new Int32Array(beats);
    this.#looksMax = Math.max(2, Math.ceil(hungAfterMs / BEAT_INTERVAL_MS));
  }

  /** Begins anew with a worker. */
  watch(worker: number): void {
    this.#last[worker] = Atomics.load(this.#beats, worker);
    this.#quiet[worker] = 0;
  }

  /** One look, every `BEAT_INTERVAL_MS`. @returns true once the worker counts as hung */
  isHung(worker: number): boolean {
    const count = Atomics.load(this.#beats, worker);
    if (count !== this.#last[worker]) {
      this.#last[worker] = count;
      this.#quiet[worker] = 0;
      return false;
    }
    this.#quiet[worker] = (this.#quiet[worker] ?? 0) + 1;
    return this.#quiet[worker] === this.#looksMax;
  }
}
