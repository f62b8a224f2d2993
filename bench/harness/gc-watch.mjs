/**
 * Preloaded into every thread of a gateway (`--import`): writes each pause of its garbage collector, and what the thread
 * allocated on its heap, one line of JSON, into the file that MILLRACE_BENCH_GC_LOG names. A second's lines at
 * once, so that the writing is no pause of its own. An encoder says nothing: it waits inside of its task for the next batch,
 * and its event loop does not turn.
 */
import { appendFileSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { isMainThread, threadId, workerData } from 'node:worker_threads';

const WRITE_INTERVAL_MS = 1000;
/** The heap's growth is sampled; what grew between the last sample and a collection is not seen. */
const CHECK_INTERVAL_MS = 100;

const file = process.env.MILLRACE_BENCH_GC_LOG;
const role = isMainThread ? 'hub' : workerData?.worker === undefined ? 'encoder' : 'worker';
const lines = [];
let used = 0;

function note(what) {
  lines.push(`${JSON.stringify({ pid: process.pid, role, threadId, seenMs: Date.now(), ...what })}\n`);
}

function sampleHeap() {
  const now = getHeapStatistics().used_heap_size;
  note({ allocatedBytes: Math.max(0, now - used) });
  used = now;
}

function write() {
  if (lines.length > 0) appendFileSync(file, lines.splice(0).join(''));
}

if (file !== undefined) {
  new PerformanceObserver(list => {
    for (const { duration } of list.getEntries()) note({ durationMs: duration });
  }).observe({ entryTypes: ['gc'] });
  setInterval(sampleHeap, CHECK_INTERVAL_MS).unref();
  setInterval(write, WRITE_INTERVAL_MS).unref();
}
