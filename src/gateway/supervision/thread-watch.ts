/**
 * Handles gateway threads that make no progress, from the main thread: interrupts the work; failing that, ends the
 * thread; failing that, reports it stuck.
 */
import { Worker } from 'node:worker_threads';
import { endHungThread } from './hung-thread.js';
import { interrupt } from './interruption.js';
import type { ReliefData, ReliefReport } from './relief.js';
import { ThreadInspector } from './thread-inspector.js';
import { BEAT_INTERVAL_MS, Cell, createTurnRows, turnRow, Watchdog } from './watchdog.js';

/** A thread in JavaScript answers the inspector within this time, however busy the machine is. */
const ANSWER_TIMEOUT_MS = 1000;

interface ThreadWatchOptions {
  readonly workers: number;
  readonly busyAfterMs: number;
  readonly hungAfterMs: number;
  /** The compiled relief.ts. */
  readonly reliefFile: URL;
  /** The port that the threads listen on. */
  readonly port: () => number;
  /** The thread makes no progress and is being ended. */
  readonly onHung: (worker: number, reason: string) => void;
  /** The thread cannot be ended now. It ends as soon as it can. */
  readonly onStuck: (worker: number, reason: string) => void;
  /** Its work could not be interrupted; this is retried until the thread counts as hung. */
  readonly onFault: (worker: number, detail: string) => void;
}

/** Each one stays until the process ends (relief.ts). */
const RELIEFS_MAX = 16;
const RELIEF_MEMORY = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 32 };

interface Watched {
  readonly thread: Worker;
  readonly row: Int32Array<SharedArrayBuffer>;
  readonly watchdog: Watchdog;
  /** Resolves when the current attempt to interrupt its work is over. */
  interrupting: Promise<void> | undefined;
}

export class ThreadWatch {
  /** What the threads report about themselves; each receives this at its start. */
  readonly rows: SharedArrayBuffer;
  readonly #options: ThreadWatchOptions;
  readonly #watched = new Map<number, Watched>();
  readonly #checking: NodeJS.Timeout;
  #reliefs = 0;

  constructor(options: ThreadWatchOptions) {
    this.#options = options;
    this.rows = createTurnRows(options.workers);
    this.#checking = setInterval(() => this.check(), BEAT_INTERVAL_MS);
    this.#checking.unref();
  }

  /** The thread listens, and is watched from now on. */
  started(worker: number, thread: Worker): void {
    const row = turnRow(this.rows, worker);
    this.#watched.set(worker, { thread, row, watchdog: new Watchdog(row, this.#options), interrupting: undefined });
  }

  /** The thread has ended: its current work no longer counts. */
  ended(worker: number): void {
    this.#watched.delete(worker);
    Atomics.store(turnRow(this.rows, worker), Cell.work, 0);
  }

  close(): void {
    clearInterval(this.#checking);
  }

  check(): void {
    for (const [worker, watched] of this.#watched) {
      const verdict = watched.watchdog.check();
      if (verdict === 'busy') watched.interrupting ??= this.#interrupt(worker, watched);
      else if (verdict === 'hung') void this.#end(worker, watched);
    }
  }

  async #interrupt(worker: number, watched: Watched): Promise<void> {
    let inspector: ThreadInspector | undefined;
    try {
      inspector = await ThreadInspector.attach(watched.thread);
      await interrupt(watched.row, inspector, ANSWER_TIMEOUT_MS);
    } catch (cause) {
      this.#options.onFault(worker, `cannot interrupt its work: ${messageOf(cause)}`);
    } finally {
      inspector?.end();
      watched.interrupting = undefined;
    }
  }

  async #end(worker: number, watched: Watched): Promise<void> {
    const { row, thread } = watched;
    const at = [Atomics.load(row, Cell.beats), Atomics.load(row, Cell.work)] as const;
    const session = Atomics.load(row, Cell.session);
    await watched.interrupting;
    // It was interrupted or made progress just now.
    if (at[0] !== Atomics.load(row, Cell.beats) || at[1] !== Atomics.load(row, Cell.work)) return;
    if (this.#watched.get(worker) !== watched) return;
    // The thread ends now, whatever it does.
    this.#watched.delete(worker);
    const serving = at[1] === 0 ? '' : `, at work for connection ${session}`;
    const reason = `hung: event loop blocked for ${this.#options.hungAfterMs} ms${serving}`;
    this.#options.onHung(worker, reason);
    const stuck = (detail: string) => {
      this.#options.onStuck(worker, `${reason}; ${detail}`);
      this.#relieve(worker);
    };
    const timer = setTimeout(
      () => stuck(`no answer within ${ANSWER_TIMEOUT_MS} ms: it is in native code`),
      ANSWER_TIMEOUT_MS,
    );
    try {
      await endHungThread(thread);
    } catch (cause) {
      stuck(`cannot end it: ${messageOf(cause)}`);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Another thread answers the new connections that the kernel hands to a stuck one. */
  #relieve(worker: number): void {
    const unrelieved = (why: string) => this.#options.onFault(worker, `new connections handed to it will hang: ${why}`);
    if (this.#reliefs === RELIEFS_MAX) {
      unrelieved(`the limit of ${RELIEFS_MAX} relief threads is reached`);
      return;
    }
    this.#reliefs++;
    const workerData: ReliefData = { rows: this.rows, worker, port: this.#options.port() };
    const relief = new Worker(this.#options.reliefFile, {
      workerData,
      name: `relief-${worker}`,
      resourceLimits: RELIEF_MEMORY,
    });
    relief.on('message', (report: ReliefReport) => {
      if (!report.isServing) unrelieved(report.reason);
    });
    relief.on('error', cause => unrelieved(messageOf(cause)));
    relief.unref();
  }
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
