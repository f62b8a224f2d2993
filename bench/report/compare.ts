/**
 * What moved against an earlier run, and whether that is more than noise. The noise of a figure is the spread of its
 * rounds: where the ranges of both runs overlap, nothing is claimed.
 */
import { fixed, percent, spread } from './figures.js';
import type { Metric, RunReport, Table } from './report.js';
import { type Spread, spreadOf } from './statistics.js';

type Verdict = 'better' | 'worse' | 'within the noise' | 'too few rounds to tell' | 'new' | 'gone';

interface Change {
  readonly suite: string;
  readonly metric: string;
  readonly unit: string;
  readonly before: Spread | undefined;
  readonly now: Spread | undefined;
  /** Relative change of the medians; NaN where there is none. */
  readonly relative: number;
  readonly verdict: Verdict;
}

interface Comparison {
  readonly changes: readonly Change[];
  /** What makes the two runs hard to compare: another machine, other settings. */
  readonly cautions: readonly string[];
}

/** Fewer rounds have no spread worth the name. */
const ROUNDS_MIN = 3;

/** Compares the suites that both runs have. */
export function compareRuns(before: RunReport, now: RunReport): Comparison {
  const cautions = differences('machine', before.machine, now.machine, ['loadAverage1m']);
  const changes: Change[] = [];
  for (const report of now.suites) {
    const earlier = before.suites.find(({ suite }) => suite === report.suite);
    if (earlier === undefined) {
      cautions.push(`${report.suite}: not in the earlier file`);
      continue;
    }
    cautions.push(...differences(`${report.suite}, setting`, earlier.settings, report.settings, []));
    const names = new Set([...report.metrics, ...earlier.metrics].map(({ name }) => name));
    for (const name of names) {
      const find = (metrics: readonly Metric[]): Metric | undefined => metrics.find(metric => metric.name === name);
      changes.push(changeOf(report.suite, name, find(earlier.metrics), find(report.metrics)));
    }
  }
  return { changes, cautions };
}

/** For the terminal and for Markdown. */
export function comparisonTable({ changes }: Comparison, title: string): Table {
  const written = (figure: Spread | undefined): string =>
    figure === undefined ? '–' : spread(figure, value => significant(value));
  return {
    title,
    columns: ['figure', 'before', 'now', 'change', 'outside the noise?'],
    rows: changes.map(change => [
      `${change.suite}: ${change.metric}${change.unit === '' ? '' : `, ${change.unit}`}`,
      written(change.before),
      written(change.now),
      Number.isFinite(change.relative) ? `${change.relative > 0 ? '+' : ''}${percent(change.relative)}` : '–',
      change.verdict === 'better' || change.verdict === 'worse' ? `yes, ${change.verdict}` : change.verdict,
    ]),
  };
}

function changeOf(suite: string, name: string, earlier: Metric | undefined, metric: Metric | undefined): Change {
  const [old, recent] = [numbers(earlier), numbers(metric)];
  const [before, now] = [old, recent].map(samples => (samples.length === 0 ? undefined : spreadOf(samples)));
  const common = { suite, metric: name, unit: metric?.unit ?? earlier?.unit ?? '', before, now };
  if (before === undefined || now === undefined) {
    return { ...common, relative: Number.NaN, verdict: now === undefined ? 'gone' : 'new' };
  }
  const relative = before.median === 0 ? Number.NaN : now.median / before.median - 1;
  if (Math.min(old.length, recent.length) < ROUNDS_MIN) {
    return { ...common, relative, verdict: 'too few rounds to tell' };
  }
  const isApart = now.min > before.max || now.max < before.min;
  if (!isApart) return { ...common, relative, verdict: 'within the noise' };
  const isBetter = now.median > before.median === ((metric ?? earlier)?.better === 'higher');
  return { ...common, relative, verdict: isBetter ? 'better' : 'worse' };
}

/** JSON has no NaN: what could not be measured is null in a file. */
function numbers(metric: Metric | undefined): number[] {
  return (metric?.samples ?? []).filter(sample => sample !== null && Number.isFinite(sample));
}

function differences(what: string, before: object, now: object, but: readonly string[]): string[] {
  const [old, recent] = [
    new Map<string, unknown>(Object.entries(before)),
    new Map<string, unknown>(Object.entries(now)),
  ];
  return [...new Set([...old.keys(), ...recent.keys()])]
    .filter(key => !but.includes(key) && JSON.stringify(old.get(key)) !== JSON.stringify(recent.get(key)))
    .map(key => `${what} ${key}: ${JSON.stringify(old.get(key))} before, ${JSON.stringify(recent.get(key))} now`);
}

/** Three digits that count, whatever the size. */
function significant(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${fixed(value / 1e6, 2)} M`;
  if (size >= 1e4) return `${fixed(value / 1e3, 1)} k`;
  return fixed(value, size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}
