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
      more: 'Counted only with `OTEL_EXPORTER_OTLP_ENDPOINT`. `unsampled` by their publisher; `invalid` headers; `over_limit`: beyond `TRACES_PER_SECOND`, or 255 in flight.',
      labels: { outcome: ['traced', 'unsampled', 'invalid', 'over_limit'] },
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
      more: '`failed`: the collector refused them or did not answer in time. `dropped`: too many were waiting.',
      labels: { outcome: ['exported', 'failed', 'dropped'] },
      read: ({ main: { tracing: { spans, reportsDropped } = OFF } }) =>
        by('outcome', [
          ['exported', spans.exported],
          ['failed', spans.failed],
          ['dropped', spans.dropped + reportsDropped],
        ]),
    },
  ],
};
