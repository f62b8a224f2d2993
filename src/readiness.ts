/** Readiness for `/readyz`: whether a load balancer may send clients here. */
import type { Config } from './config/environment.js';
import type { WorkerSupervisor } from './gateway/supervision/supervisor.js';
import type { Hub } from './hub/hub.js';

export interface ReadinessParts {
  readonly config: Config;
  readonly workers: WorkerSupervisor;
  readonly hub: Hub;
  readonly isClosing: boolean;
  readonly isDraining: boolean;
  readonly isFeedStarted: boolean;
  readonly isFeedStale: boolean;
  readonly areDescriptorsShort: boolean;
  readonly areRevocationsReadable: boolean;
}

/** Everything that can keep a gateway from being ready, and whether it does now. */
function obstacles(parts: ReadinessParts) {
  const { config, workers, hub } = parts;
  return {
    closing: parts.isClosing,
    draining: parts.isDraining,
    feed: !parts.isFeedStarted,
    feed_stale: parts.isFeedStarted && parts.isFeedStale && !config.isReadyWhenStale,
    workers: workers.listening < config.workers,
    descriptors: parts.areDescriptorsShort,
    workers_stuck: workers.stuck > 0,
    encoders_stuck: hub.shards.some(shard => shard.watch.isStuck),
    revocations: config.revocations.isRequired && !parts.areRevocationsReadable,
    workers_stable: workers.crashLoops > 0,
    encoders_stable: hub.crashLoops > 0,
  };
}

/** The names of what keeps the gateway from being ready; empty when it is ready. */
export function missingForReadiness(parts: ReadinessParts): string[] {
  return Object.entries(obstacles(parts)).flatMap(([name, isInTheWay]) => (isInTheWay ? [name] : []));
}
