/** The declaration of a metric: its name, its meaning, and how to read its values. */

import type { WorkerStats } from '../../threads/worker-stats.js';
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

/** Bucket b: messages that took less than 2^b µs. */
export interface LatencyBuckets {
  readonly buckets: readonly number[];
  readonly sumMicros: number;
}

/** One series of a histogram. */
export type LabelledBuckets = readonly [labels: LabelValues, buckets: LatencyBuckets];

interface Described {
  /** Ends with the unit, then `_total` for a counter. */
  readonly name: `millrace_${string}`;
  /** One sentence, as Markdown without links: HELP of the exposition, and the meaning in ops/metrics.md. */
  readonly help: string;
  /** Further sentences for ops/metrics.md, as Markdown. */
  readonly more?: string;
  /** The labels in order, each with its values in words, as Markdown; '' if the name says enough. */
  readonly labels?: Readonly<Record<string, string>>;
}

export type Metric = Described &
  (
    | { readonly type: 'counter' | 'gauge'; read(scrape: Scrape): number | undefined | Iterable<Series> }
    | { readonly type: 'histogram'; read(scrape: Scrape): LatencyBuckets | readonly LabelledBuckets[] }
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

/** A series for each value of a label, summed over the gateway threads. */
export function summedBy(
  label: string,
  workers: readonly WorkerStats[],
  pick: (worker: WorkerStats) => readonly (readonly [value: string | number, count: number])[],
): Series[] {
  const totals = new Map<string, number>();
  for (const [value, count] of workers.flatMap(pick)) {
    totals.set(String(value), (totals.get(String(value)) ?? 0) + count);
  }
  return by(label, totals);
}

/** The buckets of all gateway threads together. */
export function mergedBuckets(all: readonly LatencyBuckets[]): LatencyBuckets {
  const width = Math.max(0, ...all.map(({ buckets }) => buckets.length));
  return {
    buckets: Array.from({ length: width }, (_, b) => all.reduce((total, { buckets }) => total + (buckets[b] ?? 0), 0)),
    sumMicros: all.reduce((total, { sumMicros }) => total + sumMicros, 0),
  };
}

export const flag = (is: boolean): number => (is ? 1 : 0);
