/** What the attacks did to the others, what the attackers got for it, and what it cost the gateway. */
import { doubtsOf } from '../latency/doubts.js';
import { count, fixed, percent, spread } from '../report/figures.js';
import type { Goal, SuiteReport, Table } from '../report/report.js';
import { median, spreadOf } from '../report/statistics.js';
import { movedBy } from './limit.js';
import type { AttackReport } from './messages.js';
import type { AttackResult, AttackSettings } from './results.js';
import { HEAP_SCATTER_BYTES, type Phase, type Stretch } from './scene.js';

const P99_RATIO_MAX = 2;
/** Where the null server alone moves the victim so far, the machine is too small to tell. */
const MACHINE_RATIO_NOTED = 1.5;

export function reportAttacks(settings: AttackSettings, results: readonly AttackResult[]): SuiteReport {
  const { clients, symbols, rate, market, rounds, seconds } = settings;
  return {
    suite: 'attack',
    settings: {
      clients,
      symbols,
      rate,
      rounds,
      seconds,
      ...market,
      workers: settings.workers,
      encoders: settings.encoders,
    },
    tables: [othersTable(settings, results), attackersTable(results), gatewayTable(results)],
    goals: [...results.map(latencyGoal), othersGoal(results), newcomersGoal(results), memoryGoal(results)],
    metrics: results.map(result => ({
      name: `p99 ratio beside ${result.attack}`,
      unit: '',
      better: 'lower',
      samples: ratiosOf(result),
    })),
    notes: notesOf(results),
    rounds: results,
  };
}

function othersTable({ clients, symbols, rate, rounds }: AttackSettings, results: readonly AttackResult[]): Table {
  return {
    title: `The victim: an institutional client of ${symbols} quotes at ${rate} messages/s, beside ${clients - 1} others; ms, median of ${rounds} rounds`,
    columns: [
      'attack',
      'p50 before',
      'during',
      'after',
      'p99 before',
      'null server',
      'during',
      'after',
      'p99 moved by',
      'cut off',
      'newcomers not served',
      'their snapshot, ms: before',
      'during',
      'limited by',
    ],
    rows: results.map(result => {
      const millis = (phase: Phase, figure: 'p50' | 'p99') =>
        fixed(middle(result, phase, ({ observers }) => observers.latency.total[figure]) / 1000, 2);
      const snapshot = (phase: Phase) => fixed(middle(result, phase, r => r.newcomers.served.p50) / 1000, 1);
      return [
        result.attack,
        ...[millis('quiet', 'p50'), millis('attacked', 'p50'), millis('after', 'p50')],
        ...[millis('quiet', 'p99'), millis('null server', 'p99'), millis('attacked', 'p99'), millis('after', 'p99')],
        shownRatios(result),
        result.ended === undefined ? String(cutOffOf(result)) : 'all: the gateway ended',
        newcomersOf(result),
        ...[snapshot('quiet'), snapshot('attacked')],
        limitsOf(result),
      ];
    }),
  };
}

function attackersTable(results: readonly AttackResult[]): Table {
  return {
    title: 'The attacker: what it sent a second, and what became of it',
    columns: [
      'attack',
      'messages/s',
      'held back/s',
      'kB/s',
      'answered/s',
      'refused/s',
      'received kB/s',
      'upgrades refused',
      'closed',
      'its cores',
    ],
    rows: results.map(result => {
      const reports = stretchesOf(result, 'attacked').flatMap(({ attack }) => (attack === undefined ? [] : [attack]));
      const rates = (figure: (report: AttackReport) => number) =>
        median(reports.map(report => figure(report) / report.seconds));
      return [
        result.attack,
        ...[count(rates(r => r.sent)), count(rates(r => r.heldBack)), count(rates(r => r.sentBytes / 1e3))],
        ...[count(rates(r => r.accepted)), refusalsOf(reports), count(rates(r => r.receivedBytes / 1e3))],
        ...[totals(reports, r => r.refusedUpgrades), totals(reports, r => r.closes)],
        fixed(median(reports.map(r => r.cpuShare)), 2),
      ];
    }),
  };
}

function gatewayTable(results: readonly AttackResult[]): Table {
  return {
    title: 'The gateway: cores of all its threads and its busiest thread, resident MB',
    columns: [
      'attack',
      'cores before',
      'during',
      'after',
      'busiest thread before',
      'during',
      'MB before',
      'after the first',
      'highest',
      'once settled',
    ],
    rows: results.map(result => {
      const cores = (phase: Phase) =>
        fixed(
          middle(result, phase, r => r.cpu.server),
          2,
        );
      const busiest = (phase: Phase) => percent(middle(result, phase, r => r.busiestServerThread));
      const peaks = stretchesOf(result, 'attacked').map(r => r.residentPeak / 1e6);
      return [
        result.attack,
        ...[cores('quiet'), cores('attacked'), cores('after'), busiest('quiet'), busiest('attacked')],
        fixed(result.residentQuiet / 1e6, 0),
        fixed(residentAfterFirst(result) / 1e6, 0),
        fixed(Math.max(...peaks), 0),
        fixed(result.residentSettled / 1e6, 0),
      ];
    }),
  };
}

function latencyGoal(result: AttackResult): Goal {
  const ratios = ratiosOf(result);
  const measured = median(ratios);
  return {
    row: 'R40a',
    text: `${result.attack}: others' p99 moves by at most ${P99_RATIO_MAX}x: ${shownRatios(result)}`,
    measured,
    met: measured <= P99_RATIO_MAX,
  };
}

function othersGoal(results: readonly AttackResult[]): Goal {
  const hurt = results.filter(result => result.ended !== undefined || cutOffOf(result) > 0);
  const measured = results.reduce((sum, result) => sum + cutOffOf(result), 0);
  const met = hurt.length === 0;
  return { row: 'R41', text: `none of the others is cut off${whichOf(hurt)}`, measured, met };
}

function newcomersGoal(results: readonly AttackResult[]): Goal {
  const notServed = ({ newcomers }: Stretch): number => newcomers.notServed;
  const sum = (result: AttackResult) => stretchesOf(result, 'attacked').reduce((all, r) => all + notServed(r), 0);
  const shut = results.filter(result => result.ended !== undefined || sum(result) > 0);
  const measured = results.reduce((all, result) => all + sum(result), 0);
  return {
    row: 'R41',
    text: `institutional newcomers are let in and served${whichOf(shut)}`,
    measured,
    met: shut.length === 0,
  };
}

/** The first attack finds heaps that have never served so much. */
const residentAfterFirst = ({ rounds: [first], residentQuiet }: AttackResult): number =>
  first?.find(({ phase }) => phase === 'after')?.residentEnd ?? residentQuiet;

function memoryGoal(results: readonly AttackResult[]): Goal {
  const growth = (result: AttackResult) => result.residentSettled - residentAfterFirst(result);
  const grown = results.filter(result => !(growth(result) <= HEAP_SCATTER_BYTES));
  const measured = Math.max(...results.map(growth));
  const bound = fixed(HEAP_SCATTER_BYTES / 1e6, 0);
  return {
    row: 'R40a',
    text: `repeated attacks leave at most ${bound} MB more than the first: ${fixed(measured / 1e6, 0)} MB${whichOf(grown)}`,
    measured,
    met: grown.length === 0,
  };
}

const whichOf = (missed: readonly AttackResult[]): string =>
  missed.length === 0 ? '' : `, but for ${missed.map(({ attack }) => attack).join(', ')}`;

function notesOf(results: readonly AttackResult[]): string[] {
  const small = results.filter(result => {
    const moved = pairs(result).map(({ quiet, nullServer }) => nullServer / quiet);
    return median(moved) > MACHINE_RATIO_NOTED;
  });
  const ended = results.flatMap(({ attack, ended: how }) => (how === undefined ? [] : [`${attack}: ${how}`]));
  const stretches = results.flatMap(result =>
    result.rounds.flatMap((round, at) =>
      // What an attack does to the others is the result, and no doubt about it.
      round
        .filter(({ phase }) => phase === 'quiet')
        .map(stretch => ({ ...stretch, contender: result.attack, round: at + 1, lostConnections: stretch.cutOff })),
    ),
  );
  return [
    'p99 moved by: against the quiet before, or against the same attack on a server that does nothing where that moved it further',
    ...(small.length === 0
      ? []
      : [
          `the null server alone moved p99 beyond ${MACHINE_RATIO_NOTED}x, so that the machine did: ${small.map(r => r.attack).join(', ')}`,
        ]),
    ...ended,
    ...failuresOf(results),
    ...doubtsOf(stretches),
  ];
}

function failuresOf(results: readonly AttackResult[]): string[] {
  return results.flatMap(result => {
    const first = stretchesOf(result, 'attacked').find(({ newcomers }) => newcomers.notServed > 0);
    return first === undefined
      ? []
      : [`${result.attack}: the first newcomer not served: ${first.newcomers.firstFailure}`];
  });
}

function stretchesOf(result: AttackResult, phase: Phase): Stretch[] {
  return result.rounds.flatMap(round => round.filter(stretch => stretch.phase === phase));
}

function middle(result: AttackResult, phase: Phase, figure: (stretch: Stretch) => number): number {
  return median(stretchesOf(result, phase).map(figure));
}

/** The victim's p99 in each phase of each round. */
function pairs({ rounds }: AttackResult) {
  return rounds.map(round => {
    const p99 = (phase: Phase) =>
      round.find(stretch => stretch.phase === phase)?.observers.latency.total.p99 ?? Number.NaN;
    return { quiet: p99('quiet'), nullServer: p99('null server'), attacked: p99('attacked') };
  });
}

function ratiosOf(result: AttackResult): number[] {
  return pairs(result).map(movedBy);
}

function shownRatios(result: AttackResult): string {
  return spread(spreadOf(ratiosOf(result)), value => (Number.isFinite(value) ? fixed(value, 2) : 'nothing came'));
}

function cutOffOf(result: AttackResult): number {
  return result.rounds.flat().reduce((sum, { cutOff }) => sum + cutOff, 0);
}

function newcomersOf(result: AttackResult): string {
  const attacked = stretchesOf(result, 'attacked').map(({ newcomers }) => newcomers);
  const sum = (figure: 'came' | 'notServed') => attacked.reduce((all, newcomers) => all + newcomers[figure], 0);
  return `${sum('notServed')} of ${sum('came')}`;
}

/** `gateway`, or `gateway 2, none 1` where the rounds differ. */
function limitsOf(result: AttackResult): string {
  const counts = new Map<string, number>();
  for (const { limit } of stretchesOf(result, 'attacked')) counts.set(limit, (counts.get(limit) ?? 0) + 1);
  if (counts.size === 1) return [...counts.keys()].join();
  return [...counts].map(([limit, rounds]) => `${limit} ${rounds}`).join(', ');
}

/** `rate_limited 900`: a second, over all rounds. */
function refusalsOf(reports: readonly AttackReport[]): string {
  const seconds = reports.reduce((sum, report) => sum + report.seconds, 0);
  return summed(
    reports.map(({ refused }) => refused),
    total => count(total / seconds),
  );
}

function totals(
  reports: readonly AttackReport[],
  of: (report: AttackReport) => Readonly<Record<string, number>>,
): string {
  return summed(reports.map(of), count);
}

function summed(records: readonly Readonly<Record<string, number>>[], show: (total: number) => string): string {
  const sums = new Map<string, number>();
  for (const record of records) {
    for (const [key, value] of Object.entries(record)) sums.set(key, (sums.get(key) ?? 0) + value);
  }
  return sums.size === 0 ? '0' : [...sums].map(([key, total]) => `${key} ${show(total)}`).join(', ');
}
