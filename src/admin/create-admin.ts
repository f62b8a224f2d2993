/** The admin server, wired to the parts of the gateway that it reports on and gives orders to. */

import type { KeySource } from '../auth/key-set.js';
import type { Config } from '../config/environment.js';
import { WatchedFiles } from '../config/watched-files.js';
import type { ThreadQuestions } from '../gateway/supervision/thread-questions.js';
import { Metrics } from '../observe/metrics.js';
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
import { type MainParts, mainStatsOf } from './main-stats.js';
import { orderRoutes } from './order-routes.js';
import { processRoutes } from './process-routes.js';
import { AdminServer } from './server.js';
import { TopicRates } from './topic-rates.js';
import { topicRoutes } from './topic-routes.js';

interface AdminSources
  extends Pick<ApiParts, 'config' | 'settings' | 'log' | 'parts' | 'notReady' | 'isDraining' | 'drain' | 'live'> {
  readonly notes: SampledNotes;
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
  const history = new History({ questions, main: () => mainNumbers(parts(), config()), onFault });
  const rates = new TopicRates(
    () => parts().hub.table,
    () => performance.now(),
  );
  const api: ApiParts = { ...sources, history, rates };
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
  const { config, parts, notReady } = sources;
  const metrics = new Metrics({ main: () => mainStatsOf(parts()), workers: () => workerStats(parts()) });
  const { adminHost, adminPort, allowedHosts } = config();
  return new AdminServer({
    host: adminHost,
    port: adminPort,
    allowedHosts,
    access,
    notReady,
    pages: new DashboardPages(PAGES, () => ({ host: config().host, port: parts().workers.port })),
    metrics: async () => ({ contentType: metrics.contentType, text: await metrics.scrape() }),
    routes: [...processRoutes(api), ...connectionRoutes(api), ...topicRoutes(api), ...orderRoutes(api)],
    onForbidden: ({ method, path }, caller) => changeLog(api, caller, `${method} ${path}`, undefined)('forbidden'),
    onFault,
  });
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
  const { messages, encodeMicrosOf } = hub.counters;
  return {
    messages,
    feed: status.current.feed,
    encodeMicrosOf: Array.from({ length: encoders }, (_, encoder) => encodeMicrosOf[encoder] ?? 0),
  };
}
