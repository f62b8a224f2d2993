/**
 * Single operations against a reference operation in the same run (tinybench). Budgets are ratios, in bench/budgets.json, so
 * that they hold on any machine.
 */
import { readFileSync } from 'node:fs';
import { Bench } from 'tinybench';
import { barChart } from '../report/bar-chart.js';
import { fixed, spread } from '../report/figures.js';
import type { SuiteReport } from '../report/report.js';
import { median, spreadOf } from '../report/statistics.js';
import type { BenchOptions, Suite, SuiteContext } from '../suite.js';
import { encoderCases } from './encoder-cases.js';
import { gatewayCases } from './gateway-cases.js';
import type { MicroCase } from './micro-case.js';

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
const BUDGETS = new URL('../budgets.json', import.meta.url);

export const micro: Suite = {
  name: 'micro',
  summary: 'single operations against reference operations, with budgets (R56)',
  run: runMicro,
};

async function runMicro({ options, progress, signal }: SuiteContext): Promise<SuiteReport> {
  const settings = settingsOf(options);
  const budgets = JSON.parse(readFileSync(BUDGETS, 'utf8')) as Record<string, Budget>;
  const gateway = await gatewayCases();
  try {
    const cases = [...encoderCases(), ...gateway.cases];
    const rounds: MicroRound[] = [];
    for (let round = 1; round <= settings.rounds; round++) {
      for (const one of cases) {
        signal.throwIfAborted();
        progress(`round ${round} of ${settings.rounds}: ${one.name}`);
        rounds.push({ round, ...(await measure(one, settings)) });
      }
    }
    return report(settings, budgets, rounds);
  } finally {
    gateway.close();
  }
}

/** Both of a pair one after the other, so that a slow moment of the machine hits both. */
async function measure({ name, run, reference }: MicroCase, settings: Settings): Promise<Omit<MicroRound, 'round'>> {
  const bench = new Bench({ time: settings.seconds * 1000, warmupTime: settings.warmupSeconds * 1000, throws: true });
  bench.add(name, () => run() as Promise<void>).add('reference', () => reference() as Promise<void>);
  const [own, other] = await bench.run();
  return { name, nanos: nanosOf(own), referenceNanos: nanosOf(other) };
}

function nanosOf(task: Bench['tasks'][number] | undefined): number {
  const result = task?.result;
  if (result === undefined || !('latency' in result)) throw new Error(`${task?.name ?? 'a task'} was not measured`);
  return result.latency.mean * 1e6;
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
