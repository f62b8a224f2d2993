/**
 * Throughput: bytes a second that reach the clients when messages are large. Depth deltas of about 1 kB through the whole
 * pipeline, against bare uWebSockets.js publishing the same bytes. R51: 1 GB/s.
 */
import { type Row, rowName } from '../fanout/matrix.js';
import { millrace } from '../fanout/millrace.js';
import { bareUws } from '../fanout/peers.js';
import type { RoundResult } from '../fanout/round.js';
import { cpuTable, doubts, perCpuSecond, rateTable } from '../fanout/round-tables.js';
import { type MatrixSettings, runMatrix } from '../fanout/run-matrix.js';
import { prepareContenders, selected } from '../harness/contenders.js';
import { barChart } from '../report/bar-chart.js';
import { fixed, spread } from '../report/figures.js';
import type { Goal, Metric, Plot, SuiteReport } from '../report/report.js';
import { spreadOf } from '../report/statistics.js';
import { type BenchOptions, type Suite, type SuiteContext, UsageError } from '../suite.js';

const GOAL_MEGABYTES = 1000;
const FULL = { rounds: 5, seconds: 4, warmupSeconds: 4, clients: 500 };
const QUICK = { rounds: 2, seconds: 2, warmupSeconds: 1, clients: 50 };
const SYMBOLS = 10;
/** Updates of 1 kB: a socket's share of the window stays far below `WS_MAX_BACKPRESSURE`. */
const WINDOW_UPDATES = 200;
const BATCH_UPDATES = 20;

export const throughput: Suite = {
  name: 'throughput',
  summary: 'bytes/s of large messages through the whole pipeline (R51)',
  run: runThroughput,
};

async function runThroughput(context: SuiteContext): Promise<SuiteReport> {
  const settings = settingsOf(context.options);
  const { contenders } = await prepareContenders(
    selected([millrace(context.options), bareUws], context.options.only),
    context,
  );
  const results = await runMatrix(context, settings, contenders);
  const rows = settings.rows.map(rowName);
  return {
    suite: 'throughput',
    settings: { ...settings },
    tables: rows.flatMap(row => [rateTable(row, settings, results), cpuTable(row, results)]),
    goals: goalsOf(results),
    metrics: metricsOf(results),
    plots: [plotOf(results)],
    notes: [
      ...doubts(results),
      'MB/s are WebSocket payload bytes that the clients have received, 10^6 a second; frame headers and TCP are not in it',
    ],
    rounds: results,
  };
}

function settingsOf(options: BenchOptions): MatrixSettings {
  const defaults = options.quick ? QUICK : FULL;
  if (options.format !== undefined && options.format !== 'json') {
    throw new UsageError(`--format ${options.format}: throughput sends JSON`);
  }
  const universe = options.symbols ?? SYMBOLS;
  const row: Row = {
    clients: options.clients ?? defaults.clients,
    symbolsPerClient: options.symbolsPerClient ?? Math.min(SYMBOLS, universe),
    universe,
    format: 'json',
    windowUpdates: options.windowUpdates ?? WINDOW_UPDATES,
    batchUpdates: options.batchUpdates ?? Math.min(BATCH_UPDATES, options.windowUpdates ?? BATCH_UPDATES),
  };
  return {
    rows: [row],
    rounds: options.rounds ?? defaults.rounds,
    seconds: options.seconds ?? defaults.seconds,
    warmupSeconds: options.warmupSeconds ?? defaults.warmupSeconds,
    shape: 'depth',
    workers: options.workers,
    encoders: options.encoders,
  };
}

function contendersOf(results: readonly RoundResult[]): [string, RoundResult[]][] {
  const names = [...new Set(results.map(({ contender }) => contender))];
  return names.map(name => [name, results.filter(({ contender }) => contender === name)]);
}

function goalsOf(results: readonly RoundResult[]): Goal[] {
  const rates = results.filter(({ contender }) => contender === 'millrace').map(r => r.megabytesPerSecond);
  if (rates.length === 0) return [];
  const measured = spreadOf(rates);
  const text = `millrace delivers at least ${GOAL_MEGABYTES} MB/s: ${spread(measured, value => fixed(value, 0))}`;
  return [{ row: 'R51', text, measured: measured.median, met: measured.median >= GOAL_MEGABYTES }];
}

function metricsOf(results: readonly RoundResult[]): Metric[] {
  return contendersOf(results).flatMap(([name, of]): Metric[] => [
    { name: `${name} payload`, unit: 'MB/s', better: 'higher', samples: of.map(r => r.megabytesPerSecond) },
    { name: `${name} deliveries`, unit: '1/s', better: 'higher', samples: of.map(r => r.deliveriesPerSecond) },
    { name: `${name} deliveries per server second`, unit: '1/s', better: 'higher', samples: of.map(perCpuSecond) },
  ]);
}

function plotOf(results: readonly RoundResult[]): Plot {
  const rows = contendersOf(results).map(([label, of]) => ({
    label,
    isSubject: label === 'millrace',
    ...spreadOf(of.map(r => r.megabytesPerSecond)),
  }));
  const title = 'Throughput: depth deltas of 1 kB';
  return { name: 'payload', title, svg: barChart({ title, unit: 'MB/s', rows }) };
}
