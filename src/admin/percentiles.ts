/** Percentiles of what was counted in buckets by powers of two. */

const MICROS_PER_MS = 1_000;

export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** @param buckets bucket b counts what took less than 2^b µs. @returns ms; null: nothing was counted */
export function percentilesOf(buckets: ArrayLike<number>): Percentiles | null {
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map(share => percentileOf(buckets, share));
  return p50 == null || p95 == null || p99 == null ? null : { p50, p95, p99 };
}

/** Assumes that what a bucket counts is spread evenly over it. @returns ms; null: nothing was counted */
export function percentileOf(buckets: ArrayLike<number>, share: number): number | null {
  let total = 0;
  for (let b = 0; b < buckets.length; b++) total += buckets[b] ?? 0;
  if (total === 0) return null;
  const wanted = total * share;
  let seen = 0;
  for (let b = 0; b < buckets.length; b++) {
    const count = buckets[b] ?? 0;
    if (count > 0 && seen + count >= wanted) {
      const from = b === 0 ? 0 : 2 ** (b - 1);
      const micros = from + (2 ** b - from) * ((wanted - seen) / count);
      return Math.round(micros) / MICROS_PER_MS;
    }
    seen += count;
  }
  return null;
}
