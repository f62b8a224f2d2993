/** How full the heap of this thread is, read at most once a second: it takes V8 a microsecond to tell. */
import { getHeapStatistics } from 'node:v8';
import type { BatchOutcome } from '../threads/batch.js';

const INTERVAL_MS = 1_000;

export class HeapNumbers {
  #readAtMs = Number.NEGATIVE_INFINITY;
  #usedBytes = 0;
  #limitBytes = 0;

  /** Adds the numbers to an outcome. */
  addTo(outcome: BatchOutcome, nowMs: number): BatchOutcome {
    if (nowMs - this.#readAtMs >= INTERVAL_MS) {
      const { used_heap_size: usedBytes, heap_size_limit: limitBytes } = getHeapStatistics();
      this.#readAtMs = nowMs;
      this.#usedBytes = usedBytes;
      this.#limitBytes = limitBytes;
    }
    outcome.heapUsedBytes = this.#usedBytes;
    outcome.heapLimitBytes = this.#limitBytes;
    return outcome;
  }
}
