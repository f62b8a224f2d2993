/**
 * Latency under an open loop: from the time at which an update was to be published to the client that reads it, of the
 * whole pipeline against servers that hand the same bytes on from NATS. R52.
 */
import { checkLayout } from '../fanout/layout.js';
import { prepareContenders, selected } from '../harness/contenders.js';
import type { SuiteReport } from '../report/report.js';
import { type BenchOptions, type Suite, type SuiteContext, UsageError } from '../suite.js';
import { type LatencyContender, latencyContenders } from './contender.js';
import { bareSubscriberLatency, idleLatency } from './idle.js';
import { reportLatency } from './report.js';
import { GOAL_LOAD, type IdleRound, type LatencyRound, type LatencySettings, type Load } from './results.js';
import { type LoadResult, type LoadTimes, Session, type SessionPlan } from './session.js';

const FULL = { rounds: 5, clients: 1000, seconds: 5, warmupSeconds: 3 };
const QUICK = { rounds: 1, clients: 50, seconds: 1, warmupSeconds: 0.5 };
const SYMBOLS = 20;
const OBSERVERS = 32;
/** With 1000 clients on every symbol: the goal's 1 M deliveries a second. */
const RATE = 1000;
const SHARES_OF_CAPACITY = [0.1, 0.5, 0.9];
export const latency: Suite = {
  name: 'latency',
  summary: 'open-loop latency against relays (R52)',
  run: runLatency,
};

async function runLatency(context: SuiteContext): Promise<SuiteReport> {
  const prepared = await prepareContenders(selected(latencyContenders(context.options), context.options.only), context);
  try {
    return await measure(context, prepared.contenders, prepared.skipped);
  } finally {
    prepared.release();
  }
}

async function measure(
  { options, progress, signal }: SuiteContext,
  contenders: readonly LatencyContender[],
  skipped: readonly string[],
): Promise<SuiteReport> {
  const settings = settingsOf(options, contenders);
  const plan = { layout: settings, shape: settings.shape, paddingBytes: 0, observers: settings.observers };
  const loads: Load[] = [{ name: GOAL_LOAD, updatesPerSecond: options.rate ?? RATE }];
  if (options.rate === undefined) {
    progress(`the capacity of ${contenders[0]?.name}, which the other loads are shares of`);
    const capacity = await capacityOf(contenders[0], plan, settings, signal);
    const shares = SHARES_OF_CAPACITY.map(share => ({
      name: `${share * 100} %`,
      updatesPerSecond: Math.max(1, Math.round(capacity * share)),
    }));
    loads.push(...shares);
    // A fresh process is slowest: it begins with the lightest load.
    loads.sort((a, b) => a.updatesPerSecond - b.updatesPerSecond);
  }
  const rounds: LatencyRound[] = [];
  const idle: IdleRound[] = [];
  for (let round = 1; round <= settings.rounds; round++) {
    const turn = `round ${round} of ${settings.rounds}`;
    for (const contender of contenders) {
      const say = (load: Load): void => progress(`${turn}: ${contender.name} at ${load.updatesPerSecond} updates/s`);
      const results = await underEach(loads, contender, plan, settings, { say, signal });
      rounds.push(...results.map(result => ({ contender: contender.name, round, ...result })));
    }
    const subject = contenders.find(({ name }) => name === 'millrace');
    if (subject === undefined) continue;
    progress(`${turn}: one client on an idle system`);
    const bareSubscriber = await bareSubscriberLatency(settings, signal);
    idle.push({ round, millrace: await idleLatency(subject, settings, signal), bareSubscriber });
  }
  return reportLatency(settings, { loads, rounds, idle, skipped });
}

/**
 * One contender under one load after another. What it did not keep up with, it is not asked again, nor more, but for the
 * load of the goals; then in a fresh process, without what it still owes.
 */
export async function underEach(
  loads: readonly Load[],
  contender: LatencyContender,
  plan: SessionPlan,
  times: LoadTimes,
  { say, signal }: { say(load: Load): void; signal: AbortSignal },
): Promise<(LoadResult & { readonly load: string })[]> {
  const results: (LoadResult & { readonly load: string })[] = [];
  let tooMuch = Number.POSITIVE_INFINITY;
  let session: Session | undefined;
  try {
    for (const load of loads) {
      if (load.updatesPerSecond >= tooMuch && load.name !== GOAL_LOAD) continue;
      session ??= await Session.open(contender, plan, signal);
      say(load);
      const result = await session.load({ updatesPerSecond: load.updatesPerSecond, burst: 1 }, times);
      results.push({ load: load.name, ...result });
      if (result.keptUp) continue;
      tooMuch = Math.min(tooMuch, load.updatesPerSecond);
      await session.close();
      session = undefined;
    }
  } finally {
    await session?.close();
  }
  return results;
}

async function capacityOf(
  contender: LatencyContender | undefined,
  plan: SessionPlan,
  times: LoadTimes,
  signal: AbortSignal,
): Promise<number> {
  if (contender === undefined) throw new UsageError('--only leaves no contender');
  const session = await Session.open(contender, plan, signal);
  try {
    return await session.capacity(times);
  } finally {
    await session.close();
  }
}

function settingsOf(options: BenchOptions, contenders: readonly LatencyContender[]): LatencySettings {
  const defaults = options.quick ? QUICK : FULL;
  const universe = options.symbols ?? SYMBOLS;
  const shape = options.shape ?? 'price';
  if (shape !== 'price' && shape !== 'tick') throw new UsageError(`--shape ${shape}: must be price or tick`);
  const clients = options.clients ?? defaults.clients;
  if (clients < 2) throw new UsageError('--clients: at least 2, one of which only observes');
  const symbolsPerClient = options.symbolsPerClient ?? Math.min(SYMBOLS, universe);
  try {
    checkLayout({ clients, symbolsPerClient, universe });
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
  return {
    rounds: options.rounds ?? defaults.rounds,
    seconds: options.seconds ?? defaults.seconds,
    warmupSeconds: options.warmupSeconds ?? defaults.warmupSeconds,
    ...{ clients, symbolsPerClient, universe, shape },
    observers: Math.min(OBSERVERS, Math.ceil(clients / 4)),
    workers: options.workers,
    encoders: options.encoders,
    contenders: contenders.map(({ name }) => name),
  };
}
