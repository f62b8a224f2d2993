/** Collects the counters of the main thread's parts for metrics and statistics. */
import { availableParallelism } from 'node:os';
import type { KeySetStats } from '../auth/remote-key-set.js';
import type { LimitsConfig } from '../config/limits.js';
import type { Feed } from '../feed-contract/feed.js';
import type { WorkerSupervisor } from '../gateway/supervision/supervisor.js';
import type { Hub } from '../hub/hub.js';
import type { ServiceStatus } from '../hub/service-status.js';
import type { Loads } from '../hub/shards/loads.js';
import { shardTotals } from '../hub/shards/shard-totals.js';
import type { ClockReading } from '../observe/clock-offset.js';
import type { DescriptorWatch } from '../observe/descriptors.js';
import { LOG_BYTES_MAX } from '../observe/log-destination.js';
import type { KindNumbers, LimitName, MainStats, NotReadyReason, ThreadNumbers } from '../observe/main-stats.js';
import { SOURCE_KINDS } from '../protocol/topics.js';
import { timeOfDayAt } from '../protocol/wall-clock.js';
import type { KeeperStats } from '../revocation/keeper.js';
import type { AdminRecord } from '../threads/journal-records.js';

export interface MainParts {
  readonly hub: Hub;
  readonly workers: WorkerSupervisor;
  readonly feed: Feed;
  readonly status: ServiceStatus;
  readonly loads: Loads;
  readonly descriptors: DescriptorWatch;
  readonly revocations: KeeperStats;
  readonly keySet: KeySetStats | undefined;
  readonly certificate: { readonly expiresAtMs: number | undefined } | undefined;
  readonly clock: ClockReading | undefined;
  /** Undefined: there is none. */
  readonly surveillance: MainStats['surveillance'];
  /** Undefined: nothing is traced. */
  readonly tracing: MainStats['tracing'];
  readonly journal: {
    readonly numbers: MainStats['journal'];
    readonly isClockAlarming: boolean;
    record(order: AdminRecord): void;
  };
  readonly logLinesLost: number;
}

/** What else metrics tell of. */
export interface Surroundings {
  readonly build: MainStats['build'];
  readonly limits: LimitsConfig;
  readonly encoders: number;
  readonly obstacles: readonly (readonly [name: NotReadyReason, isInTheWay: boolean])[];
  readonly mainThread: ThreadNumbers;
}

export function mainStatsOf(parts: MainParts, around: Surroundings): MainStats {
  const {
    hub,
    workers,
    feed,
    status,
    loads,
    descriptors,
    revocations,
    keySet,
    certificate,
    clock,
    tracing,
    surveillance,
  } = parts;
  const { logLinesLost } = parts;
  const { shards, subjects, holds } = hub;
  const { encoders, kinds, ...counters } = hub.counters;
  return {
    ...counters,
    build: around.build,
    obstacles: around.obstacles,
    limits: limitsOf(around.limits),
    certificateExpirySeconds: certificate?.expiresAtMs === undefined ? undefined : certificate.expiresAtMs / 1000,
    clock,
    isClockAlarming: parts.journal.isClockAlarming,
    journal: parts.journal.numbers,
    threads: [around.mainThread, ...gatewayThreads(workers), ...encoderThreads(hub, around.encoders)],
    users: workers.users,
    kinds: kindsOf(hub),
    bytes: SOURCE_KINDS.reduce((total, kind) => total + kinds[kind].bytes, 0),
    encodeMicros: encoders.reduce((total, encoder) => total + (encoder?.busyMicros ?? 0), 0),
    subjectsRefused: hub.topicsRefused.refused,
    topicSharesRefused: hub.topicsRefused.shares,
    topicsUnavailable: hub.topicsUnavailable,
    held: holds.current,
    holdsTotal: holds.counts,
    subjects,
    ...shardTotals(shards),
    workerRestarts: workers.restarts,
    workersListening: workers.listening,
    descriptorsShort: descriptors.isShort,
    revocations,
    keySet,
    tracing,
    surveillance,
    logLinesLost,
    workersHung: workers.hung,
    workersStuck: workers.stuck,
    longWork: workers.longWork,
    workerCrashLoops: workers.crashLoops,
    encoderCrashLoops: hub.crashLoops,
    feedLive: status.current.feed !== 'stale',
    feedSilentMs: hub.silentMs,
    feedHealth: feed.health,
    feedUpstreams: feed.stats,
    ...loads.stats,
    replaysRecovered: hub.replays.recovered,
    replaysUnrecovered: hub.replays.unrecovered,
    replaysCancelled: hub.replays.cancelled,
    delayed: hub.delays.stats,
  };
}

function kindsOf({ counters }: Hub): readonly KindNumbers[] {
  return SOURCE_KINDS.map(kind => {
    const { messages, bytes, lastMicros } = counters.kinds[kind];
    return { kind, messages, bytes, lastSeconds: lastMicros === 0 ? 0 : timeOfDayAt(lastMicros) / 1e6 };
  });
}

function gatewayThreads({ threads }: WorkerSupervisor): readonly ThreadNumbers[] {
  return threads.map(({ last, isSilent, endedBusyMs }, worker) => ({
    name: `gateway-${worker}`,
    loopDelayMs: last?.loopDelayMs ?? 0,
    busyMs: endedBusyMs + (last?.busyMs ?? 0),
    heapUsedBytes: last?.heapUsedBytes ?? 0,
    heapLimitBytes: last?.heapLimitBytes ?? 0,
    isSilent,
  }));
}

function encoderThreads({ counters }: Hub, encoders: number): readonly ThreadNumbers[] {
  return Array.from({ length: encoders }, (_, shard) => {
    const { busyMicros = 0, heapUsedBytes = 0, heapLimitBytes = 0 } = counters.encoders[shard] ?? {};
    const name = `encoder-${shard}`;
    return {
      name,
      loopDelayMs: undefined,
      busyMs: busyMicros / 1000,
      heapUsedBytes,
      heapLimitBytes,
      isSilent: undefined,
    };
  });
}

function limitsOf(limits: LimitsConfig): Readonly<Record<LimitName, number>> {
  return {
    connections: limits.connectionsMax,
    anonymous: limits.anonymousMax,
    per_user: limits.connectionsPerUserMax,
    per_address: limits.connectionsPerAddressMax,
    pending: limits.pendingMax,
    pending_per_address: limits.pendingPerAddressMax,
    attempts_per_second: limits.attemptsPerSecondMax,
    subscriptions: limits.subscriptionsMax,
    messages_per_second: limits.messagesPerSecondMax,
    work_units_per_second: limits.workUnitsPerSecond,
    message_bytes: limits.messageBytesMax,
    backpressure_bytes: limits.backpressureBytesMax,
    buffered_bytes: limits.bufferedBytesMax,
    client_topics: limits.clientTopicsMax,
    symbols: limits.symbolsMax,
    log_bytes: LOG_BYTES_MAX,
    cpu_cores: availableParallelism(),
  };
}
