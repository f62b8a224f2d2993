import type { TracingStats } from '../tracing/tracing.js';
import { by, type MetricGroup } from './metric.js';

/** As long as nothing is traced. */
const OFF: TracingStats = {
  traces: { traced: 0, unsampled: 0, invalid: 0, overLimit: 0 },
  inFlight: 0,
  reportsDropped: 0,
  spans: { exported: 0, failed: 0, dropped: 0 },
};

export const tracingMetrics: MetricGroup = {
  title: 'Tracing',
  metrics: [
    {
      name: 'millrace_traces_total',
      type: 'counter',
      help: 'Messages with a `traceparent`, by outcome',
      more: 'Counted only with `OTEL_EXPORTER_OTLP_ENDPOINT`.',
      labels: {
        outcome:
          '`traced`, `unsampled` (by their publisher), `invalid` (the header), `over_limit` (`TRACES_PER_SECOND`, or 255 in flight)',
      },
      read: ({ main: { tracing: { traces } = OFF } }) =>
        by('outcome', [
          ['traced', traces.traced],
          ['unsampled', traces.unsampled],
          ['invalid', traces.invalid],
          ['over_limit', traces.overLimit],
        ]),
    },
    {
      name: 'millrace_traces_in_flight',
      type: 'gauge',
      help: 'Traces that wait for reports of encoder and gateway threads',
      more: 'At most 255; each waits 2.5 s.',
      read: ({ main: { tracing = OFF } }) => tracing.inFlight,
    },
    {
      name: 'millrace_trace_spans_total',
      type: 'counter',
      help: 'Spans, by outcome',
      labels: {
        outcome:
          '`exported`, `failed` (the collector refused them or did not answer in time), `dropped` (too many were waiting)',
      },
      read: ({ main: { tracing: { spans, reportsDropped } = OFF } }) =>
        by('outcome', [
          ['exported', spans.exported],
          ['failed', spans.failed],
          ['dropped', spans.dropped + reportsDropped],
        ]),
    },
  ],
};
