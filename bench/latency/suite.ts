/**
 * Latency under an open loop: from the time at which an update was to be published to the client that reads it, of the
 * whole pipeline against servers that hand the same bytes on from NATS. R52.
 */
import { checkLayout, type Layout } from '../fanout/layout.js';
import { findProgram } from '../harness/programs.js';
import type { LatencyReport } from '../load/latency-histogram.js';
import type { SuiteReport } from '../report/report.js';
import { type BenchOptions, type Suite, type SuiteContext, UsageError } from '../suite.js';
import { type LatencyContender, millrace, relay } from './contender.js';
import { bareSubscriberLatency, idleLatency } from './idle.js';
import { reportLatency } from './report.js';
import { type LoadResult, type LoadTimes, Session } from './session.js';

export interface LatencySettings extends Layout, LoadTimes {
  readonly rounds: number;
  readonly shape: 'price' | 'tick';
  readonly observers: number;
  readonly workers: string;
  readonly encoders: string;
  readonly contenders: readonly string[];
}

/** A load of the run: so many updates a second, the same for every contender. */
export interface Load {
  readonly name: string;
  readonly updatesPerSecond: number;
}

/** One contender under one load in one round. */
export interface LatencyRound extends LoadResult {
  readonly contender: string;
  readonly round: number;
  readonly load: string;
}

/** One client on an idle system, and a bare subscriber. */
export interface IdleRound {
  readonly round: number;
  readonly millrace: LatencyReport;
  readonly bareSubscriber: LatencyReport;
}

const FULL = { rounds: 5, clients: 1000, seconds: 5, warmupSeconds: 3 };
const QUICK = { rounds: 1, clients: 50, seconds: 1, warmupSeconds: 0.5 };
const SYMBOLS = 20;
const OBSERVERS = 32;
/** With 1000 clients on every symbol: the goal's 1 M deliveries a second. */
const RATE = 1000;
const SHARES_OF_CAPACITY = [0.1, 0.5, 0.9];
/** The load at which the goals hold. */
export const GOAL_LOAD = 'fixed';

export const latency: Suite = {
  name: 'latency',
  summary: 'open-loop latency against relays (R52)',
  run: runLatency,
};

async function runLatency({ options, progress, signal }: SuiteContext): Promise<SuiteReport> {
  const contenders = chosen(options);
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
  }
  const rounds: LatencyRound[] = [];
  const idle: IdleRound[] = [];
  for (let round = 1; round <= settings.rounds; round++) {
    for (const contender of contenders) {
      const session = await Session.open(contender, plan, signal);
      try {
        for (const load of loads) {
          progress(`round ${round} of ${settings.rounds}: ${contender.name} at ${load.updatesPerSecond} updates/s`);
          const result = await session.load({ updatesPerSecond: load.updatesPerSecond, burst: 1 }, settings);
          rounds.push({ contender: contender.name, round, load: load.name, ...result });
        }
      } finally {
        await session.close();
      }
    }
    const subject = contenders.find(({ name }) => name === 'millrace');
    if (subject === undefined) continue;
    progress(`round ${round} of ${settings.rounds}: one client on an idle system`);
    const bareSubscriber = await bareSubscriberLatency(settings, signal);
    idle.push({ round, millrace: await idleLatency(subject, settings, signal), bareSubscriber });
  }
  return reportLatency(settings, loads, rounds, idle);
}

async function capacityOf(
  contender: LatencyContender | undefined,
  plan: Parameters<typeof Session.open>[1],
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

function chosen({ workers, encoders, only }: BenchOptions): LatencyContender[] {
  const bun = findProgram('bun');
  const all = [millrace({ workers, encoders }), relay('bare-relay'), relay('ws-relay')];
  if (bun !== undefined) all.push(relay('bun-relay', undefined, bun));
  const unknown = only?.filter(name => !all.some(contender => contender.name === name)) ?? [];
  const names = all.map(({ name }) => name).join(', ');
  if (unknown.length > 0) throw new UsageError(`no contender named ${unknown.join(', ')}; there are: ${names}`);
  return all.filter(({ name }) => only?.includes(name) ?? true);
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
