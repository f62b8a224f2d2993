/** The admin server, wired to the parts of the gateway that it reports on. */
import type { Config } from '../config/environment.js';
import type { Feed } from '../feed-contract/feed.js';
import { fittingPackages, thisHost } from '../gateway/native/uws-packages.js';
import { packageVersion } from '../observe/build-info.js';
import type { MainStats } from '../observe/main-stats.js';
import { Metrics } from '../observe/metrics/exposition.js';
import type { SampledNotes } from '../observe/sampled-notes.js';
import type { RevocationKeeper } from '../revocation/keeper.js';
import { revocationsPage } from '../revocation/listing.js';
import type { WorkerStats } from '../threads/worker-stats.js';
import { AttemptLimiter } from './attempt-limiter.js';
import { type MainParts, mainStatsOf, type Surroundings } from './main-stats.js';
import { MainThread } from './main-thread.js';
import { AdminServer } from './server.js';
import { statsOf } from './stats.js';

interface AdminSources {
  /** The configuration in force. */
  readonly config: () => Config;
  readonly notes: SampledNotes;
  readonly readiness: Pick<Surroundings, 'obstacles'> & { readonly missing: readonly string[] };
  readonly parts: () => MainParts;
  readonly revocations: RevocationKeeper;
}

export function createAdmin({ config, notes, readiness, parts, revocations }: AdminSources): AdminServer {
  const workers = () => workerStats(parts());
  const mainThread = new MainThread();
  mainThread.start();
  const build = buildInfo();
  const main = () => {
    const { limits, encoders } = config();
    const { obstacles } = readiness;
    return mainStatsOf(parts(), { build, limits, encoders, obstacles, mainThread: mainThread.numbers });
  };
  const metrics = new Metrics({ main, workers });
  const limiters = new AttemptLimiters(notes);
  const { adminHost, adminPort, allowedHosts } = config();
  return new AdminServer({
    host: adminHost,
    port: adminPort,
    allowedHosts,
    // A reload may bring another token.
    get limiter() {
      return limiters.of(config().adminToken);
    },
    notReady: () => readiness.missing,
    metrics: async () => ({ contentType: metrics.contentType, text: await metrics.scrape() }),
    stats: async () => {
      const reported = await workers();
      return stats(config(), parts(), main(), reported);
    },
    revocations: after => revocationsPage(revocations, after),
    onFault: (what, cause) => notes.fault(what, String(cause)),
  });
}

/** The limiter of the current token. A new token forgets who failed with the one before it. */
class AttemptLimiters {
  readonly #notes: SampledNotes;
  #token: string | undefined;
  #limiter: AttemptLimiter | undefined;

  constructor(notes: SampledNotes) {
    this.#notes = notes;
  }

  of(token: string | undefined): AttemptLimiter | undefined {
    if (token === this.#token) return this.#limiter;
    this.#token = token;
    const nowMs = () => performance.now();
    const onWrong = (address: string) => this.#notes.wrongAdminToken(address);
    this.#limiter = token === undefined ? undefined : new AttemptLimiter({ token, nowMs, onWrong });
    return this.#limiter;
  }
}

/** Once the workers report, the hub too knows what has been encoded. */
function workerStats({ hub, workers }: MainParts): Promise<WorkerStats[]> {
  for (const shard of hub.shards) shard.check();
  return workers.stats();
}

function stats({ nodeName, encoders }: Config, parts: MainParts, main: MainStats, workers: readonly WorkerStats[]) {
  const { feed: status, since } = parts.status.current;
  return statsOf({
    ...main,
    node: nodeName,
    port: parts.workers.port,
    feed: { name: parts.feed.name, upstream: parts.feed.stats?.active, status, since, errors: errorsOf(parts.feed) },
    encoders,
    workers,
  });
}

/** What its servers refused and reported so far, by kind. */
function errorsOf({ health }: Feed): Readonly<Record<string, number>> {
  return Object.fromEntries(health?.errors ?? []);
}

function buildInfo(): MainStats['build'] {
  const host = thisHost();
  return { version: packageVersion(), node: host.node, uws: fittingPackages(host)[0] ?? 'none' };
}
