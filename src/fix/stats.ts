/** The FIX thread's counters, in the shape of every gateway thread's. */
import type { FixStats } from '../threads/fix-stats.js';
import type { WorkerStats } from '../threads/worker-stats.js';
import type { Latency } from './latency.js';
import type { FixViews } from './market/views.js';
import type { FixServer } from './server.js';

/** What a thread without WebSockets does not have. */
const NOTHING = {
  refused: [],
  pendingRefused: 0,
  messagesRefused: 0,
  closes: [],
  pings: 0,
  sent: [],
  control: { messages: 0, bytes: 0 },
  dropped: 0,
  circuits: { open: 0, halfOpen: 0 },
  resumes: 0,
  conflationSteps: { overHighWater: 0, late: 0, suspended: 0, restores: 0 },
  clientsLagging: 0,
  ages: { institutional: { buckets: [], sumMicros: 0 }, retail: { buckets: [], sumMicros: 0 } },
  loopDelayMs: 0,
  frameAgeMs: 0,
  commandsShed: 0,
  publishedOverRate: 0,
  closedForTotal: [],
  missed: { bytes: 0, shared: 0 },
} as const;

interface StatsParts {
  readonly server: FixServer;
  readonly views: FixViews;
  readonly latency: Latency;
  readonly counters: { readonly turns: number; readonly overruns: number };
  readonly limited: readonly (readonly [limit: string, count: number])[];
  readonly tokensRefused: readonly (readonly [reason: string, count: number])[];
  readonly work: { readonly units: number; readonly refused: number; readonly overflow: number };
}

export function fixThreadStats({ server, views, latency, counters, ...own }: StatsParts): WorkerStats {
  const { ended } = server;
  const open = [...server.connections];
  const sum = (pick: (connection: (typeof open)[number]) => number) => open.reduce((all, one) => all + pick(one), 0);
  const count = (name: 'messagesIn' | 'garbled' | 'rejects' | 'resendsAsked' | 'resendsAnswered') =>
    ended[name] + sum(({ session }) => session.counters[name]);
  const sessions = open.filter(({ session }) => session.isActive).length;
  const fix: FixStats = {
    sessions,
    logons: ended.logons,
    logonsRefused: ended.logonsRefused,
    ends: [...ended.ends],
    messagesIn: count('messagesIn'),
    messagesOut: ended.messagesOut + sum(({ messagesOut }) => messagesOut),
    garbled: count('garbled'),
    rejects: count('rejects'),
    resendsAsked: count('resendsAsked'),
    resendsAnswered: count('resendsAnswered'),
  };
  return {
    ...NOTHING,
    ...own,
    open: sessions,
    opened: ended.logons,
    closed: ended.logons - sessions,
    pending: open.length - sessions,
    received: fix.messagesIn,
    receivedBytes: ended.receivedBytes + sum(({ receivedBytes }) => receivedBytes),
    views: views.size,
    requestsWaiting: views.requestsWaiting,
    buffered: open.filter(({ buffered }) => buffered > 0).length,
    stalls: ended.stalls + sum(({ stalls }) => stalls),
    conflated: open.filter(({ level }) => level > 0).length,
    waitingBytes: { all: sum(({ buffered }) => buffered), most: Math.max(0, ...open.map(({ buffered }) => buffered)) },
    turns: counters.turns,
    overruns: counters.overruns,
    latencyBuckets: [...latency.buckets],
    latencySumMicros: latency.sumMicros,
    fix,
  };
}
