/**
 * Writes the metrics for a scrape. The threads count in plain numbers; a scrape reads and merges them, so on the hot
 * path counting costs one addition. The files beside this one declare the metrics.
 */
import { collectDefaultMetrics, type Metric as RegisteredMetric, Registry } from 'prom-client';
import { LATENCY_BOUNDS_MICROS, type LatencyCounts } from '../../threads/latencies.js';
import type { WorkerStats } from '../../threads/worker-stats.js';
import { openDescriptors } from '../descriptors.js';
import type { MainStats } from '../main-stats.js';
import { combinationsOf, type LabelValues, type Metric, type Scrape, type Series } from './metric.js';
import { METRICS } from './table.js';

interface StatsSource {
  main(): MainStats;
  workers(): Promise<readonly WorkerStats[]>;
}

interface Sample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly metricName?: string;
}

/**
 * Metrics of prom-client's that are left out: sums of others, which end with `_total` and are no counters, so that
 * `promtool check metrics` objects.
 */
const LEFT_OUT = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];
const BOUNDS_SECONDS = LATENCY_BOUNDS_MICROS.map(micros => micros / 1e6);

export class Metrics {
  readonly #registry = new Registry();
  readonly #source: StatsSource;
  #scrape: Scrape | undefined;

  constructor(source: StatsSource) {
    this.#source = source;
    collectDefaultMetrics({ register: this.#registry });
    for (const name of LEFT_OUT) this.#registry.removeSingleMetric(name);
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
    const zeros = combinationsOf(metric);
    const get = async () => {
      const values = this.#scrape === undefined ? [] : samplesOf(metric, zeros, this.#scrape);
      return { name, help, type, aggregator: 'sum', values };
    };
    return { name, get, reset: () => {} } as unknown as RegisteredMetric;
  }
}

/** @param zeros labels of the series that exist whether or not there is a value */
function samplesOf(metric: Metric, zeros: readonly LabelValues[], scrape: Scrape): readonly Sample[] {
  if (metric.type === 'histogram') {
    return metric.read(scrape).flatMap(([labels, counts]) => histogramSamples(metric.name, labels, counts));
  }
  const read = metric.read(scrape);
  if (read === undefined) return [];
  const series: Iterable<Series> = typeof read === 'number' ? [[{}, read]] : read;
  const samples = new Map<string, Sample>();
  for (const labels of zeros) samples.set(keyOf(labels), { labels, value: 0 });
  for (const [labels, value] of series) samples.set(keyOf(labels), { labels, value });
  return [...samples.values()];
}

const keyOf = (labels: LabelValues): string => Object.values(labels).join('\n');

/** Gateway threads fill separate buckets; Prometheus buckets are cumulative. */
function histogramSamples(name: string, labels: LabelValues, { buckets, sumMicros }: LatencyCounts): readonly Sample[] {
  let below = 0;
  const samples: Sample[] = [...BOUNDS_SECONDS, '+Inf'].map((le, b) => {
    below += buckets[b] ?? 0;
    return { value: below, labels: { ...labels, le }, metricName: `${name}_bucket` };
  });
  return [
    ...samples,
    { value: sumMicros / 1e6, labels, metricName: `${name}_sum` },
    { value: below, labels, metricName: `${name}_count` },
  ];
}
