/**
 * Preloaded into every thread of a gateway (`--import`): writes each pause of its garbage collector, one line of JSON, into
 * the file that MILLRACE_BENCH_GC_LOG names. A second's lines at once, so that the writing is no pause of its own.
 */
import { appendFileSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';
import { isMainThread, threadId, workerData } from 'node:worker_threads';

const WRITE_INTERVAL_MS = 1000;

const file = process.env.MILLRACE_BENCH_GC_LOG;
const role = isMainThread ? 'hub' : workerData?.worker === undefined ? 'encoder' : 'worker';
const lines = [];

function write() {
  if (lines.length > 0) appendFileSync(file, lines.splice(0).join(''));
}

if (file !== undefined) {
  new PerformanceObserver(list => {
    for (const { duration } of list.getEntries()) {
      const pause = { pid: process.pid, role, threadId, seenMs: Date.now(), durationMs: duration };
      lines.push(`${JSON.stringify(pause)}\n`);
    }
  }).observe({ entryTypes: ['gc'] });
  setInterval(write, WRITE_INTERVAL_MS).unref();
}
