/** Timers for when a shard's classes and event batches are sent next. */
import { BATCHES_DUE, CLASS_INTERVAL_MS, RETAIL_100MS } from '../../threads/lanes.js';

export class ClassTimers {
  /** Factor by which the retail class is sent less often than normal. */
  retailStretch = 1;
  readonly #batchIntervalMs: number;
  readonly #flush: (rateClass: number) => void;
  readonly #timers: (NodeJS.Timeout | undefined)[] = [];

  /** @param flush called when a class is due */
  constructor(batchIntervalMs: number, flush: (rateClass: number) => void) {
    this.#batchIntervalMs = batchIntervalMs;
    this.#flush = flush;
  }

  /** These classes (bits) have something to send. */
  arm(dueClasses: number): void {
    for (let c = 1; c <= BATCHES_DUE; c++) {
      if ((dueClasses & (1 << c)) === 0 || this.#timers[c] !== undefined) continue;
      const interval = this.#intervalMs(c);
      // Align to a common grid, so that all topics of a class are sent together.
      const delay = interval - (performance.now() % interval);
      this.#timers[c] = setTimeout(() => {
        this.#timers[c] = undefined;
        this.#flush(c);
      }, delay);
    }
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #intervalMs(rateClass: number): number {
    if (rateClass === BATCHES_DUE) return this.#batchIntervalMs;
    return (CLASS_INTERVAL_MS[rateClass] ?? 0) * (rateClass === RETAIL_100MS ? this.retailStretch : 1);
  }
}
