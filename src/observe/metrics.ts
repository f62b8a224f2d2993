/**
 * Writes the metrics for a scrape. The threads count in plain numbers; a scrape reads and merges them, so on the hot
 * path counting costs one addition. `metrics/` declares the metrics.
 */
import { collectDefaultMetrics, type Metric as RegisteredMetric, Registry } from 'prom-client';
import type { WorkerStats } from '../threads/worker-stats.js';
import { openDescriptors } from './descriptors.js';
import type { MainStats } from './main-stats.js';
import type { LabelledBuckets, LabelValues, LatencyBuckets, Metric, Scrape, Series } from './metrics/metric.js';
import { METRICS } from './metrics/table.js';

interface StatsSource {
  main(): MainStats;
  workers(): Promise<readonly WorkerStats[]>;
}

interface Sample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly metricName?: string;
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #source: StatsSource;
  #scrape: Scrape | undefined;

  constructor(source: StatsSource) {
    this.#source = source;
    collectDefaultMetrics({ register: this.#registry, prefix: 'millrace_' });
    for (const metric of METRICS) {
      // prom-client's own metric of open descriptors lists a file name per socket while the hub waits.
      this.#registry.removeSingleMetric(metric.name);
      this.#registry.registerMetric(this.#registered(metric));
    }
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The exposition text with the threads' current numbers. */
  async scrape(): Promise<string> {
    const [workers, descriptors] = await Promise.all([this.#source.workers(), openDescriptors()]);
    this.#scrape = { main: this.#source.main(), workers, openDescriptors: descriptors };
    return this.#registry.metrics();
  }

  /** Minimal prom-client metric: prom-client's own kinds store values, these read them at a scrape. */
  #registered(metric: Metric): RegisteredMetric {
    const { name, type } = metric;
    const help = metric.help.replaceAll('`', '');
    const get = async () => {
      const values = this.#scrape === undefined ? [] : samplesOf(metric, this.#scrape);
      return { name, help, type, aggregator: 'sum', values };
    };
    return { name, get, reset: () => {} } as unknown as RegisteredMetric;
  }
}

function samplesOf(metric: Metric, scrape: Scrape): readonly Sample[] {
  if (metric.type === 'histogram') {
    const read = metric.read(scrape);
    const series: readonly LabelledBuckets[] = 'buckets' in read ? [[{}, read]] : read;
    return series.flatMap(([labels, buckets]) => histogramSamples(metric.name, labels, buckets));
  }
  const read = metric.read(scrape);
  if (read === undefined) return [];
  const series: Iterable<Series> = typeof read === 'number' ? [[{}, read]] : read;
  return Array.from(series, ([labels, value]) => ({ labels, value }));
}

/** Gateway threads fill separate buckets; Prometheus buckets are cumulative. */
function histogramSamples(
  name: string,
  labels: LabelValues,
  { buckets, sumMicros }: LatencyBuckets,
): readonly Sample[] {
  let below = 0;
  const samples: Sample[] = buckets.map((count, b) => {
    below += count;
    return { value: below, labels: { ...labels, le: 2 ** b / 1e6 }, metricName: `${name}_bucket` };
  });
  return [
    ...samples,
    { value: below, labels: { ...labels, le: '+Inf' }, metricName: `${name}_bucket` },
    { value: sumMicros / 1e6, labels, metricName: `${name}_sum` },
    { value: below, labels, metricName: `${name}_count` },
  ];
}
