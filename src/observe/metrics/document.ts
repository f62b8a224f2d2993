/** ops/metrics.md, generated from the table of metrics; `npm run docs` writes it. */
import type { Metric, MetricGroup } from './metric.js';
import { METRIC_GROUPS } from './table.js';

export function metricsDocument(): string {
  return `# Metrics
\`GET /metrics\` on the admin port, in the Prometheus text format. All gateway and encoder threads are merged into one set of numbers. Counters
grow from the start of the process and keep what a gateway thread counted before it died. A series with labels appears with its first
value. Besides these there are prom-client's \`millrace_process_…\` and \`millrace_nodejs_…\`.

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

function rowOf({ name, type, help, more, labels = {} }: Metric): string {
  const shown = Object.entries(labels).map(([label, values]) => `\`${label}\`${values === '' ? '' : `: ${values}`}`);
  return `| \`${name}\` | ${type} | ${unitOf(name)} | ${shown.join('; ')} | ${help}.${more === undefined ? '' : ` ${more}`} |`;
}

/** The unit at the end of a Prometheus name. */
function unitOf(name: string): string {
  return /_(seconds|bytes)(_total|_max)?$/.exec(name)?.[1] ?? '';
}
