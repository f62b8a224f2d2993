/** The admin server, wired to the parts of the gateway that it reports on and gives orders to. */

import type { KeySource } from '../auth/key-set.js';
import type { Config } from '../config/environment.js';
import { WatchedFiles } from '../config/watched-files.js';
import { fittingPackages, thisHost } from '../gateway/native/uws-packages.js';
import type { ThreadQuestions } from '../gateway/supervision/thread-questions.js';
import { packageVersion } from '../observe/build-info.js';
import type { MainStats } from '../observe/main-stats.js';
import { Metrics } from '../observe/metrics/exposition.js';
import type { SampledNotes } from '../observe/sampled-notes.js';
import { PAGES } from '../programs.js';
import type { RevocationKeeper } from '../revocation/keeper.js';
import type { WorkerStats } from '../threads/worker-stats.js';
import { AdminAccess } from './access.js';
import { type ApiParts, shownUser } from './api.js';
import { changeLog } from './change-log.js';
import { connectionRoutes } from './connection-routes.js';
import { DashboardPages } from './dashboard-pages.js';
import { History } from './history.js';
import { type MainParts, mainStatsOf, type Surroundings } from './main-stats.js';
import { MainThread } from './main-thread.js';
import { orderRoutes } from './order-routes.js';
import { processRoutes } from './process-routes.js';
import { AdminServer } from './server.js';
import { TopicRates } from './topic-rates.js';
import { topicRoutes } from './topic-routes.js';
import { usageRoutes } from './usage-routes.js';

interface AdminSources
  extends Pick<ApiParts, 'config' | 'settings' | 'log' | 'parts' | 'isDraining' | 'drain' | 'live'> {
  readonly notes: SampledNotes;
  readonly readiness: Pick<Surroundings, 'obstacles'> & { readonly missing: readonly string[] };
  readonly revocations: RevocationKeeper;
  readonly questions: ThreadQuestions;
  /** Keys of tokens at AUTH_JWKS_URL. */
  readonly keys: KeySource;
}

/** What the gateway starts and stops. */
export interface Admin {
  readonly server: AdminServer;
  /** Begins to record the history. */
  start(): void;
  stop(): void;
}

export function createAdmin(sources: AdminSources): Admin {
  const { config, notes, parts, questions } = sources;
  const onFault = (what: string, cause: unknown) => notes.fault(what, String(cause));
  const nowMs = () => performance.now();
  const history = new History({ questions, main: () => mainNumbers(parts(), config()), nowMs, onFault });
  const rates = new TopicRates(() => parts().hub.table, nowMs);
  const mainStats = mainStatsNow(sources);
  const api: ApiParts = { ...sources, notReady: () => sources.readiness.missing, mainStats, history, rates };
  const access = newAccess(sources, onFault);
  const server = newServer(sources, api, access, onFault);
  let stopWatching = () => {};
  return {
    server,
    start() {
      stopWatching = watchKeys(config().auth.jwksFile, access);
      history.start();
      rates.start(cause => onFault('rates of topics were not measured', cause));
    },
    stop() {
      stopWatching();
      history.stop();
      rates.stop();
    },
  };
}

function newServer(
  sources: AdminSources,
  api: ApiParts,
  access: AdminAccess,
  onFault: (what: string, cause: unknown) => void,
): AdminServer {
  const { config, parts } = sources;
  const { notReady, mainStats } = api;
  const metrics = new Metrics({ main: mainStats, workers: () => workerStats(parts()) });
  const { adminHost, adminPort, allowedHosts } = config();
  return new AdminServer({
    host: adminHost,
    port: adminPort,
    allowedHosts,
    access,
    notReady,
    pages: new DashboardPages(PAGES, () => ({ host: config().host, port: parts().workers.port })),
    metrics: async () => ({ contentType: metrics.contentType, text: await metrics.scrape() }),
    routes: [
      ...processRoutes(api),
      ...connectionRoutes(api),
      ...topicRoutes(api),
      ...orderRoutes(api),
      ...usageRoutes(api, onFault),
    ],
    onForbidden: ({ method, path }, caller) => changeLog(api, caller, `${method} ${path}`, undefined)('forbidden'),
    onFault,
  });
}

/** The main thread's numbers as they are when they are asked for. */
function mainStatsNow({ config, parts, readiness }: AdminSources): () => MainStats {
  const mainThread = new MainThread();
  mainThread.start();
  const build = buildInfo(config().nodeName);
  return () => {
    const { limits, encoders } = config();
    const { obstacles } = readiness;
    return mainStatsOf(parts(), { build, limits, encoders, obstacles, mainThread: mainThread.numbers });
  };
}

function newAccess(
  { config, notes, revocations, keys }: AdminSources,
  onFault: (what: string, cause: unknown) => void,
): AdminAccess {
  return new AdminAccess({
    config,
    keys,
    isRevoked: credential => revocations.isRevoked(credential),
    shownUser: user => shownUser(config(), user),
    onWrong: address => notes.wrongAdminToken(address),
    onFault,
  });
}

/** Tokens signed with a key that leaves the file are refused from then on. @returns stops watching */
function watchKeys(file: string | undefined, access: AdminAccess): () => void {
  if (file === undefined) return () => {};
  const watched = new WatchedFiles([file]);
  return watched.watch(() => watched.read(async () => access.keysChanged()));
}

/** Once the workers report, the hub too knows what has been encoded. */
function workerStats({ hub, workers }: MainParts): Promise<WorkerStats[]> {
  for (const shard of hub.shards) shard.check();
  return workers.stats();
}

function mainNumbers({ hub, status }: MainParts, { encoders }: Config) {
  const { messages, encoders: reported } = hub.counters;
  return {
    messages,
    feed: status.current.feed,
    encodeMicrosOf: Array.from({ length: encoders }, (_, encoder) => reported[encoder]?.busyMicros ?? 0),
  };
}

function buildInfo(node: string): MainStats['build'] {
  const host = thisHost();
  return { node, version: packageVersion(), nodejs: host.node, uws: fittingPackages(host)[0] ?? 'none' };
}
