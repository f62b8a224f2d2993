/** The counters of the gateway threads, those that were replaced included. */
import type { WorkerStats } from '../../threads/worker-stats.js';
import { NOTHING_OPEN } from './nothing-open.js';
import { sumOfCounters } from './sum-of-counters.js';

const TIMEOUT_MS = 1000;

/** What is known of one thread. */
interface ThreadReport {
  /** As it told them last; undefined before that, and once it has ended. */
  readonly last: WorkerStats | undefined;
  /** It did not answer in time when it was asked last. */
  readonly isSilent: boolean;
  /** How long the threads before it were busy. */
  readonly endedBusyMs: number;
}

/** A thread that is asked. */
interface Asked {
  readonly id: number;
  /** Resolves when it has answered or ended. */
  readonly done: Promise<void>;
  readonly finish: () => void;
}

export class ThreadStats {
  readonly #ask: (worker: number, id: number) => void;
  readonly #reports: ThreadReport[];
  /** By worker. One that does not answer is not asked again: its messages would pile up. */
  readonly #asked = new Map<number, Asked>();
  /** Sum of the last counters of replaced threads. */
  #ended: WorkerStats | undefined;
  #lastId = 0;

  /** @param ask asks a thread, whose reply goes to `answered` */
  constructor(workers: number, ask: (worker: number, id: number) => void) {
    this.#ask = ask;
    this.#reports = Array.from({ length: workers }, () => ({ last: undefined, isSilent: false, endedBusyMs: 0 }));
  }

  /** By worker. */
  get threads(): readonly ThreadReport[] {
    return this.#reports;
  }

  /**
   * Counters of all threads, including replaced ones; for a thread that does not answer in time, its last ones.
   * @param mayAsk false for a thread that cannot answer
   */
  async all(mayAsk: (worker: number) => boolean): Promise<WorkerStats[]> {
    await Promise.all(this.#reports.map((_, worker) => (mayAsk(worker) ? this.#askOne(worker) : undefined)));
    return [...this.#reports.map(({ last }) => last), this.#ended].filter(stats => stats !== undefined);
  }

  /** Takes the answer at once: a thread that ends while others are still asked counts once. */
  answered(worker: number, id: number, stats: WorkerStats): void {
    const asked = this.#asked.get(worker);
    if (asked?.id !== id) return;
    this.take(worker, stats);
    this.#change(worker, { isSilent: false });
    asked.finish();
  }

  /** A thread's counters, if it had any to send. */
  take(worker: number, stats: WorkerStats | undefined): void {
    if (stats !== undefined) this.#change(worker, { last: stats });
  }

  /** The thread serves nothing any more, but it may still run. */
  stuck(worker: number): void {
    const last = this.#reports[worker]?.last;
    if (last !== undefined) this.#change(worker, { last: { ...last, ...NOTHING_OPEN } });
  }

  /** The thread has ended. Totals must not fall when it is replaced; its connections are closed. */
  ended(worker: number): void {
    const { last, endedBusyMs = 0 } = this.#reports[worker] ?? {};
    this.#change(worker, { last: undefined, isSilent: false, endedBusyMs: endedBusyMs + (last?.busyMs ?? 0) });
    this.#asked.get(worker)?.finish();
    if (last === undefined) return;
    const ended = { ...last, ...NOTHING_OPEN };
    this.#ended = this.#ended === undefined ? ended : sumOfCounters(this.#ended, ended);
  }

  #change(worker: number, to: Partial<ThreadReport>): void {
    this.#reports[worker] = { ...(this.#reports[worker] as ThreadReport), ...to };
  }

  async #askOne(worker: number): Promise<void> {
    const { done } = this.#asked.get(worker) ?? this.#begin(worker);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>(resolve => {
      timer = setTimeout(() => {
        this.#change(worker, { isSilent: this.#asked.has(worker) });
        resolve();
      }, TIMEOUT_MS);
    });
    await Promise.race([done, late]);
    clearTimeout(timer);
  }

  #begin(worker: number): Asked {
    const id = ++this.#lastId;
    let finish = () => {};
    const done = new Promise<void>(resolve => {
      finish = () => {
        this.#asked.delete(worker);
        resolve();
      };
    });
    const asked: Asked = { id, done, finish };
    this.#asked.set(worker, asked);
    this.#ask(worker, id);
    return asked;
  }
}
