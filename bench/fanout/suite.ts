/**
 * Fan-out: how many deliveries a second reach the clients of Millrace's whole pipeline (publisher → nats-server → gateway)
 * against bare uWebSockets.js publishing the same bytes to the same clients. R50.
 */
import { Children } from '../harness/children.js';
import type { Pace } from '../pacing/pacer.js';
import type { SuiteReport } from '../report/report.js';
import { type BenchOptions, type Suite, type SuiteContext, UsageError } from '../suite.js';
import { bareUws } from './bare-uws.js';
import type { Contender, RoundPlan } from './contender.js';
import { buildFrames } from './frames.js';
import { checkLayout, fanoutOf, type Layout } from './layout.js';
import { millrace, recordFrames } from './millrace.js';
import { reportFanout } from './report.js';
import { type RoundResult, type RoundTimes, runRound } from './round.js';
import type { TickShape } from './ticks.js';

/** All that a run of this suite can be told, with its defaults applied. */
export interface FanoutSettings extends Layout, RoundTimes {
  readonly rounds: number;
  readonly shape: TickShape;
  readonly windowUpdates: number;
  readonly batchUpdates: number;
  readonly workers: string;
  readonly encoders: string;
  readonly frames: 'recorded' | 'built';
}

const FULL = { rounds: 5, clients: 1000, seconds: 8, warmupSeconds: 3 };
const QUICK = { rounds: 2, clients: 100, seconds: 2, warmupSeconds: 1 };
const SYMBOLS = 20;
const WINDOW_UPDATES = 500;
const BATCH_UPDATES = 50;
const STALL_MS = 2000;

export const fanout: Suite = {
  name: 'fanout',
  summary: 'deliveries/s of the whole pipeline against bare uWS (R50)',
  run: runFanout,
};

async function runFanout(context: SuiteContext): Promise<SuiteReport> {
  const { options, progress, signal } = context;
  const contenders = chosen(options);
  const withMillrace = contenders.some(({ name }) => name === 'millrace');
  const settings = settingsOf(options, withMillrace ? 'recorded' : 'built');
  const layout = layoutOf(settings);
  if (withMillrace) progress("recording one cycle of Millrace's frames for the peers");
  const frames = withMillrace
    ? await recordFrames(new Children(signal), layout, settings.shape, settings)
    : buildFrames(layout, settings.shape);
  const { windowUpdates, batchUpdates } = settings;
  const pace: Pace = { windowUpdates, batchUpdates, fanout: fanoutOf(layout), stallMs: STALL_MS };
  const plan: RoundPlan = { layout, shape: settings.shape, pace, frames };

  const results: RoundResult[] = [];
  for (let round = 1; round <= settings.rounds; round++) {
    for (const contender of contenders) {
      progress(`round ${round} of ${settings.rounds}: ${contender.name}${lastFigure(results)}`);
      results.push(await runRound(contender, plan, settings, { round, checkOrder: options.checkOrder, signal }));
    }
  }
  return reportFanout(settings, results);
}

function chosen(options: BenchOptions): Contender[] {
  const all = [millrace({ workers: options.workers, encoders: options.encoders }), bareUws];
  const { only } = options;
  if (only === undefined) return all;
  const unknown = only.filter(name => !all.some(contender => contender.name === name));
  const names = all.map(({ name }) => name).join(', ');
  if (unknown.length > 0) throw new UsageError(`no contender named ${unknown.join(', ')}; there are: ${names}`);
  return all.filter(({ name }) => only.includes(name));
}

function settingsOf(options: BenchOptions, frames: FanoutSettings['frames']): FanoutSettings {
  const defaults = options.quick ? QUICK : FULL;
  const universe = options.symbols ?? SYMBOLS;
  const shape = options.shape ?? 'price';
  if (shape !== 'price' && shape !== 'tick') throw new UsageError(`--shape ${shape}: must be price or tick`);
  const settings: FanoutSettings = {
    rounds: options.rounds ?? defaults.rounds,
    seconds: options.seconds ?? defaults.seconds,
    warmupSeconds: options.warmupSeconds ?? defaults.warmupSeconds,
    clients: options.clients ?? defaults.clients,
    symbolsPerClient: options.symbolsPerClient ?? Math.min(SYMBOLS, universe),
    universe,
    shape,
    windowUpdates: options.windowUpdates ?? WINDOW_UPDATES,
    batchUpdates: options.batchUpdates ?? BATCH_UPDATES,
    workers: options.workers,
    encoders: options.encoders,
    frames,
  };
  if (settings.batchUpdates > settings.windowUpdates) throw new UsageError('--batch must not be larger than --window');
  return settings;
}

function layoutOf({ clients, symbolsPerClient, universe }: FanoutSettings): Layout {
  try {
    return checkLayout({ clients, symbolsPerClient, universe });
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function lastFigure(results: readonly RoundResult[]): string {
  const last = results.at(-1);
  if (last === undefined) return '';
  return ` (before: ${last.contender} ${(last.deliveriesPerSecond / 1e6).toFixed(2)} M deliveries/s)`;
}
