/** What a gateway's metrics say about the way through it. Reading them costs the hot path nothing. */
import { bucketsBetween, grown, type MetricValues, percentileOf } from '../harness/metrics.js';

const HUB_TO_PUBLISH = 'millrace_hub_to_publish_seconds';

/** In µs. Percentiles come from the buckets of the histogram, so they are rough; the means are exact. */
export interface ServerStages {
  /** From the hub receiving a message to a worker publishing its frame. */
  readonly hubToPublish: { readonly mean: number; readonly p50: number; readonly p90: number; readonly p99: number };
  /** Of that, a batch's encoding. */
  readonly encodeMeanOfBatch: number;
  readonly recordsPerBatch: number;
}

export function stagesBetween(before: MetricValues, after: MetricValues): ServerStages {
  const between = (name: string): number => grown(before, after, name);
  const buckets = bucketsBetween(before, after, HUB_TO_PUBLISH);
  const at = (percentile: number): number => percentileOf(buckets, percentile) * 1e6;
  const batches = between('millrace_encoder_batches_total');
  return {
    hubToPublish: {
      mean: (between(`${HUB_TO_PUBLISH}_sum`) / between(`${HUB_TO_PUBLISH}_count`)) * 1e6,
      p50: at(50),
      p90: at(90),
      p99: at(99),
    },
    encodeMeanOfBatch: (between('millrace_encoder_busy_seconds_total') / batches) * 1e6,
    recordsPerBatch: between('millrace_encoder_batch_records_total') / batches,
  };
}
