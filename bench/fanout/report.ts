/** The fan-out rounds as tables, plots and goals: medians and spread per contender, ratios round by round. */
import { barChart } from '../report/bar-chart.js';
import { fixed, spread } from '../report/figures.js';
import type { Goal, Metric, Plot, SuiteReport, Table } from '../report/report.js';
import { median, type Spread, spreadOf } from '../report/statistics.js';
import { rowName } from './matrix.js';
import type { RoundResult } from './round.js';
import { cpuTable, doubts, perCpuSecond, rateTable } from './round-tables.js';
import type { MatrixSettings } from './run-matrix.js';

const SUBJECT = 'millrace';
const REFERENCE = 'bare-uws';
/** R50: how many times a peer's deliveries Millrace must reach. */
const GOALS: Readonly<Record<string, { readonly ratio: number; readonly isStrict?: true }>> = {
  'bare-uws': { ratio: 0.9 },
  'nats-websocket': { ratio: 1, isStrict: true },
  bun: { ratio: 5 },
  gorilla: { ratio: 20 },
  ws: { ratio: 20 },
  'socket.io': { ratio: 40 },
};
/** Peers must publish the same bytes; sequence numbers that grow by a digit are within this. */
const BYTES_TOLERANCE = 0.05;

/** Millrace against one peer in one row: each round's two neighbouring measurements. */
interface Ratio {
  readonly row: string;
  readonly peer: string;
  readonly deliveries: readonly number[];
  readonly bytes: readonly number[];
  readonly perCpu: readonly number[];
  readonly otherLoad: readonly number[];
}

export function reportFanout(
  settings: MatrixSettings,
  results: readonly RoundResult[],
  skipped: readonly string[],
): SuiteReport {
  const rows = settings.rows.map(rowName);
  const ratios = ratiosOf(rows, results);
  return {
    suite: 'fanout',
    settings: { ...settings },
    tables: [
      ...(ratios.length === 0 ? [] : [ratioTable(rows, ratios)]),
      ...rows.flatMap(row => [rateTable(row, settings, results), cpuTable(row, results)]),
      ...ratios.filter(({ peer }) => peer === REFERENCE).map(pairTable),
    ],
    goals: goalsOf(ratios),
    metrics: [...rows.flatMap(row => ratesOf(row, results)), ...ratios.map(metricOf), ...ratios.map(cpuMetricOf)],
    plots: rows.map((row, index) => plotOf(row, index, results)),
    notes: [
      ...skipped.map(reason => `SKIPPED ${reason}`),
      ...doubts(results),
      ...ratios
        .filter(({ peer, bytes, deliveries }) => peer === REFERENCE && isUneven(bytes, deliveries))
        .map(({ row }) => `${row}: the contenders did not send equally long messages: compare MB/s as well`),
    ],
    rounds: results,
  };
}

function isUneven(bytes: readonly number[], deliveries: readonly number[]): boolean {
  return bytes.some((ratio, round) => Math.abs(ratio / (deliveries[round] ?? ratio) - 1) > BYTES_TOLERANCE);
}

function ratiosOf(rows: readonly string[], results: readonly RoundResult[]): Ratio[] {
  return rows.flatMap(row => {
    const here = results.filter(result => result.row === row);
    const subjects = here.filter(({ contender }) => contender === SUBJECT);
    return contendersOf(here)
      .filter(peer => peer !== SUBJECT)
      .flatMap(peer => {
        const pairs = subjects.flatMap(subject => {
          const other = here.find(({ contender, round }) => contender === peer && round === subject.round);
          return other === undefined ? [] : [{ subject, other }];
        });
        if (pairs.length === 0) return [];
        const of = (figure: (round: RoundResult) => number): number[] =>
          pairs.map(({ subject, other }) => figure(subject) / figure(other));
        return [
          {
            row,
            peer,
            deliveries: of(r => r.deliveriesPerSecond),
            bytes: of(r => r.megabytesPerSecond),
            perCpu: of(perCpuSecond),
            otherLoad: pairs.map(({ subject, other }) => (subject.otherLoad + other.otherLoad) / 2),
          },
        ];
      });
  });
}

/** Every row against every peer: what the requirement is about, at one glance. */
function ratioTable(rows: readonly string[], ratios: readonly Ratio[]): Table {
  const peers = [...new Set(ratios.map(({ peer }) => peer))];
  const cell = (row: string, peer: string): string => {
    const found = ratios.find(ratio => ratio.row === row && ratio.peer === peer);
    return found === undefined ? '' : spread(spreadOf(found.deliveries), times);
  };
  return {
    title: `Deliveries/s of ${SUBJECT} as a multiple of each peer's, median (min–max) of the rounds`,
    columns: ['row', ...peers],
    rows: rows.map(row => [row, ...peers.map(peer => cell(row, peer))]),
  };
}

function pairTable({ row, deliveries, bytes, perCpu, otherLoad }: Ratio): Table {
  const figures = [deliveries, bytes, perCpu, otherLoad];
  const lines = deliveries.map((_, round) => [
    String(round + 1),
    ...figures.map(values => fixed(values[round] ?? Number.NaN, 3)),
  ]);
  return {
    title: `Ratio ${SUBJECT} / ${REFERENCE}, round by round: ${row}`,
    columns: ['round', 'deliveries/s', 'MB/s', 'per CPU second of the server', 'all else, cores'],
    rows: [...lines, ['median', ...figures.map(values => fixed(median(values), 3))]],
  };
}

/** One goal per peer; the row where it is furthest from being met decides. */
function goalsOf(ratios: readonly Ratio[]): Goal[] {
  return Object.entries(GOALS).flatMap(([peer, { ratio, isStrict }]) => {
    const all = ratios.filter(candidate => candidate.peer === peer);
    const worst = all.reduce<Ratio | undefined>(
      (least, next) => (least === undefined || median(next.deliveries) < median(least.deliveries) ? next : least),
      undefined,
    );
    if (worst === undefined) return [];
    const measured: Spread = spreadOf(worst.deliveries);
    const met = isStrict === true ? measured.median > ratio : measured.median >= ratio;
    const wanted = isStrict === true ? `above ${peer}` : `at least ${ratio} × ${peer}`;
    const where = all.length === 1 ? worst.row : `worst of ${all.length} rows, ${worst.row}`;
    const text = `${SUBJECT} ${wanted} in deliveries/s: ${spread(measured, times)} (${where})`;
    return [{ row: 'R50', text, measured: measured.median, met }];
  });
}

function ratesOf(row: string, results: readonly RoundResult[]): Metric[] {
  const here = results.filter(result => result.row === row);
  return contendersOf(here).flatMap((name): Metric[] => {
    const of = here.filter(({ contender }) => contender === name);
    const title = `${row}: ${name}`;
    return [
      { name: `${title} deliveries`, unit: '1/s', better: 'higher', samples: of.map(r => r.deliveriesPerSecond) },
      { name: `${title} payload`, unit: 'MB/s', better: 'higher', samples: of.map(r => r.megabytesPerSecond) },
      { name: `${title} server CPU`, unit: 'cores', better: 'lower', samples: of.map(r => r.cpu.server) },
    ];
  });
}

function metricOf({ row, peer, deliveries }: Ratio): Metric {
  return { name: `${row}: ratio ${SUBJECT}/${peer}`, unit: '', better: 'higher', samples: deliveries };
}

function cpuMetricOf({ row, peer, perCpu }: Ratio): Metric {
  return { name: `${row}: ratio ${SUBJECT}/${peer} per server CPU`, unit: '', better: 'higher', samples: perCpu };
}

function plotOf(row: string, index: number, results: readonly RoundResult[]): Plot {
  const here = results.filter(result => result.row === row);
  const rows = contendersOf(here).map(label => {
    const rates = here.filter(({ contender }) => contender === label).map(r => r.deliveriesPerSecond);
    return { label, isSubject: label === SUBJECT, ...spreadOf(rates) };
  });
  const title = `Fan-out: ${row}`;
  return { name: `row-${index + 1}`, title, svg: barChart({ title, unit: 'deliveries/s', rows }) };
}

function contendersOf(results: readonly RoundResult[]): string[] {
  return [...new Set(results.map(({ contender }) => contender))];
}

function times(value: number): string {
  return fixed(value, value < 10 ? 3 : 1);
}
