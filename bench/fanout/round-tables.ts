/** Tables and doubts that every suite of closed-loop rounds shares. */
import { count, fixed, spread } from '../report/figures.js';
import type { Table } from '../report/report.js';
import { median, spreadOf } from '../report/statistics.js';
import type { RoundResult } from './round.js';

const OTHER_LOAD_NOTED = 0.25;

/** What each contender delivered in one row. */
export function rateTable(
  row: string,
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
  results: readonly RoundResult[],
): Table {
  return {
    title: `${row}: median (min–max) of ${rounds} rounds of ${seconds} s`,
    columns: ['contender', 'deliveries/s', 'MB/s', 'bytes/delivery', 'connect ms', 'missing', 'limited by'],
    rows: byContender(row, results).map(([name, of]) => [
      name,
      spread(spreadOf(of.map(r => r.deliveriesPerSecond)), count),
      spread(spreadOf(of.map(r => r.megabytesPerSecond)), value => fixed(value, value < 10 ? 1 : 0)),
      fixed(median(of.map(r => r.bytesPerDelivery)), 1),
      fixed(median(of.map(r => r.connectMs)), 0),
      count(of.reduce((sum, r) => sum + r.missing, 0)),
      tallied(of.map(r => r.limit)),
    ]),
  };
}

/** What everybody's CPU was doing in one row. */
export function cpuTable(row: string, results: readonly RoundResult[]): Table {
  return {
    title: `${row}: CPU, in cores (median)`,
    columns: [
      'contender',
      'deliveries per server second',
      'server',
      'its busiest thread',
      '… and its demand',
      'nats-server',
      'publisher',
      'neighbour',
      'generator',
      'generator loop',
      'all else',
    ],
    rows: byContender(row, results).map(([name, of]) => {
      const middle = (figure: (round: RoundResult) => number): string => fixed(median(of.map(figure)), 2);
      return [
        name,
        count(median(of.map(perCpuSecond))),
        middle(r => r.cpu.server),
        middle(r => r.busiestServerThread),
        middle(r => r.busiestServerThreadDemand),
        middle(r => r.cpu['nats-server']),
        middle(r => r.cpu.publisher),
        middle(r => r.cpu.neighbour),
        middle(r => r.cpu.generator),
        middle(r => r.generatorLoopUtilisation),
        middle(r => r.otherLoad),
      ];
    }),
  };
}

/** What makes figures doubtful is said, never left to be found. */
export function doubts(results: readonly RoundResult[]): string[] {
  const notes: string[] = [];
  const add = (condition: (round: RoundResult) => boolean, text: string): void => {
    const found = results.filter(condition);
    for (const row of new Set(found.map(result => result.row))) {
      const names = found.filter(result => result.row === row).map(({ contender, round }) => `${contender} ${round}`);
      notes.push(`${row}: ${text}: ${names.join(', ')}`);
    }
  };
  add(r => r.deliveries === 0, 'NOTHING was delivered');
  add(r => r.limit === 'generator', 'generator-bound rounds (the load generator may have been the limit)');
  add(
    r => r.limit === 'neither',
    'rounds in which no single thread was the limit (several threads, too few cores, or the window too small)',
  );
  add(r => r.missing > 0, 'deliveries are missing');
  add(r => r.surplus > 0, 'more deliveries than were owed');
  add(r => r.lostConnections > 0, 'connections were lost');
  add(r => (r.order?.broken ?? 0) > 0, 'broken prev_seq chains');
  add(r => r.otherLoad > OTHER_LOAD_NOTED, `other work took more than ${OTHER_LOAD_NOTED} of a core`);
  return notes;
}

export function perCpuSecond(round: RoundResult): number {
  return round.deliveriesPerSecond / round.cpu.server;
}

function byContender(row: string, results: readonly RoundResult[]): [string, RoundResult[]][] {
  const here = results.filter(result => result.row === row);
  const names = [...new Set(here.map(({ contender }) => contender))];
  return names.map(name => [name, here.filter(({ contender }) => contender === name)]);
}

/** `server ×4, generator ×1` */
function tallied(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].map(([word, times]) => (counts.size === 1 ? word : `${word} ×${times}`)).join(', ');
}
