/** Every metric of Millrace, by group, except prom-client's own about the process and Node. */
import { feedMetrics } from './feed.js';
import { connectionMetrics, gatewayMetrics } from './gateway.js';
import type { Metric, MetricGroup } from './metric.js';
import { encoderMetrics, processMetrics, revocationMetrics } from './process.js';
import { slowConsumerMetrics } from './slow-consumers.js';
import { tokenMetrics } from './tokens.js';
import { tracingMetrics } from './tracing.js';

export const METRIC_GROUPS: readonly MetricGroup[] = [
  feedMetrics,
  encoderMetrics,
  processMetrics,
  revocationMetrics,
  tokenMetrics,
  gatewayMetrics,
  connectionMetrics,
  slowConsumerMetrics,
  tracingMetrics,
];

export const METRICS: readonly Metric[] = METRIC_GROUPS.flatMap(({ metrics }) => metrics);
