/**
 * The exposition of the metrics. The threads count in plain numbers; a scrape reads them and merges, so counting costs the hot
 * path an addition. The metrics themselves are declared in `metrics/`.
 */
import { collectDefaultMetrics, type Metric as RegisteredMetric, Registry } from 'prom-client';
import type { WorkerStats } from '../threads/thread-messages.js';
import { openDescriptors } from './descriptors.js';
import type { MainStats } from './main-stats.js';
import type { LatencyBuckets, Metric, Scrape, Series } from './metrics/metric.js';
import { METRICS } from './metrics/table.js';

export interface StatsSource {
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
      // Of open descriptors prom-client has one of its own, which lists a file name for each socket while the hub waits.
      this.#registry.removeSingleMetric(metric.name);
      this.#registry.registerMetric(this.#registered(metric));
    }
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The exposition text, with the threads' numbers of now. */
  async scrape(): Promise<string> {
    const [workers, descriptors] = await Promise.all([this.#source.workers(), openDescriptors()]);
    this.#scrape = { main: this.#source.main(), workers, openDescriptors: descriptors };
    return this.#registry.metrics();
  }

  /** Of prom-client, which asks for no more: its own kinds hold their values, these are read. */
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
  if (metric.type === 'histogram') return histogramSamples(metric.name, metric.read(scrape));
  const read = metric.read(scrape);
  if (read === undefined) return [];
  const series: Iterable<Series> = typeof read === 'number' ? [[{}, read]] : read;
  return Array.from(series, ([labels, value]) => ({ labels, value }));
}

/** Buckets are filled in the gateway threads; Prometheus has each hold those below it too. */
function histogramSamples(name: string, { buckets, sumMicros }: LatencyBuckets): readonly Sample[] {
  let below = 0;
  const samples: Sample[] = buckets.map((count, b) => {
    below += count;
    return { value: below, labels: { le: 2 ** b / 1e6 }, metricName: `${name}_bucket` };
  });
  return [
    ...samples,
    { value: below, labels: { le: '+Inf' }, metricName: `${name}_bucket` },
    { value: sumMicros / 1e6, labels: {}, metricName: `${name}_sum` },
    { value: below, labels: {}, metricName: `${name}_count` },
  ];
}
