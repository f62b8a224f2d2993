/** A gateway's `/metrics`, as numbers. */

/** By name with labels, as the text has them: `millrace_replays_total{outcome="recovered"}`. */
export type MetricValues = ReadonlyMap<string, number>;

/** @throws {Error} when the gateway does not answer with its metrics. */
export async function scrape(adminPort: number): Promise<MetricValues> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/metrics`);
  if (!response.ok) throw new Error(`/metrics answers ${response.status}`);
  const values = new Map<string, number>();
  for (const line of (await response.text()).split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const at = line.lastIndexOf(' ');
    values.set(line.slice(0, at), Number(line.slice(at + 1)));
  }
  return values;
}

/** How much a counter grew. NaN where it is missing. */
export function grown(before: MetricValues, after: MetricValues, name: string): number {
  return (after.get(name) ?? Number.NaN) - (before.get(name) ?? 0);
}

/** The buckets of a histogram between two scrapes: upper bounds in seconds, and how many were at most that. */
export function bucketsBetween(
  before: MetricValues,
  after: MetricValues,
  name: string,
): { readonly le: number; readonly count: number }[] {
  const pattern = new RegExp(`^${name}_bucket\\{le="([^"]+)"\\}$`);
  return [...after].flatMap(([key, value]) => {
    const le = pattern.exec(key)?.[1];
    if (le === undefined) return [];
    return [{ le: le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), count: value - (before.get(key) ?? 0) }];
  });
}

/** A percentile of cumulative buckets, in seconds: linear within the bucket that holds it, as Prometheus does it. */
export function percentileOf(buckets: readonly { le: number; count: number }[], percentile: number): number {
  const total = buckets.at(-1)?.count ?? 0;
  if (total === 0) return Number.NaN;
  const rank = (percentile / 100) * total;
  let lower = { le: 0, count: 0 };
  for (const bucket of buckets) {
    if (bucket.count >= rank) {
      if (!Number.isFinite(bucket.le)) return lower.le;
      const share = (rank - lower.count) / Math.max(1, bucket.count - lower.count);
      return lower.le + share * (bucket.le - lower.le);
    }
    lower = bucket;
  }
  return lower.le;
}
