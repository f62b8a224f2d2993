/** The body of `/stats`: the process in numbers, with percentiles, refusals, closes and limits. */
import type { Config } from '../config/environment.js';
import type { Feed } from '../feed-contract/feed.js';
import type { WorkerStats } from '../threads/worker-stats.js';
import { type ApiParts, gatewayThreadName } from './api.js';
import { percentilesOf } from './percentiles.js';
import { statsOf } from './stats.js';

export async function statsAnswer({ config, parts, mainStats, notReady, isDraining }: ApiParts): Promise<object> {
  const main = parts();
  const running = config();
  const workers = await main.workers.stats();
  const { feed: status, since } = main.status.current;
  const missing = notReady();
  return {
    ...statsOf({
      ...mainStats(),
      node: running.nodeName,
      port: main.workers.port,
      feed: { name: main.feed.name, upstream: main.feed.stats?.active, status, since, errors: errorsOf(main.feed) },
      encoders: running.encoders,
      workers,
    }),
    latency_ms: percentilesOf(added(workers.map(({ hubToPublish }) => hubToPublish.realtime.buckets))),
    age_ms: {
      institutional: percentilesOf(added(workers.map(({ ages }) => ages.institutional.buckets))),
      retail: percentilesOf(added(workers.map(({ ages }) => ages.retail.buckets))),
    },
    circuits: {
      open: sum(workers, ({ circuits }) => circuits.open),
      half_open: sum(workers, ({ circuits }) => circuits.halfOpen),
    },
    refused: refusalsOf(workers),
    closes: totalsOf(workers.flatMap(({ closes }) => closes)),
    limits: limitsOf(running),
    ready: missing.length === 0,
    missing,
    draining: isDraining(),
    silent_threads: Array.from({ length: running.workers }, (_, worker) => worker)
      .filter(worker => main.workers.stateOf(worker) !== 'running')
      .map(gatewayThreadName),
  };
}

/** What its servers refused and reported so far, by kind. */
function errorsOf({ health }: Feed): Readonly<Record<string, number>> {
  return Object.fromEntries(health?.errors ?? []);
}

/** By HTTP status and code; and of these, by the limit that was reached. */
function refusalsOf(workers: readonly WorkerStats[]): Readonly<Record<string, number>> {
  const byCode = workers.flatMap(({ refused }) =>
    refused.map(([key, count]) => [key.replace('|', '_'), count] as const),
  );
  return totalsOf([...byCode, ...workers.flatMap(({ limited }) => limited)]);
}

function limitsOf({ limits, times }: Config): object {
  return {
    connections: limits.connectionsMax,
    connections_per_address: limits.connectionsPerAddressMax,
    connections_per_user: limits.connectionsPerUserMax,
    subscriptions: limits.subscriptionsMax,
    symbols: limits.symbolsMax,
    buffered_bytes: limits.bufferedBytesMax,
    buffered_bytes_per_connection: limits.backpressureBytesMax,
    age_ms: times.maxAgeMs,
  };
}

function totalsOf(counts: readonly (readonly [name: string | number, count: number])[]): Record<string, number> {
  const totals: Record<string, number> = {};
  for (const [name, count] of counts) totals[name] = (totals[name] ?? 0) + count;
  return totals;
}

const sum = (workers: readonly WorkerStats[], pick: (worker: WorkerStats) => number): number =>
  workers.reduce((total, worker) => total + pick(worker), 0);

function added(lists: readonly (readonly number[])[]): number[] {
  const total: number[] = [];
  for (const list of lists) for (const [b, count] of list.entries()) total[b] = (total[b] ?? 0) + count;
  return total;
}
