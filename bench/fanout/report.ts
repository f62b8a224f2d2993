/** The fan-out rounds as tables: medians and spread per contender, and the ratio to bare uWS pair by pair. */
import { count, fixed, spread } from '../report/figures.js';
import type { Goal, Metric, SuiteReport, Table } from '../report/report.js';
import { median, spreadOf } from '../report/statistics.js';
import type { RoundResult } from './round.js';
import type { FanoutSettings } from './suite.js';

const REFERENCE = 'bare-uws';
const SUBJECT = 'millrace';
const GOAL_RATIO = 0.9;
/** Peers must publish the same bytes; sequence numbers that grow by a digit are within this. */
const BYTES_TOLERANCE = 0.05;
const OTHER_LOAD_NOTED = 0.25;

/** Millrace against the reference in one pair of neighbouring rounds. */
interface Pair {
  readonly round: number;
  readonly deliveries: number;
  readonly bytes: number;
  /** Deliveries per CPU second of the server: hardly moved by other load on the machine. */
  readonly perCpu: number;
  /** Cores that other programs took in its two rounds, on average. */
  readonly otherLoad: number;
}

export function reportFanout(settings: FanoutSettings, results: readonly RoundResult[]): SuiteReport {
  const contenders = [...new Set(results.map(({ contender }) => contender))];
  const pairs = pairsOf(results);
  return {
    suite: 'fanout',
    settings: { ...settings },
    tables: [
      rateTable(settings, contenders, results),
      cpuTable(contenders, results),
      ...(pairs.length === 0 ? [] : [pairTable(pairs)]),
    ],
    goals: goalsOf(pairs),
    metrics: metricsOf(contenders, results, pairs),
    notes: notesOf(results, pairs),
    rounds: results,
  };
}

function pairsOf(results: readonly RoundResult[]): Pair[] {
  return results
    .filter(({ contender }) => contender === SUBJECT)
    .flatMap(subject => {
      const reference = results.find(({ contender, round }) => contender === REFERENCE && round === subject.round);
      if (reference === undefined) return [];
      const ratio = (figure: (round: RoundResult) => number): number => figure(subject) / figure(reference);
      return [
        {
          round: subject.round,
          deliveries: ratio(r => r.deliveriesPerSecond),
          bytes: ratio(r => r.megabytesPerSecond),
          perCpu: ratio(perCpuSecond),
          otherLoad: (subject.otherLoad + reference.otherLoad) / 2,
        },
      ];
    });
}

function rateTable(settings: FanoutSettings, contenders: readonly string[], results: readonly RoundResult[]): Table {
  const { clients, symbolsPerClient, universe, rounds, seconds } = settings;
  return {
    title: `Fan-out: ${clients} clients × ${symbolsPerClient} of ${universe} symbols, median (min–max) of ${rounds} rounds of ${seconds} s`,
    columns: ['contender', 'deliveries/s', 'MB/s', 'bytes/delivery', 'connect ms', 'missing', 'limited by'],
    rows: contenders.map(name => {
      const of = roundsOf(results, name);
      return [
        name,
        spread(spreadOf(of.map(r => r.deliveriesPerSecond)), count),
        spread(spreadOf(of.map(r => r.megabytesPerSecond)), value => fixed(value, 0)),
        fixed(median(of.map(r => r.bytesPerDelivery)), 1),
        fixed(median(of.map(r => r.connectMs)), 0),
        count(of.reduce((sum, r) => sum + r.missing, 0)),
        tallied(of.map(r => r.limit)),
      ];
    }),
  };
}

function cpuTable(contenders: readonly string[], results: readonly RoundResult[]): Table {
  return {
    title: 'CPU, in cores (median)',
    columns: [
      'contender',
      'deliveries per server second',
      'server',
      'its busiest thread',
      '… and its demand',
      'nats-server',
      'publisher',
      'generator',
      'generator loop',
      'all else',
    ],
    rows: contenders.map(name => {
      const of = roundsOf(results, name);
      const middle = (figure: (round: RoundResult) => number): string => fixed(median(of.map(figure)), 2);
      return [
        name,
        count(median(of.map(perCpuSecond))),
        middle(r => r.cpu.server),
        middle(r => r.busiestServerThread),
        middle(r => r.busiestServerThreadDemand),
        middle(r => r.cpu['nats-server']),
        middle(r => r.cpu.publisher),
        middle(r => r.cpu.generator),
        middle(r => r.generatorLoopUtilisation),
        middle(r => r.otherLoad),
      ];
    }),
  };
}

function pairTable(pairs: readonly Pair[]): Table {
  const figures = [(p: Pair) => p.deliveries, (p: Pair) => p.bytes, (p: Pair) => p.perCpu, (p: Pair) => p.otherLoad];
  const rows = pairs.map(pair => [String(pair.round), ...figures.map(figure => fixed(figure(pair), 3))]);
  return {
    title: `Ratio ${SUBJECT} / ${REFERENCE}, pair by pair`,
    columns: ['round', 'deliveries/s', 'MB/s', 'per CPU second of the server', 'all else, cores'],
    rows: [...rows, ['median', ...figures.map(figure => fixed(median(pairs.map(figure)), 3))]],
  };
}

function goalsOf(pairs: readonly Pair[]): Goal[] {
  if (pairs.length === 0) return [];
  const ratios = spreadOf(pairs.map(pair => pair.deliveries));
  const measured = spread(ratios, value => fixed(value, 3));
  const text = `${SUBJECT} at least ${GOAL_RATIO} of ${REFERENCE} in deliveries/s: ${measured}`;
  return [{ row: 'R50', text, measured: ratios.median, met: ratios.median >= GOAL_RATIO }];
}

function metricsOf(contenders: readonly string[], results: readonly RoundResult[], pairs: readonly Pair[]): Metric[] {
  const rates = contenders.flatMap((name): Metric[] => {
    const of = roundsOf(results, name);
    return [
      { name: `${name} deliveries`, unit: '1/s', better: 'higher', samples: of.map(r => r.deliveriesPerSecond) },
      { name: `${name} payload`, unit: 'MB/s', better: 'higher', samples: of.map(r => r.megabytesPerSecond) },
      { name: `${name} server CPU`, unit: 'cores', better: 'lower', samples: of.map(r => r.cpu.server) },
    ];
  });
  if (pairs.length === 0) return rates;
  const ratio = (name: string, figure: (pair: Pair) => number): Metric => ({
    name: `ratio ${SUBJECT}/${REFERENCE}${name}`,
    unit: '',
    better: 'higher',
    samples: pairs.map(figure),
  });
  return [...rates, ratio('', pair => pair.deliveries), ratio(' per server CPU', pair => pair.perCpu)];
}

/** What makes figures doubtful is said, never left to be found. */
function notesOf(results: readonly RoundResult[], pairs: readonly Pair[]): string[] {
  const notes: string[] = [];
  const add = (condition: (round: RoundResult) => boolean, text: string): void => {
    const found = results.filter(condition).map(({ contender, round }) => `${contender} ${round}`);
    if (found.length > 0) notes.push(`${text}: ${found.join(', ')}`);
  };
  add(r => r.limit === 'generator', 'generator-bound rounds (the load generator may have been the limit)');
  add(
    r => r.limit === 'neither',
    'rounds in which no single thread was the limit (too few cores, or the window too small)',
  );
  add(r => r.missing > 0, 'deliveries are missing');
  add(r => r.surplus > 0, 'more deliveries than were owed');
  add(r => r.lostConnections > 0, 'connections were lost');
  add(r => (r.order?.broken ?? 0) > 0, 'broken prev_seq chains');
  add(r => r.otherLoad > OTHER_LOAD_NOTED, `other work took more than ${OTHER_LOAD_NOTED} of a core`);
  const uneven = pairs.some(pair => Math.abs(pair.bytes / pair.deliveries - 1) > BYTES_TOLERANCE);
  if (uneven) notes.push('the contenders did not send equally long messages: compare MB/s as well');
  return notes;
}

function perCpuSecond(round: RoundResult): number {
  return round.deliveriesPerSecond / round.cpu.server;
}

function roundsOf(results: readonly RoundResult[], contender: string): RoundResult[] {
  return results.filter(result => result.contender === contender);
}

/** `server ×4, generator ×1` */
function tallied(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].map(([word, times]) => (counts.size === 1 ? word : `${word} ×${times}`)).join(', ');
}
