/**
 * Notices gateway threads that are too long at one thing. Each thread says in shared memory that its event loop turns, and for which
 * session it works; the main thread checks. Checks are counted, not time: while the process is stopped, nothing is blamed.
 */

/** How often a thread says that it is alive, and how often it is checked. */
export const BEAT_INTERVAL_MS = 250;

/** What a thread says of itself: one row a worker, on a cache line of its own. */
export const Cell = {
  /** Turns of its event loop, some of them. */
  beats: 0,
  /** Number of the work for a client that is under way; 0: none. */
  work: 1,
  /** The session that it is for; 0: none yet. */
  session: 2,
  /** Number of the work that takes too long, written by the main thread. */
  blamed: 3,
  /** The interruption of that work (interruption.ts). */
  interruption: 4,
  /** Its listening socket's descriptor and inode (listening-socket.ts); no inode: not known. */
  listener: 5,
  listenerInode: 6,
} as const;
const ROW_CELLS = 16;

/** Allocates the rows of all workers. */
export function createTurnRows(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT * ROW_CELLS * workers);
}

/** One worker's row; index it by `Cell`. */
export function turnRow(rows: SharedArrayBuffer, worker: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(rows, Int32Array.BYTES_PER_ELEMENT * ROW_CELLS * worker, ROW_CELLS);
}

/** The thread's end: called from a timer of its loop. */
export function beat(row: Int32Array): void {
  Atomics.add(row, Cell.beats, 1);
}

/**
 * `busy`: at the work for one session for too long; said at every check. `hung`: neither its loop turns nor does it get on with
 * the work for clients; said once.
 */
export type Verdict = 'well' | 'busy' | 'hung';

export class Watchdog {
  readonly #row: Int32Array;
  readonly #busyChecks: number;
  readonly #hungChecks: number;
  #beats = 0;
  #work = 0;
  /** Checks since anything has moved. */
  #quiet = 0;

  /** Watches a thread from now on. @param busyAfterMs at one message @param hungAfterMs without any progress */
  constructor(row: Int32Array, { busyAfterMs, hungAfterMs }: { busyAfterMs: number; hungAfterMs: number }) {
    this.#row = row;
    this.#busyChecks = Math.max(1, Math.ceil(busyAfterMs / BEAT_INTERVAL_MS));
    this.#hungChecks = Math.max(2, Math.ceil(hungAfterMs / BEAT_INTERVAL_MS));
    this.#note();
  }

  /** One check, every `BEAT_INTERVAL_MS`. Work that is too long is marked, so that its thread knows when it is over. */
  check(): Verdict {
    const { beats, work } = { beats: this.#beats, work: this.#work };
    this.#note();
    // Many short messages in one turn of the loop are progress too.
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
