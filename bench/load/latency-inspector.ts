/** Publisher-to-client latency from the `ts_event` (µs since the Unix epoch) that JSON frames carry with `?timestamps=1`. */
import { build, type Histogram } from 'hdr-histogram-js';
import type { FrameInspector } from './frame-reader.js';
import { ascii, find, number } from './order-inspector.js';

const TS_EVENT = ascii('"ts_event":');
const LATENCY_MICROS_MAX = 60_000_000;

/** Percentiles in µs since the last {@link LatencyInspector.take}. */
export interface LatencyReport {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export class LatencyInspector implements FrameInspector {
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: LATENCY_MICROS_MAX,
    numberOfSignificantValueDigits: 3,
  });

  inspect(_socket: number, bytes: Uint8Array, from: number, to: number): void {
    const at = find(bytes, from, to, TS_EVENT);
    if (at < 0) return;
    const latency = (performance.timeOrigin + performance.now()) * 1000 - number(bytes, at, to);
    this.#histogram.recordValue(Math.min(LATENCY_MICROS_MAX, Math.max(1, Math.round(latency))));
  }

  /** The percentiles so far; starts anew. */
  take(): LatencyReport {
    const h = this.#histogram;
    const at = (percentile: number): number => h.getValueAtPercentile(percentile);
    const report = {
      count: h.totalCount,
      p50: at(50),
      p90: at(90),
      p99: at(99),
      p999: at(99.9),
      max: h.maxValue,
    };
    h.reset();
    return report;
  }
}
