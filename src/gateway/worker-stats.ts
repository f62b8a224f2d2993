/** A worker's counters as plain data, for the main thread to merge. */
import type { WorkerStats } from '../threads/worker-stats.js';
import type { RoomPublishing } from './commands/room-publishing.js';
import type { TopicCommands } from './commands/topic-commands.js';
import type { Fanout } from './delivery/fanout.js';
import type { GatewayServer } from './edge/server.js';
import type { ConnectionLimits } from './limits/connection-limits.js';
import type { PendingSockets } from './limits/pending-sockets.js';
import type { WorkBudgets } from './limits/work-budgets.js';
import type { Session } from './model/session.js';
import type { Outbox } from './sending/outbox.js';
import type { Credentials } from './sessions/credentials.js';
import type { Keepalive } from './sessions/keepalive.js';
import type { AgeCounts } from './slow-consumers/ages.js';
import type { BufferedTotal } from './slow-consumers/buffered-total.js';
import type { Ladder } from './slow-consumers/ladder.js';
import type { Overload } from './slow-consumers/overload.js';
import type { Subscriptions } from './subscriptions/subscriptions.js';
import type { SentCell, Views } from './views/views.js';

/** What has counters. */
interface CountedParts {
  readonly server: GatewayServer;
  readonly limits: ConnectionLimits;
  readonly credentials: Credentials;
  readonly pending: PendingSockets;
  readonly budgets: WorkBudgets;
  readonly keepalive: Keepalive<Session>;
  readonly topics: TopicCommands;
  readonly rooms: RoomPublishing;
  readonly views: Views;
  readonly subscriptions: Subscriptions;
  readonly outbox: Outbox;
  readonly sent: ReadonlyMap<string, SentCell>;
  readonly fanout: Fanout;
  readonly ladder: Ladder;
  readonly bufferedTotal: BufferedTotal;
  readonly overload: Overload;
}

export function workerStats(parts: CountedParts): WorkerStats {
  return { ...connectionStats(parts), ...deliveryStats(parts), ...slowStats(parts) };
}

function connectionStats({ server, limits, credentials, pending, budgets, keepalive, topics, rooms }: CountedParts) {
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
    tokensRefused: [...credentials.tokensRefused],
    pings: keepalive.counters.pings,
    pending: pending.size,
    pendingRefused: pending.refused,
    commandsShed: topics.shed,
    publishedOverRate: rooms.counters.overRate,
    work: { ...budgets.counters, overflow: budgets.overflow },
  };
}

function deliveryStats({ views, subscriptions, outbox, sent, fanout }: CountedParts) {
  const { waitingBytes, counters } = subscriptions.recoveries;
  return {
    requestsWaiting: views.requests.waiting,
    missed: { bytes: waitingBytes, shared: counters.shared },
    sent: [...sent].map(([key, { messages, bytes }]) => ({ key, messages, bytes })),
    control: { ...outbox.control },
    views: views.size,
    turns: fanout.counters.turns,
    overruns: fanout.counters.overruns,
    latencyBuckets: [...fanout.counters.latencyBuckets],
    latencySumMicros: fanout.counters.latencySumMicros,
  };
}

function slowStats({ ladder, bufferedTotal, overload }: CountedParts) {
  return {
    buffered: ladder.buffered,
    dropped: ladder.counters.dropped,
    stalls: ladder.counters.stalls,
    circuits: { open: ladder.open, halfOpen: ladder.halfOpen },
    resumes: ladder.counters.resumes,
    conflated: ladder.conflation.slowed,
    conflationSteps: { ...ladder.conflation.counters },
    clientsLagging: ladder.ages.lagging,
    ages: {
      institutional: countsOf(ladder.ages.counts.institutional),
      retail: countsOf(ladder.ages.counts.retail),
    },
    waitingBytes: ladder.waitingBytes,
    closedForTotal: Object.entries(bufferedTotal.closed),
    loopDelayMs: overload.loopDelayMs,
    frameAgeMs: overload.frameAgeMs,
  };
}

function countsOf({ buckets, sumMicros }: AgeCounts) {
  return { buckets: [...buckets], sumMicros };
}
