/** Percentiles of times that were counted in buckets. */
import { LATENCY_BOUNDS_MICROS } from '../threads/latencies.js';

const MICROS_PER_MS = 1_000;

export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** @param buckets as {@link LatencyCounts}. @returns ms; null: nothing was counted */
export function percentilesOf(buckets: readonly number[]): Percentiles | null {
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map(share => percentileOf(buckets, share));
  return p50 == null || p95 == null || p99 == null ? null : { p50, p95, p99 };
}

/** Assumes that what a bucket counts is spread evenly over it. @returns ms; null: nothing was counted */
export function percentileOf(buckets: readonly number[], share: number): number | null {
  const total = buckets.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const wanted = total * share;
  let seen = 0;
  let from = 0;
  for (const [b, count] of buckets.entries()) {
    // What lies beyond the last bound took at least as long as that.
    const to = LATENCY_BOUNDS_MICROS[b] ?? from;
    if (count > 0 && seen + count >= wanted) {
      return Math.round(from + (to - from) * ((wanted - seen) / count)) / MICROS_PER_MS;
    }
    seen += count;
    from = to;
  }
  return null;
}
