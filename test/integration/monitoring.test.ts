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
import { pasted, readingBlocks, verificationOf } from '../support/runbook-shell.js';
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

  it('R65 evaluates every alert, and fires none while all is well', async () => {
    const { prometheus } = watched;
    const rules = async () => await prometheus.rules();
    await until(
      async () => (await rules()).every(({ health }) => health === 'ok'),
      undefined,
      'every rule is evaluated',
    );
    expect((await rules()).map(({ name }) => name)).toEqual(alertRules().map(({ alert }) => alert));
    expect((await rules()).filter(({ state }) => state === 'firing').map(({ name }) => name)).toEqual([]);
  });

  it.concurrent.each(readingBlocks())('R69 runs the block of line $line of the runbook, of $section', async block => {
    const { code, output } = await pasted(block, watched);
    if (code === 0) return;
    // A machine that is busy beside the test may exceed a threshold in truth: then only Verify may say so.
    const rule = alertRules().find(({ alert }) => alert === block.section);
    const exceeded = block.step === 'Verify' && rule !== undefined ? await watched.prometheus.query(rule.expr) : [];
    expect(exceeded, output).not.toEqual([]);
  });

  it('R69 verifies no alert where gateway and Prometheus do not answer', async () => {
    const nowhere = 'http://127.0.0.1:1';
    const env = { MILLRACE_ADMIN_URL: nowhere, PROMETHEUS_URL: nowhere };
    const verified: string[] = [];
    for (const { alert } of alertRules()) {
      if ((await pasted(verificationOf(alert), watched, env)).code === 0) verified.push(alert);
    }
    expect(verified).toEqual([]);
  });

  describe('in an outage', () => {
    const pages = () => watched.alertmanager.pages.map(({ title }) => title);

    it('R65 R69 pages once for a lost NATS, and the runbook does not call it over', async () => {
      const { nats, gateway } = watched;
      for (const server of nats) await server.stop();
      await until(() => pages().length > 0, undefined, 'a page');
      expect(pages()).toEqual([`Feed is stale (${new URL(gateway.adminUrl).host})`]);
      expect(watched.alertmanager.pages[0]?.text).toMatch(
        /has lost NATS \(live is 0\).*\nRunbook: \S+#millracefeedstale$/,
      );
      const { code, output } = await pasted(verificationOf('MillraceFeedStale'), watched);
      expect(code).not.toBe(0);
      expect(output).toContain('millrace_feed_live 0\nNOT YET');
    });

    it('R65 pages for a gateway that is gone', async () => {
      const { gateway } = watched;
      await gateway.stop('SIGKILL');
      const title = `Gateway is down (${new URL(gateway.adminUrl).host})`;
      await until(() => pages().includes(title), undefined, 'a page');
      expect((await pasted(verificationOf('MillraceDown'), watched)).code).not.toBe(0);
    });

    it('R65 does not tell of the consequences of an outage', async () => {
      const { alertmanager } = watched;
      const annotations = { description: 'It is so.', runbook_url: 'runbook.md#it' };
      const at = (instance: string, alertname: string, severity: string) => ({
        labels: { alertname, severity, job: 'drill', instance },
        annotations: { ...annotations, summary: `${alertname} at` },
      });
      await alertmanager.alert(
        at('a:9090', 'MillraceDown', 'page'),
        at('a:9090', 'MillraceNotReady', 'page'),
        at('a:9090', 'MillraceCpu', 'ticket'),
        at('b:9090', 'MillraceFeedStale', 'page'),
        at('b:9090', 'MillraceTopicsHeldBack', 'page'),
        at('b:9090', 'MillraceIdle', 'ticket'),
        at('c:9090', 'MillraceTopicsHeldBack', 'page'),
      );
      // What is told of the gateway itself does not count.
      const titles = () =>
        [...alertmanager.pages, ...alertmanager.tickets]
          .map(({ title }) => title)
          .filter(title => title.includes(' at ('));
      await until(() => titles().length >= 4, undefined, 'three pages and a ticket');
      expect(titles().sort()).toEqual([
        'MillraceDown at (a:9090)',
        'MillraceFeedStale at (b:9090)',
        'MillraceIdle at (b:9090)',
        'MillraceTopicsHeldBack at (c:9090)',
      ]);
    });
  });
});

const expressionOf = (expr: string) => expr.replaceAll('$__rate_interval', RATE_INTERVAL).replaceAll('$instance', '.+');

/** NaN is what a quantile of nothing is. */
const isNumber = ({ value: [, text] }: PrometheusSample) => Number.isFinite(Number(text));
