/**
 * Does a figure grow? A straight line by least squares through all samples, with the confidence that its slope deserves: not
 * the difference of two points, which is mostly noise, and not the eye.
 *
 * Samples of one process follow each other (a garbage collection lowers many of them), so that n of them say less than n:
 * the error of the slope is computed with the number of independent samples that their residuals' autocorrelation leaves
 * (n · (1 − ρ) / (1 + ρ), as for an AR(1) process; von Storch and Zwiers, Statistical Analysis in Climate Research, 6.6.8).
 */

export interface Point {
  /** Seconds since the start. */
  readonly atS: number;
  readonly value: number;
}

export interface Trend {
  readonly points: number;
  readonly mean: number;
  /** By which the line rises from the first sample to the last. */
  readonly growth: number;
  /** One-sided bound: with 99 % confidence it rises by at least this; −Infinity where too few samples say anything. */
  readonly growthAtLeast: number;
}

/** One-sided 99 % quantiles of Student's t by degrees of freedom; between them, the next smaller one's. */
const T_99: readonly (readonly [degrees: number, t: number])[] = [
  [1, 31.82],
  [2, 6.965],
  [3, 4.541],
  [4, 3.747],
  [5, 3.365],
  [6, 3.143],
  [8, 2.896],
  [10, 2.764],
  [15, 2.602],
  [20, 2.528],
  [30, 2.457],
  [60, 2.39],
  [120, 2.358],
];
const POINTS_MIN = 10;

/** Samples without a value (NaN) are left out. */
export function trendOf(samples: readonly Point[]): Trend {
  const points = samples.filter(({ value }) => Number.isFinite(value));
  const n = points.length;
  const mean = points.reduce((sum, { value }) => sum + value, 0) / n;
  const first = points[0]?.atS ?? 0;
  const span = (points.at(-1)?.atS ?? 0) - first;
  const meanS = points.reduce((sum, { atS }) => sum + atS, 0) / n;
  const spread = points.reduce((sum, { atS }) => sum + (atS - meanS) ** 2, 0);
  if (n < POINTS_MIN || spread === 0) return { points: n, mean, growth: 0, growthAtLeast: Number.NEGATIVE_INFINITY };
  const slope = points.reduce((sum, { atS, value }) => sum + (atS - meanS) * (value - mean), 0) / spread;
  const residuals = points.map(({ atS, value }) => value - mean - slope * (atS - meanS));
  const squares = residuals.reduce((sum, residual) => sum + residual ** 2, 0);
  const independent = (n * (1 - autocorrelation(residuals, squares))) / (1 + autocorrelation(residuals, squares));
  const degrees = Math.floor(Math.min(n, independent)) - 2;
  if (degrees < 1) return { points: n, mean, growth: slope * span, growthAtLeast: Number.NEGATIVE_INFINITY };
  // The spread of the times is n samples' too: as many of them as are independent.
  const error = Math.sqrt(squares / (n - 2) / (spread * (Math.min(n, independent) / n)));
  return { points: n, mean, growth: slope * span, growthAtLeast: (slope - t99(degrees) * error) * span };
}

/** Growth that may be: of a figure that settles, and of one that one run says nothing about. */
export interface Tolerance {
  /** In the figure's own unit. */
  readonly floor: number;
  /** Of the mean. */
  readonly share: number;
}

/** True when the figure surely rises by more than is tolerated. */
export function isGrowing(trend: Trend, { floor, share }: Tolerance): boolean {
  return trend.growthAtLeast > Math.max(floor, share * trend.mean);
}

/** Of each residual with the one before it, 0 to just below 1. */
function autocorrelation(residuals: readonly number[], squares: number): number {
  if (squares === 0) return 0;
  let products = 0;
  for (let i = 1; i < residuals.length; i++) products += (residuals[i] as number) * (residuals[i - 1] as number);
  return Math.min(0.95, Math.max(0, products / squares));
}

function t99(degrees: number): number {
  let t = Number.POSITIVE_INFINITY;
  for (const [from, quantile] of T_99) if (from <= degrees) t = quantile;
  return t;
}
