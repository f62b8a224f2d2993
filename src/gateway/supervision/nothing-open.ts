/** The gauges of a gateway thread that has ended: its counters stay, but nothing is open any more. */
import type { WorkerGauges } from '../../threads/worker-stats.js';

/** The zeroed gauges. */
export const NOTHING_OPEN: WorkerGauges = {
  open: 0,
  openBy: [],
  idle: 0,
  pending: 0,
  subscriptions: [],
  views: 0,
  buffered: 0,
  waitingBytes: { all: 0, most: 0 },
  circuits: { open: 0, halfOpen: 0 },
  conflated: 0,
  clientsLagging: 0,
  requestsWaiting: 0,
  replayBytes: 0,
  loopDelayMs: 0,
  frameAgeMs: 0,
  heapUsedBytes: 0,
  heapLimitBytes: 0,
};
