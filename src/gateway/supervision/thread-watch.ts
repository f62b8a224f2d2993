/** The main thread's care for gateway threads that make no progress: it stops the work, else ends the thread, else says that it is stuck. */
import { Worker } from 'node:worker_threads';
import { endHungThread } from './hung-thread.js';
import { interrupt } from './interruption.js';
import type { ReliefData, ReliefReport } from './relief.js';
import { ThreadInspector } from './thread-inspector.js';
import { BEAT_INTERVAL_MS, Cell, createTurnRows, turnRow, Watchdog } from './watchdog.js';

/** A thread in JavaScript answers the inspector in this time, however busy the machine is. */
const ANSWER_TIMEOUT_MS = 1000;

export interface ThreadWatchOptions {
  readonly workers: number;
  readonly busyAfterMs: number;
  readonly hungAfterMs: number;
  /** The compiled relief.ts. */
  readonly reliefFile: URL;
  /** That the threads listen on. */
  readonly port: () => number;
  /** The thread makes no progress and is being ended. */
  readonly onHung: (worker: number, reason: string) => void;
  /** It cannot be ended now. Once it can, it ends after all. */
  readonly onStuck: (worker: number, reason: string) => void;
  /** Its work could not be stopped; it is tried again until the thread counts as hung. */
  readonly onFault: (worker: number, detail: string) => void;
}

/** Each stays until the process ends (relief.ts). */
const RELIEFS_MAX = 16;
const RELIEF_MEMORY = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 32 };

interface Watched {
  readonly thread: Worker;
  readonly row: Int32Array<SharedArrayBuffer>;
  readonly watchdog: Watchdog;
  /** Resolves when the present attempt to stop its work is over. */
  interrupting: Promise<void> | undefined;
}

export class ThreadWatch {
  /** What the threads say of themselves; given to each at its start. */
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

  /** The thread has ended: what it was at is nobody's work. */
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
      this.#options.onFault(worker, `its work cannot be stopped: ${messageOf(cause)}`);
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
    // It was stopped, or came back in this moment.
    if (at[0] !== Atomics.load(row, Cell.beats) || at[1] !== Atomics.load(row, Cell.work)) return;
    if (this.#watched.get(worker) !== watched) return;
    // It is ended, whatever it does from here on.
    this.#watched.delete(worker);
    const serving = at[1] === 0 ? '' : `, at work for connection ${session}`;
    const reason = `hung: no turn of its event loop for ${this.#options.hungAfterMs} ms${serving}`;
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
      stuck(`it cannot be ended: ${messageOf(cause)}`);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Newcomers that the kernel hands to a stuck thread are answered by another. */
  #relieve(worker: number): void {
    const unrelieved = (why: string) =>
      this.#options.onFault(worker, `new connections that are handed to it wait for ever: ${why}`);
    if (this.#reliefs === RELIEFS_MAX) {
      unrelieved(`${RELIEFS_MAX} threads were relieved since the start`);
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
