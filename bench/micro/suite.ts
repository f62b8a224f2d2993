/**
 * Single operations against a reference operation in the same run (tinybench). Budgets are ratios, in bench/budgets.json, so
 * that they hold on any machine.
 */
import { readFileSync } from 'node:fs';
import { Channel } from '../harness/channel.js';
import { Children } from '../harness/children.js';
import { barChart } from '../report/bar-chart.js';
import { fixed, spread } from '../report/figures.js';
import type { SuiteReport } from '../report/report.js';
import { median, spreadOf } from '../report/statistics.js';
import type { BenchOptions, Suite, SuiteContext } from '../suite.js';
import type { MicroAnswer, MicroCommand } from './runner.js';

/** What an operation may cost. */
interface Budget {
  /** What it is held against. */
  readonly reference: string;
  /** Of the reference's time. */
  readonly ratioMax: number;
}

/** Times of one case in one round, ns. */
export interface MicroRound {
  readonly name: string;
  readonly round: number;
  readonly nanos: number;
  readonly referenceNanos: number;
}

const FULL = { rounds: 5, seconds: 0.3, warmupSeconds: 0.1 };
const QUICK = { rounds: 1, seconds: 0.02, warmupSeconds: 0.005 };
const RUNNER = new URL('./runner.ts', import.meta.url);
const BUDGETS = new URL('../budgets.json', import.meta.url);

export const micro: Suite = {
  name: 'micro',
  summary: 'single operations against reference operations, with budgets (R56)',
  run: runMicro,
};

async function runMicro({ options, progress, signal }: SuiteContext): Promise<SuiteReport> {
  const settings = settingsOf(options);
  const budgets = JSON.parse(readFileSync(BUDGETS, 'utf8')) as Record<string, Budget>;
  const children = new Children(signal);
  try {
    const runner = new Channel<MicroCommand, MicroAnswer>(children.fork('operations', RUNNER));
    const { names } = await runner.ask({ type: 'list' }, 'listed');
    const { seconds, warmupSeconds } = settings;
    const rounds: MicroRound[] = [];
    for (let round = 1; round <= settings.rounds; round++) {
      for (const name of names) {
        signal.throwIfAborted();
        progress(`round ${round} of ${settings.rounds}: ${name}`);
        const command = { type: 'measure', name, seconds, warmupSeconds } as const;
        const { nanos, referenceNanos } = await runner.ask(command, 'measured', 2 * (seconds + warmupSeconds) * 1000);
        rounds.push({ round, name, nanos, referenceNanos });
      }
    }
    return report(settings, budgets, rounds);
  } finally {
    await children.endAll();
  }
}

type Settings = ReturnType<typeof settingsOf>;

function settingsOf(options: BenchOptions) {
  const defaults = options.quick ? QUICK : FULL;
  return {
    rounds: options.rounds ?? defaults.rounds,
    seconds: options.seconds ?? defaults.seconds,
    warmupSeconds: options.warmupSeconds ?? defaults.warmupSeconds,
  };
}

function report(settings: Settings, budgets: Record<string, Budget>, rounds: readonly MicroRound[]): SuiteReport {
  const names = [...new Set(rounds.map(({ name }) => name))];
  const of = (name: string) => rounds.filter(round => round.name === name);
  const ratios = (name: string) => of(name).map(({ nanos, referenceNanos }) => nanos / referenceNanos);
  const budgetOf = (name: string): Budget => {
    const budget = budgets[name];
    if (budget === undefined) throw new Error(`bench/budgets.json has no budget for '${name}'`);
    return budget;
  };
  const goals = names.map(name => {
    const { reference, ratioMax } = budgetOf(name);
    const measured = spreadOf(ratios(name));
    const text = `${name} at most ${ratioMax} of ${reference}: ${spread(measured, v => fixed(v, 3))}`;
    return { row: 'R56', text, measured: measured.median, met: measured.median <= ratioMax };
  });
  return {
    suite: 'micro',
    settings,
    tables: [
      {
        title: `Nanoseconds an operation, mean of a round, median of ${settings.rounds} rounds`,
        columns: ['operation', 'ns', 'reference', 'its ns', 'ratio (min–max)', 'budget'],
        rows: names.map(name => {
          const { reference, ratioMax } = budgetOf(name);
          const middle = (pick: (round: MicroRound) => number) => fixed(median(of(name).map(pick)), 0);
          const ratio = spread(spreadOf(ratios(name)), v => fixed(v, 3));
          return [name, middle(r => r.nanos), reference, middle(r => r.referenceNanos), ratio, String(ratioMax)];
        }),
      },
    ],
    goals,
    metrics: names.map(name => ({
      name: `${name}, of its reference`,
      unit: '',
      better: 'lower',
      samples: ratios(name),
    })),
    plots: [
      {
        name: 'ratios',
        title: 'Time of an operation, as a share of its reference',
        svg: barChart({
          title: 'Time of an operation, as a share of its reference',
          unit: 'ratio',
          rows: names.map(label => ({ label, ...spreadOf(ratios(label)) })),
          isLog: true,
          show: value => fixed(value, 3),
        }),
      },
    ],
    notes: [],
    rounds,
  };
}
