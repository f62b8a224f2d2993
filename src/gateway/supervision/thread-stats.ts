/** The counters of the gateway threads, those that were replaced included. */
import type { WorkerStats } from '../../threads/worker-stats.js';
import { NOTHING_OPEN } from './nothing-open.js';
import { sumOfCounters } from './sum-of-counters.js';

const TIMEOUT_MS = 1000;

export class ThreadStats {
  readonly #ask: (worker: number, id: number) => void;
  /** Each thread's last counters, for when it answers late or never. */
  readonly #last: (WorkerStats | undefined)[];
  readonly #pending = new Map<number, (stats: WorkerStats) => void>();
  /** Sum of the last counters of replaced threads. */
  #ended: WorkerStats | undefined;
  #lastId = 0;

  /** @param ask asks a thread, whose reply goes to `answered` */
  constructor(workers: number, ask: (worker: number, id: number) => void) {
    this.#ask = ask;
    this.#last = new Array<WorkerStats | undefined>(workers).fill(undefined);
  }

  /**
   * Counters of all threads, including replaced ones; for a thread that does not answer in time, its last ones.
   * @param mayAsk false for a thread that cannot answer
   */
  async all(mayAsk: (worker: number) => boolean): Promise<WorkerStats[]> {
    const answers = await Promise.all(
      this.#last.map((_, worker) => (mayAsk(worker) ? this.#askOne(worker) : undefined)),
    );
    for (const [worker, answer] of answers.entries()) this.take(worker, answer);
    return [...this.#last, this.#ended].filter(stats => stats !== undefined);
  }

  answered(id: number, stats: WorkerStats): void {
    this.#pending.get(id)?.(stats);
    this.#pending.delete(id);
  }

  /** A thread's counters, if it had any to send. */
  take(worker: number, stats: WorkerStats | undefined): void {
    if (stats !== undefined) this.#last[worker] = stats;
  }

  /** The thread serves nothing any more, but it may still run. */
  stuck(worker: number): void {
    const last = this.#last[worker];
    if (last !== undefined) this.#last[worker] = { ...last, ...NOTHING_OPEN };
  }

  /** The thread has ended. Totals must not fall when it is replaced; its connections are closed. */
  ended(worker: number): void {
    const last = this.#last[worker];
    this.#last[worker] = undefined;
    if (last === undefined) return;
    const ended = { ...last, ...NOTHING_OPEN };
    this.#ended = this.#ended === undefined ? ended : sumOfCounters(this.#ended, ended);
  }

  #askOne(worker: number): Promise<WorkerStats | undefined> {
    const id = ++this.#lastId;
    return new Promise(resolve => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        resolve(undefined);
      }, TIMEOUT_MS);
      this.#pending.set(id, stats => {
        clearTimeout(timer);
        resolve(stats);
      });
      this.#ask(worker, id);
    });
  }
}
