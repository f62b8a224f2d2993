/**
 * R65 R69: what ops/ has for watching gateways, against a real Prometheus and a real Alertmanager.
 *
 * @module-tag slow
 * @module-tag bulk
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alertRules } from '../support/alert-rules.js';
import { grafanaDashboards, queryPanels } from '../support/grafana.js';
import type { PrometheusSample } from '../support/prometheus.js';
import { until } from '../support/until.js';
import { missingMonitoring, startWatchedGateway, type WatchedGateway } from '../support/watched-gateway.js';

/** In place of four times the scrape interval, which is a second here. */
const RATE_INTERVAL = '5s';
const PANELS_MS = 60_000;

const missing = missingMonitoring();

describe.skipIf(missing !== '')(`R65 R69 a watched gateway${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let watched: WatchedGateway;
  beforeAll(async () => {
    watched = await startWatchedGateway();
  });
  afterAll(() => watched?.stop());

  it('R65 fills every panel of every dashboard', async () => {
    const { prometheus } = watched;
    const asked = grafanaDashboards().flatMap(({ file, dashboard }) =>
      queryPanels(dashboard).flatMap(({ title, targets }) =>
        targets.map(({ expr }) => ({ panel: `${file}: ${title}`, query: expressionOf(expr) })),
      ),
    );
    expect(asked.length).toBeGreaterThan(100);
    let empty = asked;
    const remaining = async () => {
      const answers = await Promise.all(
        empty.map(async each => ({ each, samples: await prometheus.query(each.query) })),
      );
      empty = answers.filter(({ samples }) => !samples.some(isNumber)).map(({ each }) => each);
      return empty.length === 0;
    };
    await until(remaining, PANELS_MS, 'a value for every panel').catch((cause: unknown) => {
      expect(empty, String(cause)).toEqual([]);
    });
  });
});

const expressionOf = (expr: string) => expr.replaceAll('$__rate_interval', RATE_INTERVAL).replaceAll('$instance', '.+');

/** NaN is what a quantile of nothing is. */
const isNumber = ({ value: [, text] }: PrometheusSample) => Number.isFinite(Number(text));
