/** The FIX thread's counters, in the shape of every gateway thread's. Its clients are counted apart from WebSockets. */
import { getHeapStatistics } from 'node:v8';
import type { FixStats } from '../threads/fix-stats.js';
import { Latencies } from '../threads/latencies.js';
import type { WorkerStats } from '../threads/worker-stats.js';
import type { FixLatency } from './latency.js';
import type { FixViews } from './market/views.js';
import type { FixServer } from './server.js';

const NO_TIMES = new Latencies().counts;

/** What a thread without WebSockets does not have. */
const NOTHING = {
  open: 0,
  openBy: [],
  idle: 0,
  pending: 0,
  subscriptions: [],
  circuits: { open: 0, halfOpen: 0 },
  conflated: 0,
  clientsLagging: 0,
  replayBytes: 0,
  loopDelayMs: 0,
  frameAgeMs: 0,
  opened: 0,
  closed: 0,
  received: 0,
  receivedBytes: 0,
  refused: [],
  pendingRefused: 0,
  messagesRefused: 0,
  closes: [],
  clientCloses: [],
  explained: 0,
  pings: 0,
  sent: [],
  control: { messages: 0, bytes: 0 },
  errorFrames: [],
  gapFrames: [],
  staleFrames: [],
  resyncs: 0,
  dropped: 0,
  stalls: 0,
  resumes: 0,
  conflationSteps: { overHighWater: 0, late: 0, suspended: 0, restores: 0 },
  ages: { institutional: NO_TIMES, retail: NO_TIMES },
  publisherToSend: { realtime: NO_TIMES, '16ms': NO_TIMES, '100ms': NO_TIMES, '1000ms': NO_TIMES },
  implausibleTimes: 0,
  commandsShed: 0,
  publishedOverRate: 0,
  closedForTotal: [],
  replaysShared: 0,
} as const;

interface StatsParts {
  readonly server: FixServer;
  readonly views: FixViews;
  readonly latency: FixLatency;
  readonly counters: { readonly turns: number; readonly overruns: number };
  readonly limited: WorkerStats['limited'];
  readonly tokensRefused: WorkerStats['tokensRefused'];
  readonly work: WorkerStats['work'];
}

export function fixThreadStats({ server, views, latency, counters, ...own }: StatsParts): WorkerStats {
  const { used_heap_size: heapUsedBytes, heap_size_limit: heapLimitBytes } = getHeapStatistics();
  const open = [...server.connections];
  const buffered = open.map(connection => connection.buffered);
  return {
    ...NOTHING,
    ...own,
    views: views.size,
    requestsWaiting: views.requestsWaiting,
    buffered: buffered.filter(bytes => bytes > 0).length,
    waitingBytes: { all: buffered.reduce((sum, bytes) => sum + bytes, 0), most: Math.max(0, ...buffered) },
    turns: counters.turns,
    overruns: counters.overruns,
    hubToPublish: latency.counts,
    busyMs: performance.eventLoopUtilization().active,
    heapUsedBytes,
    heapLimitBytes,
    fix: fixStats(server),
  };
}

function fixStats({ ended, connections }: FixServer): FixStats {
  const open = [...connections];
  const sum = (pick: (connection: (typeof open)[number]) => number) => open.reduce((all, one) => all + pick(one), 0);
  const count = (name: 'messagesIn' | 'garbled' | 'rejects' | 'resendsAsked' | 'resendsAnswered') =>
    ended[name] + sum(({ session }) => session.counters[name]);
  return {
    sessions: open.filter(({ session }) => session.isActive).length,
    subscriptions: sum(({ market }) => market?.topics ?? 0),
    slowed: open.filter(({ level, isPaused }) => level > 0 || isPaused).length,
    logons: ended.logons,
    logonsRefused: ended.logonsRefused,
    ends: [...ended.ends],
    messagesIn: count('messagesIn'),
    messagesOut: ended.messagesOut + sum(({ messagesOut }) => messagesOut),
    bytesOut: ended.sentBytes + sum(({ sentBytes }) => sentBytes),
    garbled: count('garbled'),
    rejects: count('rejects'),
    resendsAsked: count('resendsAsked'),
    resendsAnswered: count('resendsAnswered'),
    stalls: ended.stalls + sum(({ stalls }) => stalls),
  };
}
