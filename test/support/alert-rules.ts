/** The alerts of ops/prometheus/alerts.yml, and what tests ask of their expressions. */
import { readFileSync } from 'node:fs';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { parse } from 'yaml';
import { METRICS } from '../../src/observe/metrics/table.js';

interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly keep_firing_for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}

/** In the order of the file. */
export function alertRules(): readonly AlertRule[] {
  const file = new URL('../../ops/prometheus/alerts.yml', import.meta.url);
  const { groups } = parse(readFileSync(file, 'utf8')) as { groups: readonly { rules: readonly AlertRule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/** Names in the text that look like metrics of a gateway, and that no gateway has. */
export function unknownMetrics(text: string): string[] {
  const named = text.match(/\b(?:millrace|process|nodejs)_[a-z0-9_]+/g) ?? [];
  return [...new Set(named)].filter(name => !KNOWN.has(name));
}

const KNOWN = knownMetrics();

function knownMetrics(): ReadonlySet<string> {
  const register = new Registry();
  collectDefaultMetrics({ register });
  const processes = register.getMetricsAsArray().map(({ name, type }) => ({ name, type: String(type) }));
  register.clear();
  const names = new Set<string>();
  for (const { name, type } of [...METRICS, ...processes]) {
    names.add(name);
    if (type === 'histogram') for (const part of ['bucket', 'sum', 'count']) names.add(`${name}_${part}`);
  }
  return names;
}
