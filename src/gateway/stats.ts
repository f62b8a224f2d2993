/** A worker's counters as plain data, for the main thread to merge. */
import type { WorkerStats } from '../protocol/thread-messages.js';
import type { ConnectionLimits } from './connection-limits.js';
import type { Fanout } from './fanout.js';
import type { LaneTable, SentCell } from './lane-table.js';
import type { Outbox } from './outbox.js';
import type { GatewayServer } from './server.js';
import type { SlowConsumers } from './slow-consumers.js';

export function snapshotStats(
  server: GatewayServer,
  fanout: Fanout,
  slow: SlowConsumers,
  outbox: Outbox,
  table: LaneTable,
  sent: ReadonlyMap<string, SentCell>,
  limits: ConnectionLimits,
  pings: number,
): Omit<WorkerStats, 'loopDelayMs' | 'frameAgeMs' | 'commandsShed' | 'work'> {
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
    sent: [...sent].map(([key, { messages, bytes }]) => ({ key, messages, bytes })),
    control: { ...outbox.control },
    lanes: table.size,
    buffered: slow.buffered,
    dropped: slow.counters.dropped,
    stalls: slow.counters.stalls,
    circuits: { open: slow.open, halfOpen: slow.halfOpen },
    resumes: slow.counters.resumes,
    conflated: slow.paces.slowed,
    paces: { ...slow.paces.counters },
    waitingBytes: slow.waitingBytes,
    turns: fanout.counters.turns,
    overruns: fanout.counters.overruns,
    latencyBuckets: [...fanout.counters.latencyBuckets],
    latencySumMicros: fanout.counters.latencySumMicros,
  };
}
