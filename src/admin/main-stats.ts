/** Collects the counters of the main thread's parts for metrics and statistics. */
import type { KeySetStats } from '../auth/remote-key-set.js';
import type { Feed } from '../feed-contract/feed.js';
import type { WorkerSupervisor } from '../gateway/supervision/supervisor.js';
import type { Hub } from '../hub/hub.js';
import type { ServiceStatus } from '../hub/service-status.js';
import type { Loads } from '../hub/shards/loads.js';
import { shardTotals } from '../hub/shards/shard-totals.js';
import type { DescriptorWatch } from '../observe/descriptors.js';
import type { MainStats } from '../observe/main-stats.js';
import type { KeeperStats } from '../revocation/keeper.js';

export interface MainParts {
  readonly hub: Hub;
  readonly workers: WorkerSupervisor;
  readonly feed: Feed;
  readonly status: ServiceStatus;
  readonly loads: Loads;
  readonly descriptors: DescriptorWatch;
  readonly revocations: KeeperStats;
  readonly keySet: KeySetStats | undefined;
  /** Undefined: nothing is traced. */
  readonly tracing: MainStats['tracing'];
  readonly logLinesLost: number;
}

export function mainStatsOf(parts: MainParts): MainStats {
  const { hub, workers, feed, status, loads, descriptors, revocations, keySet, tracing, logLinesLost } = parts;
  const { shards, counters, subjects, holds } = hub;
  return {
    ...counters,
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
  };
}
