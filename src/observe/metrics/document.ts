/** ops/metrics.md, generated from the table of metrics; `npm run docs` writes it. */
import { LATENCY_BOUNDS_MICROS } from '../../threads/latencies.js';
import type { Metric, MetricGroup } from './metric.js';
import { METRIC_GROUPS } from './table.js';

export function metricsDocument(): string {
  return `# Metrics
\`GET /metrics\` on the admin port, in the Prometheus text format. All gateway and encoder threads are merged into one set of numbers. Counters
grow from the start of the process and keep what a thread counted before it died; gauges of a dead thread are gone with it. Every series exists
from the start, with 0, unless its row says when it is absent. No label has a value that a client or a publisher chooses.

Histograms have these bounds, in seconds: ${LATENCY_BOUNDS_MICROS.map(micros => micros / 1e6).join(', ')}.

Besides these there are prom-client's \`process_…\` and \`nodejs_…\`, such as \`process_cpu_seconds_total\`, \`process_resident_memory_bytes\` and
\`process_start_time_seconds\`. Those about Node, such as \`nodejs_eventloop_lag_seconds\`, are about the main thread; the sizes of the heap too.

${METRIC_GROUPS.map(sectionOf).join('\n')}
\`npm run docs\` writes this file from \`src/observe/metrics\`.
`;
}

function sectionOf({ title, metrics }: MetricGroup): string {
  return `## ${title}
| metric | type | unit | labels | meaning |
|---|---|---|---|---|
${metrics.map(rowOf).join('\n')}
`;
}

function rowOf({ name, type, help, more, labels = {}, absent }: Metric): string {
  const shown = Object.entries(labels).map(([label, values]) => {
    const text = typeof values === 'string' ? values : values.map(value => `\`${value}\``).join(', ');
    return `\`${label}\`: ${text}`;
  });
  const sentences = [help, more?.replace(/\.$/, ''), absent && `Absent ${absent}`].filter(text => text !== undefined);
  return `| \`${name}\` | ${type} | ${unitOf(name)} | ${shown.join('; ')} | ${sentences.join('. ')}. |`;
}

/** The unit at the end of a Prometheus name. */
function unitOf(name: string): string {
  return /_(seconds|bytes)(_total|_max)?$/.exec(name)?.[1] ?? '';
}
