/** A gateway's `/metrics`, as numbers. */

/**
 * By name with labels, as the text has them: `millrace_replays_total{outcome="recovered"}`; and by name alone, the sum
 * of all its series.
 */
export type MetricValues = ReadonlyMap<string, number>;

/** @throws {Error} when the gateway does not answer with its metrics. */
export async function scrape(adminPort: number): Promise<MetricValues> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/metrics`);
  if (!response.ok) throw new Error(`/metrics answers ${response.status}`);
  const values = new Map<string, number>();
  for (const line of (await response.text()).split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const at = line.lastIndexOf(' ');
    const [series, value] = [line.slice(0, at), Number(line.slice(at + 1))];
    values.set(series, value);
    const name = series.replace(/\{.*/, '');
    if (name !== series) values.set(name, (values.get(name) ?? 0) + value);
  }
  return values;
}

/**
 * The sum of all series in the text of `/metrics` that have these labels; undefined when there is none.
 * @param sample e.g. `millrace_views` or `millrace_closes_total{code="4008"}`
 */
export function valueIn(text: string, sample: string): number | undefined {
  const [name = '', wanted = ''] = sample.split(/\{(.*)\}$/);
  const labels = wanted.match(/\w+="[^"]*"/g) ?? [];
  const series = text.split('\n').filter(line => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  const own = series.filter(line => labels.every(label => line.includes(`{${label}`) || line.includes(`,${label}`)));
  const read = (line: string) => Number(line.slice(line.lastIndexOf(' ') + 1));
  return own.length === 0 ? undefined : own.reduce((sum, line) => sum + read(line), 0);
}

/** How much a counter grew. NaN where it is missing. */
export function grown(before: MetricValues, after: MetricValues, name: string): number {
  return (after.get(name) ?? Number.NaN) - (before.get(name) ?? 0);
}

/** The buckets of a histogram between two scrapes, all series together: upper bounds in seconds, and how many were at most that. */
export function bucketsBetween(
  before: MetricValues,
  after: MetricValues,
  name: string,
): { readonly le: number; readonly count: number }[] {
  const pattern = new RegExp(`^${name}_bucket\\{(?:.*,)?le="([^"]+)"\\}$`);
  const counts = new Map<number, number>();
  for (const [key, value] of after) {
    const bound = pattern.exec(key)?.[1];
    if (bound === undefined) continue;
    const le = bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound);
    counts.set(le, (counts.get(le) ?? 0) + value - (before.get(key) ?? 0));
  }
  return Array.from(counts, ([le, count]) => ({ le, count }));
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
