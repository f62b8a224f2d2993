/** Measures the main thread, as the gateway threads measure themselves. */
import { getHeapStatistics } from 'node:v8';
import type { ThreadNumbers } from '../observe/main-stats.js';

const CHECK_INTERVAL_MS = 100;

export class MainThread {
  #checkedAtMs = performance.now();
  #loopDelayMs = 0;

  /** Checks from now on. The process may end without stopping it. */
  start(): void {
    setInterval(() => {
      const nowMs = performance.now();
      this.#loopDelayMs = Math.max(0, nowMs - this.#checkedAtMs - CHECK_INTERVAL_MS);
      this.#checkedAtMs = nowMs;
    }, CHECK_INTERVAL_MS).unref();
  }

  get numbers(): ThreadNumbers {
    const { used_heap_size: heapUsedBytes, heap_size_limit: heapLimitBytes } = getHeapStatistics();
    const busyMs = performance.eventLoopUtilization().active;
    return { name: 'main', loopDelayMs: this.#loopDelayMs, busyMs, heapUsedBytes, heapLimitBytes, isSilent: undefined };
  }
}
