/** Every metric of Millrace, by group, except prom-client's own about the process and Node. */
import { commandMetrics, connectionMetrics } from './connections.js';
import { feedMetrics, hubMetrics } from './feed.js';
import { fixMetrics } from './fix.js';
import { deliveryMetrics, gatewayMetrics } from './gateway.js';
import { journalMetrics } from './journal.js';
import type { Metric, MetricGroup } from './metric.js';
import { encoderMetrics, gatewayInfoMetrics, processMetrics, revocationMetrics } from './process.js';
import { slowConsumerMetrics } from './slow-consumers.js';
import { surveillanceMetrics } from './surveillance.js';
import { tokenMetrics } from './tokens.js';
import { tracingMetrics } from './tracing.js';

export const METRIC_GROUPS: readonly MetricGroup[] = [
  gatewayInfoMetrics,
  connectionMetrics,
  commandMetrics,
  deliveryMetrics,
  slowConsumerMetrics,
  gatewayMetrics,
  hubMetrics,
  encoderMetrics,
  feedMetrics,
  fixMetrics,
  tokenMetrics,
  revocationMetrics,
  processMetrics,
  surveillanceMetrics,
  tracingMetrics,
  journalMetrics,
];

export const METRICS: readonly Metric[] = METRIC_GROUPS.flatMap(({ metrics }) => metrics);
