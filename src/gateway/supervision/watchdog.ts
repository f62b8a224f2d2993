/**
 * Detects gateway threads that spend too long on one thing. Each thread reports in shared memory that its event loop
 * turns and which session it works for; the main thread checks. It counts checks, not time: while the process is
 * stopped, no thread is blamed.
 */

/** How often a thread reports that it is alive, and how often it is checked. */
export const BEAT_INTERVAL_MS = 250;

/** What a thread reports: one row per worker, each on its own cache line. */
export const Cell = {
  /** A sample of its event-loop turns. */
  beats: 0,
  /** Number of the current work for a client; 0: none. */
  work: 1,
  /** The session that it is for; 0: none yet. */
  session: 2,
  /** Number of the work that takes too long; written by the main thread. */
  blamed: 3,
  /** State of the interruption of that work (interruption.ts). */
  interruption: 4,
  /** Descriptor and inode of its listening socket (listening-socket.ts); inode 0: unknown. */
  listener: 5,
  listenerInode: 6,
} as const;
const ROW_CELLS = 16;

/** Allocates the rows of all workers. */
export function createTurnRows(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT * ROW_CELLS * workers);
}

/** One worker's row; index it with `Cell`. */
export function turnRow(rows: SharedArrayBuffer, worker: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(rows, Int32Array.BYTES_PER_ELEMENT * ROW_CELLS * worker, ROW_CELLS);
}

/** The thread's side: called from a timer on its loop. */
export function beat(row: Int32Array): void {
  Atomics.add(row, Cell.beats, 1);
}

/**
 * `busy`: too long at work for one session; returned at every check. `hung`: neither the loop nor the work for clients
 * progresses; returned once.
 */
export type Verdict = 'well' | 'busy' | 'hung';

export class Watchdog {
  readonly #row: Int32Array;
  readonly #busyChecks: number;
  readonly #hungChecks: number;
  #beats = 0;
  #work = 0;
  /** Checks since the last progress. */
  #quiet = 0;

  /**
   * Watches a thread from now on.
   * @param busyAfterMs time limit for one message
   * @param hungAfterMs time limit without any progress
   */
  constructor(row: Int32Array, { busyAfterMs, hungAfterMs }: { busyAfterMs: number; hungAfterMs: number }) {
    this.#row = row;
    this.#busyChecks = Math.max(1, Math.ceil(busyAfterMs / BEAT_INTERVAL_MS));
    this.#hungChecks = Math.max(2, Math.ceil(hungAfterMs / BEAT_INTERVAL_MS));
    this.#note();
  }

  /** One check, every `BEAT_INTERVAL_MS`. Marks work that takes too long, so that its thread knows when it is over. */
  check(): Verdict {
    const { beats, work } = { beats: this.#beats, work: this.#work };
    this.#note();
    // Many short messages in one turn of the loop count as progress too.
    if (this.#beats !== beats || (this.#work !== work && this.#work !== 0)) {
      this.#quiet = 0;
      return 'well';
    }
    this.#quiet++;
    if (this.#quiet === this.#hungChecks) return 'hung';
    if (this.#work === 0 || this.#quiet < this.#busyChecks || this.#quiet > this.#hungChecks) return 'well';
    Atomics.store(this.#row, Cell.blamed, this.#work);
    return 'busy';
  }

  #note(): void {
    this.#beats = Atomics.load(this.#row, Cell.beats);
    this.#work = Atomics.load(this.#row, Cell.work);
  }
}
