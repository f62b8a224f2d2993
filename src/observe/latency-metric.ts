/** The histogram of latencies: its buckets are filled in the gateway threads; prom-client's own can only observe. */
import type { Metric } from 'prom-client';

const NAME = 'millrace_hub_to_publish_seconds';

/** Bucket b: messages that took less than 2^b µs. */
export interface LatencyBuckets {
  readonly buckets: readonly number[];
  readonly sumMicros: number;
}

export function latencyMetric(now: () => LatencyBuckets): Metric {
  return {
    name: NAME,
    get: async () => {
      const { buckets, sumMicros } = now();
      let below = 0;
      const values = buckets.map((count, b) => {
        below += count;
        return { value: below, labels: { le: 2 ** b / 1e6 }, metricName: `${NAME}_bucket` };
      });
      values.push({ value: below, labels: { le: '+Inf' as unknown as number }, metricName: `${NAME}_bucket` });
      return {
        name: NAME,
        help: 'From the hub receiving a message to a worker publishing its frame',
        type: 'histogram',
        aggregator: 'sum',
        values: [
          ...values,
          { value: sumMicros / 1e6, labels: {}, metricName: `${NAME}_sum` },
          { value: below, labels: {}, metricName: `${NAME}_count` },
        ],
      };
    },
    reset: () => {},
  } as unknown as Metric;
}
