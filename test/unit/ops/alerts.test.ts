/** R65: the alerts and who hears of them, by the programs that read them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { alertRules, unknownMetrics } from '../../support/alert-rules.js';
import { isMonitoringInstalled, prometheusDirectory } from '../../support/prometheus.js';

const OPS = fileURLToPath(new URL('../../../ops/', import.meta.url));
const ALERTMANAGER = join(OPS, 'alertmanager/alertmanager.yml');
const RULES = alertRules();
/** What a pager shows in its first line, with the name of a gateway behind it. */
const SUMMARY_CHARACTERS_MAX = 45;

/** Standard output and error, with the exit code in front if it is not 0. */
function run(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  return status === 0 ? stdout : `exit ${status}: ${stdout}${stderr}`;
}

describe('R65 ops/prometheus/alerts.yml', () => {
  it('R65 has each alert once, with a severity, a short summary, a value and a gateway', () => {
    const names = RULES.map(({ alert }) => alert);
    expect(names.length).toBeGreaterThan(30);
    expect(new Set(names).size).toBe(names.length);
    for (const { alert, labels, annotations } of RULES) {
      expect(alert).toMatch(/^Millrace[A-Z]\w+$/);
      expect(['page', 'ticket'], alert).toContain(labels.severity);
      expect(annotations.summary?.length, alert).toBeLessThanOrEqual(SUMMARY_CHARACTERS_MAX);
      // Where there is no gateway at all, there is none to name.
      if (alert === 'MillraceAbsent') continue;
      expect(annotations.description, alert).toMatch(/\$value/);
      expect(annotations.description, alert).toMatch(/\$labels\.instance/);
    }
  });

  it('R65 asks only for metrics that a gateway has', () => {
    const unknown = RULES.flatMap(({ alert, expr }) => unknownMetrics(expr).map(name => `${alert}: ${name}`));
    expect(unknown).toEqual([]);
    expect(unknownMetrics('rate(millrace_sent_message_total[1m])')).toEqual(['millrace_sent_message_total']);
  });

  it('R65 waits before each alert, or keeps it for a while, so that none flaps', () => {
    const flapping = RULES.filter(rule => rule.for === undefined && rule.keep_firing_for === undefined);
    expect(flapping.map(({ alert }) => alert)).toEqual(['MillraceRestarts']);
  });
});

const hasPromtool = isMonitoringInstalled('promtool');
describe.skipIf(!hasPromtool)(`R65 ops/prometheus${hasPromtool ? '' : ' (skipped: promtool is not installed)'}`, () => {
  let directory = '';
  beforeAll(() => {
    directory = prometheusDirectory('no-token');
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('R65 is a configuration that Prometheus reads', () => {
    expect(
      run('promtool', 'check', 'config', '--lint=all', '--lint-fatal', join(directory, 'prometheus.yml')),
    ).toContain('SUCCESS');
  });

  const tests = ['alerts.test.yml', 'alerts.week.test.yml'];

  it('R65 has a test of each alert', () => {
    const tested = tests.map(file => readFileSync(join(directory, file), 'utf8')).join('');
    const untested = RULES.filter(({ alert }) => !tested.includes(`alertname: ${alert}\n`));
    expect(untested.map(({ alert }) => alert)).toEqual([]);
  });

  it.each(tests)('R65 fires each alert above its threshold, and not below (%s)', file => {
    const answer = run('promtool', 'test', 'rules', join(directory, file));
    expect(answer).not.toMatch(/exit|FAILED/);
    expect(answer).toContain('SUCCESS');
  });
});

const hasAmtool = isMonitoringInstalled('amtool');
describe.skipIf(!hasAmtool)(`R65 ops/alertmanager${hasAmtool ? '' : ' (skipped: amtool is not installed)'}`, () => {
  const config = parse(readFileSync(ALERTMANAGER, 'utf8')) as {
    readonly inhibit_rules: readonly { readonly source_matchers: string[]; readonly target_matchers: string[] }[];
  };

  it('R65 is a configuration that Alertmanager reads, without a secret', () => {
    expect(run('amtool', 'check-config', ALERTMANAGER)).not.toMatch(/exit|FAILED/);
    expect(readFileSync(ALERTMANAGER, 'utf8')).not.toMatch(/(key|url|password|token): *['"]?(https?:|[A-Za-z0-9]{16})/);
  });

  it.each([
    ['pager', 'severity=page', 'alertname=MillraceDown'],
    ['tickets', 'severity=ticket', 'alertname=MillraceIdle'],
    // A typing error in a rule.
    ['pager', 'severity=pgae', 'alertname=MillraceDown'],
    ['pager', 'alertname=MillraceDown'],
  ])('R65 tells the %s of %s', (receiver, ...labels) => {
    expect(run('amtool', 'config', 'routes', 'test', '--config.file', ALERTMANAGER, ...labels).split('\n')[0]).toBe(
      receiver,
    );
  });

  it('R65 silences only alerts that there are', () => {
    const matchers = config.inhibit_rules.flatMap(rule => [...rule.source_matchers, ...rule.target_matchers]);
    const named = matchers.flatMap(matcher => matcher.match(/Millrace\w+/g) ?? []);
    const known = new Set(RULES.map(({ alert }) => alert));
    expect(named.length).toBeGreaterThan(15);
    expect(named.filter(name => !known.has(name))).toEqual([]);
  });

  it('R65 writes a message that fits a pager', () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-template-'));
    const alert = (instance: string) => ({
      status: 'firing',
      labels: { alertname: 'MillraceFeedStale', instance },
      annotations: {
        summary: 'Feed is stale',
        description: `The gateway at ${instance} has lost NATS.`,
        runbook_url: 'runbook.md#millracefeedstale',
      },
    });
    const shown = (template: string, data: object) => {
      writeFileSync(join(folder, 'data.json'), JSON.stringify(data));
      const glob = join(OPS, 'alertmanager/millrace.tmpl');
      const text = `{{ template "millrace.${template}" . }}`;
      return run(
        'amtool',
        'template',
        'render',
        '--template.glob',
        glob,
        '--template.text',
        text,
        '--template.data',
        join(folder, 'data.json'),
      );
    };
    try {
      const [one, two] = [alert('gw-1:9090'), alert('gw-2:9090')];
      expect(shown('title', { status: 'firing', alerts: [one] })).toBe('Feed is stale (gw-1:9090)');
      expect(shown('title', { status: 'resolved', alerts: [one, two] })).toBe(
        'Resolved: Feed is stale (gw-1:9090, +1)',
      );
      expect(shown('title', { status: 'firing', alerts: [{ ...one, labels: {} }] })).toBe('Feed is stale');
      expect(shown('text', { status: 'firing', alerts: [one, two] }).split('\n')).toEqual([
        'The gateway at gw-1:9090 has lost NATS.',
        'The gateway at gw-2:9090 has lost NATS.',
        expect.stringMatching(/^Runbook: https:.*runbook\.md#millracefeedstale$/),
      ]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
