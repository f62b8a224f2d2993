/** A worker's counters as plain data, for the main thread to merge. */
import type { WorkerStats } from '../threads/thread-messages.js';
import type { Fanout } from './delivery/fanout.js';
import type { GatewayServer } from './edge/server.js';
import type { Recoveries } from './events/recovery.js';
import type { ConnectionLimits } from './limits/connection-limits.js';
import type { Outbox } from './sending/outbox.js';
import type { Ladder } from './slow-consumers/ladder.js';
import type { SentCell, Views } from './views/views.js';

export function snapshotStats(
  server: GatewayServer,
  fanout: Fanout,
  slow: Ladder,
  outbox: Outbox,
  table: Views,
  sent: ReadonlyMap<string, SentCell>,
  limits: ConnectionLimits,
  pings: number,
  { heldBytes, counters }: Recoveries,
): Omit<
  WorkerStats,
  | 'tokensRefused'
  | 'pending'
  | 'pendingRefused'
  | 'loopDelayMs'
  | 'frameAgeMs'
  | 'commandsShed'
  | 'work'
  | 'publishedOverRate'
  | 'closedForTotal'
> {
  const { open, opened, closed, received, receivedBytes, refused, messagesRefused, closes } = server.counters;
  return {
    open,
    opened,
    closed,
    received,
    receivedBytes,
    refused: [...refused],
    limited: Object.entries(limits.refused),
    messagesRefused,
    closes: [...closes],
    pings,
    requestsWaiting: table.requests.waiting,
    missed: { bytes: heldBytes, shared: counters.shared },
    sent: [...sent].map(([key, { messages, bytes }]) => ({ key, messages, bytes })),
    control: { ...outbox.control },
    lanes: table.size,
    buffered: slow.buffered,
    dropped: slow.counters.dropped,
    stalls: slow.counters.stalls,
    circuits: { open: slow.open, halfOpen: slow.halfOpen },
    resumes: slow.counters.resumes,
    conflated: slow.conflation.slowed,
    paces: { ...slow.conflation.counters },
    waitingBytes: slow.waitingBytes,
    turns: fanout.counters.turns,
    overruns: fanout.counters.overruns,
    latencyBuckets: [...fanout.counters.latencyBuckets],
    latencySumMicros: fanout.counters.latencySumMicros,
  };
}
