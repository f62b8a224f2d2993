/** Scale: ten thousand connections in one gateway process. R53. */
import { count, fixed } from '../report/figures.js';
import type { Goal, SuiteReport, Table } from '../report/report.js';
import { median } from '../report/statistics.js';
import type { BenchOptions, Suite, SuiteContext } from '../suite.js';
import type { CrowdPlan } from './crowd.js';
import { runScaleRound, type ScaleRound, type ScaleTimes } from './round.js';

const HEARTBEATS = { heartbeatInterval: '1s' };
const FULL = { ...HEARTBEATS, rounds: 3, clients: 10_000, connectsPerSecond: 1000, intervalSeconds: 4, bursts: 5 };
const QUICK = { ...HEARTBEATS, rounds: 1, clients: 200, connectsPerSecond: 400, intervalSeconds: 0.5, bursts: 2 };
const SYMBOLS = 50;
const SYMBOLS_PER_CLIENT = 5;
const RESIDENT_BYTES_MAX = 100e6;
const CONNECT_P99_MICROS_MAX = 1e6;
const LATENCY_P95_MICROS_MAX = 100_000;
const CPU_MAX = 0.5;

export const scale: Suite = {
  name: 'scale',
  summary: '10,000 connections in one process (R53)',
  run: runScale,
};

async function runScale({ options, progress, signal }: SuiteContext): Promise<SuiteReport> {
  const defaults = options.quick ? QUICK : FULL;
  const rounds = options.rounds ?? defaults.rounds;
  const plan = planOf(options, 1, options.clients ?? defaults.clients, defaults);
  const results: ScaleRound[] = [];
  for (let round = 1; round <= rounds; round++) {
    results.push(await runScaleRound(round, plan, timesOf(options, defaults), progress, signal));
  }
  return {
    suite: 'scale',
    settings: { ...plan, ...timesOf(options, defaults), rounds },
    tables: [scaleTable(plan, results)],
    goals: goalsOf(results),
    metrics: [
      { name: 'resident memory', unit: 'MB', better: 'lower', samples: results.map(r => residentOf(r) / 1e6) },
      { name: 'memory a connection', unit: 'B', better: 'lower', samples: results.map(r => r.userBytesPerConnection) },
      { name: 'connect p99', unit: 'ms', better: 'lower', samples: results.map(r => r.upgrade.p99 / 1000) },
      { name: 'latency p95', unit: 'ms', better: 'lower', samples: results.map(r => r.latency.p95 / 1000) },
    ],
    notes: notesOf(results),
    rounds: results,
  };
}

/** The crowd that the options ask for. */
export function planOf(
  options: BenchOptions,
  gateways: number,
  clients: number,
  { connectsPerSecond, heartbeatInterval }: Pick<CrowdPlan, 'connectsPerSecond' | 'heartbeatInterval'>,
): CrowdPlan {
  const symbols = options.symbols ?? SYMBOLS;
  return {
    gateways,
    heartbeatInterval,
    clientsPerGateway: Math.ceil(clients / gateways),
    symbols,
    symbolsPerClient: options.symbolsPerClient ?? Math.min(SYMBOLS_PER_CLIENT, symbols),
    connectsPerSecond,
    workers: options.workers,
    encoders: options.encoders,
  };
}

/** How many bursts, so far apart; `--seconds` is the time that they take in all. */
export function timesOf({ seconds }: BenchOptions, { intervalSeconds, bursts }: ScaleTimes): ScaleTimes {
  return {
    intervalSeconds,
    bursts: seconds === undefined ? bursts : Math.max(1, Math.round(seconds / intervalSeconds)),
  };
}

export function scaleTable(plan: CrowdPlan, results: readonly ScaleRound[]): Table {
  const middle = (figure: (r: ScaleRound) => number, digits: number): string =>
    fixed(median(results.map(figure)), digits);
  return {
    title: `${plan.gateways} gateway(s) × ${plan.clientsPerGateway} connections × ${plan.symbolsPerClient} of ${plan.symbols} symbols, median of ${results.length} rounds`,
    columns: [
      ...['resident MB', 'private MB', 'without clients MB', 'user B/connection', 'kernel B/connection', 'connect s'],
      ...['connect p99 ms', 'p50 ms', 'p95 ms', 'p99 ms', 'busiest gateway, cores', 'deliveries', 'missing', 'lost'],
    ],
    rows: [
      [
        middle(r => residentOf(r) / 1e6, 1),
        middle(r => sum(r.privateAfter) / 1e6, 1),
        middle(r => sum(r.residentBefore) / 1e6, 1),
        middle(r => r.userBytesPerConnection, 0),
        middle(r => r.kernelBytesPerConnection, 0),
        middle(r => r.connectSeconds, 1),
        middle(r => r.upgrade.p99 / 1000, 1),
        middle(r => r.latency.p50 / 1000, 2),
        middle(r => r.latency.p95 / 1000, 2),
        middle(r => r.latency.p99 / 1000, 2),
        middle(r => Math.max(...r.cpu), 2),
        count(sum(results.map(r => r.deliveries))),
        count(sum(results.map(r => r.missing))),
        count(sum(results.map(r => r.lostConnections))),
      ],
    ],
  };
}

function goalsOf(results: readonly ScaleRound[]): Goal[] {
  const goal = (text: string, figure: (r: ScaleRound) => number, most: number, shown: (v: number) => string): Goal => {
    const measured = median(results.map(figure));
    return { row: 'R53', text: `${text}: ${shown(measured)}`, measured, met: measured < most };
  };
  const millis = (micros: number): string => `${fixed(micros / 1000, 1)} ms`;
  return [
    goal('resident memory under 100 MB', residentOf, RESIDENT_BYTES_MAX, bytes => `${fixed(bytes / 1e6, 1)} MB`),
    goal('p99 of connecting under 1 s', r => r.upgrade.p99, CONNECT_P99_MICROS_MAX, millis),
    goal('p95 of latency under 100 ms', r => r.latency.p95, LATENCY_P95_MICROS_MAX, millis),
    goal(
      'under half a core',
      r => Math.max(...r.cpu),
      CPU_MAX,
      cores => fixed(cores, 2),
    ),
  ];
}

export function notesOf(results: readonly ScaleRound[]): string[] {
  const faults = results.flatMap(r => r.faults);
  const missing = sum(results.map(r => r.missing));
  return [
    'kernel: growth of all slabs and socket buffers of the machine, so both ends of each connection are in it',
    'every tenth client records latencies; a generator reads its sockets one after another, so the slowest figures are partly its own',
    ...(missing === 0 ? [] : [`${missing} deliveries are missing`]),
    ...(faults.length === 0 ? [] : [`connections were lost: ${faults.slice(0, 3).join('; ')}`]),
  ];
}

function residentOf(round: ScaleRound): number {
  return sum(round.residentAfter);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
