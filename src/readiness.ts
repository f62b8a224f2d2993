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
  readonly areDescriptorsShort: boolean;
  readonly areRevocationsReadable: boolean;
  /** There is a key set to fetch, and no keys of it that may be used. */
  readonly areKeysMissing: boolean;
}

/** Empty when the gateway is ready, else what is missing. */
export function missingForReadiness(parts: ReadinessParts): string[] {
  const { config, workers, hub } = parts;
  const missing: string[] = [];
  if (parts.isClosing) missing.push('closing');
  if (parts.isDraining) missing.push('draining');
  if (!parts.isFeedStarted) missing.push('feed');
  if (workers.listening < config.workers) missing.push('workers');
  if (parts.areDescriptorsShort) missing.push('descriptors');
  if (workers.stuck > 0) missing.push('workers_stuck');
  if (hub.shards.some(shard => shard.watch.isStuck)) missing.push('encoders_stuck');
  if (config.revocations.isRequired && !parts.areRevocationsReadable) missing.push('revocations');
  if (parts.areKeysMissing) missing.push('key_set');
  if (workers.crashLoops > 0) missing.push('workers_stable');
  if (hub.crashLoops > 0) missing.push('encoders_stable');
  return missing;
}
