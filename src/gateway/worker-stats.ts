/** A worker's counters as plain data, for the main thread to merge. */
import { getHeapStatistics } from 'node:v8';
import type { Counts, WorkerStats } from '../threads/worker-stats.js';
import type { RoomPublishing } from './commands/room-publishing.js';
import type { TopicCommands } from './commands/topic-commands.js';
import { connectionGauges } from './connection-gauges.js';
import type { Fanout } from './delivery/fanout.js';
import type { GatewayServer } from './edge/server.js';
import type { ConnectionLimits } from './limits/connection-limits.js';
import type { PendingSockets } from './limits/pending-sockets.js';
import type { WorkBudgets } from './limits/work-budgets.js';
import type { Session } from './model/session.js';
import type { Outbox } from './sending/outbox.js';
import type { Credentials } from './sessions/credentials.js';
import type { Keepalive } from './sessions/keepalive.js';
import type { BufferedTotal } from './slow-consumers/buffered-total.js';
import type { Ladder } from './slow-consumers/ladder.js';
import type { Overload } from './slow-consumers/overload.js';
import type { Subscriptions } from './subscriptions/subscriptions.js';
import type { SentCell, Views } from './views/views.js';

/** What has counters. */
interface CountedParts {
  readonly sessions: ReadonlySet<Session>;
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
  return { ...connectionStats(parts), ...deliveryStats(parts), ...slowStats(parts), ...threadStats(parts) };
}

function connectionStats(parts: CountedParts) {
  const { sessions, server, limits, credentials, pending, budgets, keepalive, topics, rooms } = parts;
  const { open, opened, closed, received, receivedBytes, messagesRefused, ...counts } = server.counters;
  return {
    open,
    opened,
    closed,
    received,
    receivedBytes,
    ...connectionGauges(sessions, performance.now()),
    refused: [...counts.refused],
    limited: entriesOf(limits.refused),
    messagesRefused,
    closes: [...counts.closes],
    explained: counts.explained,
    clientCloses: entriesOf<string>(counts.clientCloses),
    tokensRefused: [...credentials.tokensRefused],
    pings: keepalive.counters.pings,
    pending: pending.size,
    pendingRefused: pending.refused,
    resyncs: topics.resyncs,
    commandsShed: topics.shed,
    publishedOverRate: rooms.counters.overRate,
    work: { ...budgets.counters, overflow: budgets.overflow },
  };
}

function deliveryStats({ views, subscriptions, outbox, sent, fanout }: CountedParts) {
  const { waitingBytes, counters } = subscriptions.recoveries;
  const { errors, gaps, stales } = outbox.announcements;
  return {
    subscriptions: entriesOf(subscriptions.counts),
    requestsWaiting: views.requests.waiting,
    replayBytes: waitingBytes,
    replaysShared: counters.shared,
    sent: [...sent].map(([key, { messages, bytes }]) => ({ key, messages, bytes })),
    control: { ...outbox.control },
    errorFrames: entriesOf(errors),
    gapFrames: entriesOf(gaps),
    staleFrames: entriesOf(stales),
    views: views.size,
    turns: fanout.counters.turns,
    overruns: fanout.counters.overruns,
    hubToPublish: fanout.latencies.hubToPublish,
    publisherToSend: fanout.latencies.publisherToSend,
    implausibleTimes: fanout.latencies.implausible,
  };
}

function slowStats({ ladder, bufferedTotal }: CountedParts) {
  const { institutional, retail } = ladder.ages.observed;
  return {
    buffered: ladder.buffered,
    dropped: ladder.counters.dropped,
    stalls: ladder.counters.stalls,
    circuits: { open: ladder.open, halfOpen: ladder.halfOpen },
    resumes: ladder.counters.resumes,
    conflated: ladder.conflation.slowed,
    conflationSteps: { ...ladder.conflation.counters },
    clientsLagging: ladder.ages.lagging,
    ages: { institutional: institutional.counts, retail: retail.counts },
    waitingBytes: ladder.waitingBytes,
    closedForTotal: entriesOf(bufferedTotal.closed),
  };
}

function threadStats({ overload }: CountedParts) {
  const { used_heap_size: heapUsedBytes, heap_size_limit: heapLimitBytes } = getHeapStatistics();
  return {
    loopDelayMs: overload.loopDelayMs,
    frameAgeMs: overload.frameAgeMs,
    busyMs: performance.eventLoopUtilization().active,
    heapUsedBytes,
    heapLimitBytes,
  };
}

function entriesOf<Key extends string>(counts: Readonly<Record<Key, number>>): Counts<Key> {
  return Object.entries(counts) as [Key, number][];
}
