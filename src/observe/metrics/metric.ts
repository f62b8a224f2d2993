/** The declaration of a metric: its name, its meaning, and how to read its values. */
import { LATENCY_BOUNDS_MICROS, type LatencyCounts } from '../../threads/latencies.js';
import type { Counts, WorkerStats } from '../../threads/worker-stats.js';
import type { MainStats } from '../main-stats.js';

/** The threads’ counters at a scrape. */
export interface Scrape {
  readonly main: MainStats;
  readonly workers: readonly WorkerStats[];
  /** Open file descriptors; undefined if the system does not tell. */
  readonly openDescriptors: number | undefined;
}

export type LabelValues = Readonly<Record<string, string>>;

/** One series of a metric. */
export type Series = readonly [labels: LabelValues, value: number];

/** One series of a histogram. */
type LabelledCounts = readonly [labels: LabelValues, counts: LatencyCounts];

/**
 * A list has all values of the label, and each has a series from the start; a text describes values that come from the
 * configuration. Nothing that a client or publisher chooses becomes a value.
 */
type Label = readonly string[] | string;

interface Described {
  /** Ends with the unit, then `_total` for a counter. Only what Prometheus names for all programs lacks `millrace_`. */
  readonly name: `millrace_${string}` | 'process_open_fds';
  /** One sentence, as Markdown without links: HELP of the exposition, and the meaning in ops/metrics.md. */
  readonly help: string;
  /** Further sentences for ops/metrics.md, as Markdown. */
  readonly more?: string;
  /** The labels in order, each with its values. */
  readonly labels?: Readonly<Record<string, Label>>;
  /** Which combinations of the labels' values exist; omitted: all of them. */
  readonly combined?: (labels: LabelValues) => boolean;
  /** When there is no series, in words; omitted: never. */
  readonly absent?: string;
}

export type Metric = Described &
  (
    | { readonly type: 'counter' | 'gauge'; read(scrape: Scrape): number | undefined | Iterable<Series> }
    | { readonly type: 'histogram'; read(scrape: Scrape): readonly LabelledCounts[] }
  );

export interface MetricGroup {
  readonly title: string;
  readonly metrics: readonly Metric[];
}

/** The sum over all gateway threads. */
export function sum(workers: readonly WorkerStats[], pick: (worker: WorkerStats) => number): number {
  return workers.reduce((total, worker) => total + pick(worker), 0);
}

/** The maximum over all gateway threads; 0 if there is none. */
export function most(workers: readonly WorkerStats[], pick: (worker: WorkerStats) => number): number {
  return Math.max(0, ...workers.map(pick));
}

/** A series for each entry. @param entries values by that label's value */
export function by(label: string, entries: Iterable<readonly [value: string, count: number]>): Series[] {
  return Array.from(entries, ([value, count]) => [{ [label]: value }, count] as const);
}

/**
 * A series for each key, summed over the gateway threads.
 * @param labels what the parts of a key, which `|` separates, are values of
 */
export function summedBy(
  labels: readonly string[],
  workers: readonly WorkerStats[],
  pick: (worker: WorkerStats) => Counts<string> | Counts<number>,
): Series[] {
  const totals = new Map<string, number>();
  for (const [key, count] of workers.flatMap(worker => [...pick(worker)])) {
    totals.set(String(key), (totals.get(String(key)) ?? 0) + count);
  }
  return Array.from(totals, ([key, total]) => {
    const parts = key.split('|');
    return [Object.fromEntries(labels.map((label, at) => [label, parts[at] ?? ''])), total] as const;
  });
}

/** The times of all gateway threads together. */
export function mergedCounts(all: readonly LatencyCounts[]): LatencyCounts {
  const buckets = Array.from({ length: LATENCY_BOUNDS_MICROS.length + 1 }, (_, b) =>
    all.reduce((total, counts) => total + (counts.buckets[b] ?? 0), 0),
  );
  return { buckets, sumMicros: all.reduce((total, { sumMicros }) => total + sumMicros, 0) };
}

export const flag = (is: boolean): number => (is ? 1 : 0);

/** All combinations of values of the metric's labels that exist from the start. */
export function combinationsOf({ labels = {}, combined }: Metric): readonly LabelValues[] {
  let all: LabelValues[] = [{}];
  for (const [label, values] of Object.entries(labels)) {
    if (typeof values === 'string') return [];
    all = all.flatMap(one => values.map(value => ({ ...one, [label]: value })));
  }
  return combined === undefined ? all : all.filter(combined);
}
