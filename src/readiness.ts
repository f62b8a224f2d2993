/** Readiness for `/readyz`: whether a load balancer may send clients here. */
import type { Config } from './config/environment.js';
import { readerThreads } from './config/reader-threads.js';
import type { WorkerSupervisor } from './gateway/supervision/supervisor.js';
import type { Hub } from './hub/hub.js';
import type { NotReadyReason } from './observe/main-stats.js';
import { SharedReadiness } from './threads/shared-readiness.js';

/** How often the gateway threads are told. */
const REPORT_INTERVAL_MS = 250;

interface ReadinessParts {
  readonly config: Config;
  readonly workers: WorkerSupervisor;
  readonly hub: Hub;
  readonly isClosing: boolean;
  readonly isDraining: boolean;
  readonly isFeedStarted: boolean;
  readonly isFeedStale: boolean;
  readonly areDescriptorsShort: boolean;
  readonly areRevocationsReadable: boolean;
  /** There is a key set to fetch, and no keys of it that may be used. */
  readonly areKeysMissing: boolean;
  /** JOURNAL_FAIL=closed, and the journal cannot be written. */
  readonly isJournalRefusing: boolean;
}

/** Everything that can keep a gateway from being ready, and whether it does now. */
function obstacles(parts: ReadinessParts): Readonly<Record<NotReadyReason, boolean>> {
  const { config, workers, hub } = parts;
  return {
    closing: parts.isClosing,
    draining: parts.isDraining,
    feed: !parts.isFeedStarted,
    feed_stale: parts.isFeedStarted && parts.isFeedStale && !config.isReadyWhenStale,
    workers: workers.listening < readerThreads(config),
    descriptors: parts.areDescriptorsShort,
    workers_stuck: workers.stuck > 0,
    encoders_stuck: hub.shards.some(shard => shard.watch.isStuck),
    revocations: config.revocations.isRequired && !parts.areRevocationsReadable,
    key_set: parts.areKeysMissing,
    journal: parts.isJournalRefusing,
    workers_stable: workers.crashLoops > 0,
    encoders_stable: hub.crashLoops > 0,
  };
}

export class Readiness {
  readonly #parts: () => ReadinessParts;
  readonly #shared = new SharedReadiness();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: () => ReadinessParts) {
    this.#parts = parts;
  }

  /** Where the gateway threads read it (threads/shared-readiness.ts). */
  get cells(): SharedArrayBuffer {
    return this.#shared.cells;
  }

  /** The names of what keeps the gateway from being ready; empty when it is ready. */
  get missing(): string[] {
    return this.obstacles.flatMap(([name, isInTheWay]) => (isInTheWay ? [name] : []));
  }

  /** Everything that can keep it from being ready, and whether it does. */
  get obstacles(): readonly (readonly [name: NotReadyReason, isInTheWay: boolean])[] {
    return Object.entries(obstacles(this.#parts())) as [NotReadyReason, boolean][];
  }

  /** Tells the gateway threads from now on. */
  start(): void {
    this.#timer = setInterval(() => this.report(), REPORT_INTERVAL_MS).unref();
    this.report();
  }

  /** Tells them at once. */
  report(): void {
    this.#shared.report(this.missing.length === 0);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.report();
  }
}
