/** Tracing of messages, from a publisher's `traceparent` to the sockets. Without a collector, nothing of it is loaded. */
import type { Config } from '../../config/environment.js';
import { monotonicMicros } from '../../protocol/wall-clock.js';
import { createTraceReports, TraceReportReader } from '../../threads/trace-reports.js';
import { inTime } from '../deadline.js';
import type { Logger } from '../log.js';
import type { SpanCounts } from './spans.js';
import { type TraceCounts, Traces } from './traces.js';

const COLLECT_INTERVAL_MS = 100;
/** What the end of the process may wait for the collector. */
const CLOSE_MS = 200;

/** For metrics. */
export interface TracingStats {
  readonly traces: TraceCounts;
  readonly inFlight: number;
  readonly spans: SpanCounts;
  /** Reports that threads had no room for: spans that are missing. */
  readonly reportsDropped: number;
}

export interface Tracing {
  readonly traces: Traces;
  /** Where threads report: one buffer per encoder, and one per gateway thread. */
  readonly encoders: readonly SharedArrayBuffer[];
  readonly workers: readonly SharedArrayBuffer[];
  readonly stats: TracingStats;
  /** Never rejects. */
  close(): Promise<void>;
}

/** Undefined without OTEL_EXPORTER_OTLP_ENDPOINT. */
export async function openTracing(config: Config, log: Logger): Promise<Tracing | undefined> {
  const { tracing } = config;
  if (tracing === undefined) return undefined;
  const { openSpans } = await import('./open-telemetry.js');
  const encoders = Array.from({ length: config.encoders }, createTraceReports);
  const workers = Array.from({ length: config.workers }, createTraceReports);
  const spans = openSpans(tracing, log);
  const readers = (buffers: readonly SharedArrayBuffer[]) => buffers.map(buffer => new TraceReportReader(buffer));
  const traces = new Traces({
    spans,
    perSecond: tracing.tracesPerSecond,
    encoders: readers(encoders),
    workers: readers(workers),
    nowMicros: monotonicMicros,
  });
  const collecting = setInterval(() => traces.collect(), COLLECT_INTERVAL_MS);
  collecting.unref();
  return {
    traces,
    encoders,
    workers,
    get stats() {
      const { counts, inFlight, reportsDropped } = traces;
      return { traces: counts, inFlight, reportsDropped, spans: spans.counts };
    },
    close: async () => {
      clearInterval(collecting);
      try {
        await inTime(traces.close(), CLOSE_MS, 'the trace collector did not answer');
      } catch (cause) {
        log.warn({ err: cause }, 'the last spans are lost');
      }
    },
  };
}
