/** What is watched in a soak, where it is read, and how much of it may be more at the end. */
import { valueIn } from '../harness/metrics.js';
import { isGrowing, type Point, type Tolerance, type Trend, trendOf } from './trend.js';

const MIB = 1024 ** 2;

interface Figure extends Tolerance {
  readonly title: string;
  readonly unit: string;
  /** In `/metrics`, divided by `per`; undefined: measured by the clients. */
  readonly metric?: string;
  readonly per?: number;
}

/**
 * Tolerances are of one run, whatever its length: caches fill up to their bounds in the first minutes, and what grows for
 * good passes any of them in a longer run.
 */
export const FIGURES = {
  rss: {
    title: 'resident memory',
    unit: 'MiB',
    metric: 'process_resident_memory_bytes',
    per: MIB,
    floor: 32,
    share: 0.12,
  },
  heap: {
    title: 'heap of the main thread',
    unit: 'MiB',
    metric: 'nodejs_heap_size_used_bytes',
    per: MIB,
    floor: 12,
    share: 0.2,
  },
  external: {
    title: 'external memory of the main thread',
    unit: 'MiB',
    metric: 'nodejs_external_memory_bytes',
    per: MIB,
    floor: 12,
    share: 0.2,
  },
  fds: { title: 'file descriptors', unit: '', metric: 'process_open_fds', floor: 60, share: 0.2 },
  handles: {
    title: 'handles of the main thread',
    unit: '',
    metric: 'nodejs_active_handles',
    floor: 8,
    share: 0.2,
  },
  views: { title: 'views', unit: '', metric: 'millrace_views', floor: 20, share: 0.2 },
  sources: { title: 'sources', unit: '', metric: 'millrace_subjects', floor: 20, share: 0.2 },
  p50: { title: 'latency p50, publisher to client', unit: 'ms', floor: 10, share: 0.5 },
  p99: { title: 'latency p99, publisher to client', unit: 'ms', floor: 50, share: 0.5 },
} satisfies Record<string, Figure>;

type FigureName = keyof typeof FIGURES;
export const FIGURE_NAMES = Object.keys(FIGURES) as FigureName[];

export type Sample = { readonly atS: number } & Readonly<Record<FigureName, number>>;

export interface FigureResult {
  readonly name: FigureName;
  readonly trend: Trend;
  readonly isGrowing: boolean;
}

/** @param metrics the text of `/metrics`; '' where it could not be had */
export function sampleOf(atS: number, metrics: string, latency: { p50: number; p99: number }): Sample {
  const read = (name: FigureName): number => {
    const { metric, per = 1 } = FIGURES[name] as Figure;
    if (metric === undefined) return name === 'p50' ? latency.p50 : latency.p99;
    return (valueIn(metrics, metric) ?? Number.NaN) / per;
  };
  const values = Object.fromEntries(FIGURE_NAMES.map(name => [name, read(name)])) as Record<FigureName, number>;
  return { atS, ...values };
}

/** Of a figure from `warmUpS` on. */
export function pointsOf(samples: readonly Sample[], name: FigureName, warmUpS: number): Point[] {
  return samples.filter(({ atS }) => atS >= warmUpS).map(sample => ({ atS: sample.atS, value: sample[name] }));
}

export function judge(samples: readonly Sample[], warmUpS: number): FigureResult[] {
  return FIGURE_NAMES.map(name => {
    const trend = trendOf(pointsOf(samples, name, warmUpS));
    return { name, trend, isGrowing: isGrowing(trend, FIGURES[name]) };
  });
}
