/** Times in µs, kept in an HDR histogram: recording allocates nothing, and every percentile is within 0.1 %. */
import { build, type Histogram } from 'hdr-histogram-js';

/** Longer ones count as this. */
const MICROS_MAX = 120_000_000;

/** In µs. All figures but `count` are NaN where nothing was recorded. */
export interface LatencyReport {
  readonly count: number;
  /** As recorded: below 0 where two clocks disagree. */
  readonly min: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export class LatencyHistogram {
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: MICROS_MAX,
    numberOfSignificantValueDigits: 3,
  });
  #min = Number.POSITIVE_INFINITY;
  #sum = 0;

  record(micros: number): void {
    if (micros < this.#min) this.#min = micros;
    this.#sum += micros;
    this.#histogram.recordValue(Math.min(MICROS_MAX, Math.max(1, Math.round(micros))));
  }

  /** What was recorded since the last call; starts anew. */
  take(): LatencyReport {
    const h = this.#histogram;
    const count = h.totalCount;
    const at = (percentile: number): number => (count === 0 ? Number.NaN : h.getValueAtPercentile(percentile));
    const report = {
      count,
      min: count === 0 ? Number.NaN : this.#min,
      mean: count === 0 ? Number.NaN : this.#sum / count,
      p50: at(50),
      p90: at(90),
      p95: at(95),
      p99: at(99),
      p999: at(99.9),
      max: count === 0 ? Number.NaN : h.maxValue,
    };
    h.reset();
    this.#min = Number.POSITIVE_INFINITY;
    this.#sum = 0;
    return report;
  }
}
