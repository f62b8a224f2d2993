/**
 * Slow links: readers of 600, 300, 150 and 50 KB/s of one feed of 2 MB/s. How old their prices are when they read them,
 * what they are told, and what the limit on unsent bytes in the kernel costs fast clients. R16, R59.
 */
import { millrace } from '../fanout/millrace.js';
import type { RoundResult } from '../fanout/round.js';
import { cpuTable, doubts, rateTable } from '../fanout/round-tables.js';
import { runMatrix } from '../fanout/run-matrix.js';
import type { TickShape } from '../fanout/ticks.js';
import { count, fixed, spread } from '../report/figures.js';
import type { Goal, Metric, SuiteReport, Table } from '../report/report.js';
import { median, spreadOf } from '../report/statistics.js';
import type { BenchOptions, Suite, SuiteContext } from '../suite.js';
import type { ReaderReport } from './messages.js';
import {
  type KernelSetting,
  LIMITED,
  READ_BYTES_PER_SECOND,
  runSlowLinkRound,
  type SlowLinkRound,
  type SlowLinkSettings,
  UNLIMITED,
} from './round.js';

/** A delta of such a quote is some 370 bytes long: 2 MB/s. */
const FULL = { rounds: 3, seconds: 60, symbols: 1000, updatesPerSecond: 5400 };
const QUICK = { rounds: 1, seconds: 4, symbols: 100, updatesPerSecond: 2700 };
const MAX_AGE_MS = 2_000;
const GOAL_READER = 150_000;
const GOAL_P99_MS = 3_000;
/** Beside the readers: the same closed loops as in `fanout` and `throughput`, with and without the limit. */
const COST_FULL = { rounds: 3, seconds: 4, warmupSeconds: 4 };
const COST_QUICK = { rounds: 1, seconds: 0.5, warmupSeconds: 0.5 };
const FANOUT_ROW = {
  symbolsPerClient: 20,
  universe: 20,
  format: 'json',
  windowUpdates: 500,
  batchUpdates: 50,
} as const;
const THROUGHPUT_ROW = {
  symbolsPerClient: 10,
  universe: 10,
  format: 'json',
  windowUpdates: 200,
  batchUpdates: 20,
} as const;
const COST_RATIO_MIN = 0.95;

export const slowLink: Suite = {
  name: 'slow-link',
  summary: 'age of prices at readers of 50 to 600 KB/s (R16, R59)',
  run: runSlowLink,
};

async function runSlowLink(context: SuiteContext): Promise<SuiteReport> {
  const { options, progress, signal } = context;
  const settings = settingsOf(options);
  const rounds: SlowLinkRound[] = [];
  for (let round = 1; round <= settings.rounds; round++) {
    for (const kernel of [LIMITED, UNLIMITED]) {
      progress(`round ${round} of ${settings.rounds}: readers, ${kernel.name}`);
      rounds.push(await runSlowLinkRound(kernel, round, settings, signal));
    }
  }
  const costs = [...(await runCost(context, 'price')), ...(await runCost(context, 'depth'))];
  return report(settings, rounds, costs);
}

/** Interleaved pairs of fresh processes: with the limit, and without. */
function runCost(context: SuiteContext, shape: TickShape): Promise<RoundResult[]> {
  const { options } = context;
  const { rounds, seconds, warmupSeconds } = options.quick ? COST_QUICK : COST_FULL;
  const row =
    shape === 'depth'
      ? { ...THROUGHPUT_ROW, clients: options.quick ? 20 : 500 }
      : { ...FANOUT_ROW, clients: options.quick ? 50 : 1000 };
  const { workers, encoders } = options;
  const settings = { rows: [row], rounds: options.rounds ?? rounds, seconds, warmupSeconds, shape, workers, encoders };
  const contenders = [LIMITED, UNLIMITED].map(({ name, notSentLowat }) => ({
    ...millrace(options, { TCP_NOTSENT_LOWAT: notSentLowat }),
    name,
  }));
  return runMatrix(context, settings, contenders);
}

function settingsOf(options: BenchOptions): SlowLinkSettings {
  const defaults = options.quick ? QUICK : FULL;
  return {
    rounds: options.rounds ?? defaults.rounds,
    seconds: options.seconds ?? defaults.seconds,
    symbols: options.symbols ?? defaults.symbols,
    updatesPerSecond: options.rate ?? defaults.updatesPerSecond,
    maxAgeMs: MAX_AGE_MS,
    workers: options.workers,
    encoders: options.encoders,
  };
}

/** Of each round, the reader that reads so fast. */
function readersAt(rounds: readonly SlowLinkRound[], bytesPerSecond: number | undefined): ReaderReport[] {
  const at = READ_BYTES_PER_SECOND.indexOf(bytesPerSecond);
  return rounds.flatMap(({ readers }) => readers[at] ?? []);
}

function ageTable(
  { rounds: all, seconds, symbols }: SlowLinkSettings,
  name: string,
  of: readonly SlowLinkRound[],
): Table {
  return {
    title: `${name}: prices of ${symbols} quotes when they are read, ms, median of ${all} rounds of ${seconds} s`,
    columns: [
      'reads',
      'KB/s',
      'prices/s',
      'p50',
      'p99',
      'max',
      'too old',
      'untold',
      'told',
      'told at most',
      'falsely',
      'class',
    ],
    rows: READ_BYTES_PER_SECOND.map(rate => {
      const readers = readersAt(of, rate);
      const middle = (figure: (r: ReaderReport) => number, digits = 0) => fixed(median(readers.map(figure)), digits);
      return [
        rate === undefined ? 'all' : `${rate / 1000} KB/s`,
        middle(r => r.bytesPerSecond / 1000),
        middle(r => r.prices / seconds),
        ...[middle(r => r.p50), middle(r => r.p99), middle(r => r.max)],
        ...[middle(r => r.tooOld), middle(r => r.untold), middle(r => r.lagging), middle(r => r.toldMs)],
        middle(r => r.falselyTold),
        readers.map(r => r.closed ?? r.rateClass).join(', '),
      ];
    }),
  };
}

function report(
  settings: SlowLinkSettings,
  rounds: readonly SlowLinkRound[],
  costs: readonly RoundResult[],
): SuiteReport {
  const of = ({ name }: KernelSetting) => rounds.filter(({ contender }) => contender === name);
  const limited = of(LIMITED);
  const rows = [...new Set(costs.map(({ row }) => row))];
  const ratios = rows.map(row => ({ row, ratios: ratiosOf(costs.filter(result => result.row === row)) }));
  return {
    suite: 'slow-link',
    settings: { ...settings },
    tables: [
      ...[LIMITED, UNLIMITED].map(kernel => ageTable(settings, kernel.name, of(kernel))),
      ...rows.flatMap(row => [
        rateTable(row, { rounds: settings.rounds, seconds: COST_FULL.seconds }, costs),
        cpuTable(row, costs),
      ]),
    ],
    goals: [...ageGoals(limited), ...ratios.map(({ row, ratios: some }) => costGoal(row, some))],
    metrics: metricsOf(limited, ratios),
    notes: [
      'a price’s age is the time from its publisher to the reader, both on this machine',
      'untold: prices older than their class’s interval and WS_MAX_AGE that came neither while the reader knew that it lags nor within a second of it',
      ...doubts(costs),
    ],
    rounds: [...rounds, ...costs],
  };
}

function ratiosOf(results: readonly RoundResult[]): number[] {
  const without = results.filter(({ contender }) => contender === UNLIMITED.name);
  const withLimit = results.filter(({ contender }) => contender === LIMITED.name);
  return withLimit.map((r, at) => r.deliveriesPerSecond / (without[at] ?? r).deliveriesPerSecond);
}

function ageGoals(limited: readonly SlowLinkRound[]): Goal[] {
  const p99 = readersAt(limited, GOAL_READER).map(r => r.p99);
  const all = limited.flatMap(({ readers }) => readers);
  const untold = all.reduce((sum, r) => sum + r.untold, 0);
  const fast = readersAt(limited, undefined).reduce((sum, r) => sum + r.lagging, 0);
  const closed = all.filter(r => r.closed !== undefined).length;
  return [
    {
      row: 'R59',
      text: `at ${GOAL_READER / 1000} KB/s p99 under ${GOAL_P99_MS} ms: ${spread(spreadOf(p99), v => fixed(v, 0))}`,
      measured: median(p99),
      met: median(p99) < GOAL_P99_MS,
    },
    { row: 'R16', text: `never older untold: ${count(untold)} prices`, measured: untold, met: untold === 0 },
    { row: 'R16', text: `no lagging for who keeps up: ${fast} times`, measured: fast, met: fast === 0 },
    { row: 'R59', text: `no reader closed: ${closed}`, measured: closed, met: closed === 0 },
  ];
}

function costGoal(row: string, ratios: readonly number[]): Goal {
  const middle = median(ratios);
  return {
    row: 'R59',
    text: `${row}: with the limit at least ${COST_RATIO_MIN} of without: ${spread(spreadOf(ratios), v => fixed(v, 2))}`,
    measured: middle,
    met: middle >= COST_RATIO_MIN,
  };
}

function metricsOf(
  limited: readonly SlowLinkRound[],
  costs: readonly { readonly row: string; readonly ratios: readonly number[] }[],
): Metric[] {
  const ages = READ_BYTES_PER_SECOND.filter(rate => rate !== undefined).map((rate): Metric => {
    const samples = readersAt(limited, rate).map(r => r.p99);
    return { name: `age p99 at ${rate / 1000} KB/s`, unit: 'ms', better: 'lower', samples };
  });
  return [
    ...ages,
    ...costs.map(
      ({ row, ratios }): Metric => ({
        name: `${row}: with/without limit`,
        unit: '',
        better: 'higher',
        samples: ratios,
      }),
    ),
  ];
}
