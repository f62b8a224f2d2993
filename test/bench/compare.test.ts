/** @module-tag slow */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { compareRuns, comparisonTable } from '../../bench/report/compare.js';
import type { Metric, RunReport, SuiteReport } from '../../bench/report/report.js';
import { readRun, writeRun, writeSuite } from '../../bench/report/results.js';

const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-compare-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function metric(name: string, samples: readonly number[], better: Metric['better'] = 'higher'): Metric {
  return { name, unit: '1/s', better, samples };
}

function run(metrics: readonly Metric[], more: Partial<SuiteReport> = {}): RunReport {
  const suite = { suite: 'fanout', settings: { clients: 10 }, tables: [], goals: [], metrics, notes: [], rounds: [] };
  return { startedAt: '2026-01-01T00:00:00Z', machine: { cores: 2 }, suites: [{ ...suite, ...more }] };
}

function verdicts(before: readonly Metric[], now: readonly Metric[]): Record<string, string> {
  const { changes } = compareRuns(run(before), run(now));
  return Object.fromEntries(changes.map(change => [change.metric, change.verdict]));
}

describe('R56: npm run bench -- --compare', () => {
  it('claims a change only where the rounds of both runs do not overlap', () => {
    const before = [metric('apart', [1, 2, 3]), metric('overlapping', [1, 2, 3]), metric('lower', [1, 2, 3], 'lower')];
    const now = [metric('apart', [4, 5, 6]), metric('overlapping', [3, 5, 9]), metric('lower', [4, 5, 6], 'lower')];
    expect(verdicts(before, now)).toEqual({ apart: 'better', overlapping: 'within the noise', lower: 'worse' });
    expect(verdicts(now, before)).toEqual({ apart: 'worse', overlapping: 'within the noise', lower: 'better' });
  });

  it('says when there are too few rounds to tell, and which figures are new or gone', () => {
    const before = [metric('short', [1, 2]), metric('gone', [1, 2, 3])];
    const now = [metric('short', [4, 5, 6]), metric('new', [1, 2, 3]), metric('gone', [Number.NaN])];
    expect(verdicts(before, now)).toEqual({ short: 'too few rounds to tell', new: 'new', gone: 'gone' });
  });

  it('warns of another machine, other settings and suites that are not in the file', () => {
    const before = { ...run([]), machine: { cores: 64, loadAverage1m: 9 } };
    const other = run([]).suites.map(suite => ({ ...suite, suite: 'bytes' }));
    const now = run([], { settings: { clients: 20 } });
    const { cautions } = compareRuns(before, { ...now, suites: [...now.suites, ...other] });
    expect(cautions).toEqual([
      'machine cores: 64 before, 2 now',
      'fanout, setting clients: 10 before, 20 now',
      'bytes: not in the earlier file',
    ]);
  });

  it('reads what was written, figures that could not be measured included', () => {
    const file = join(folder, 'deep', 'run.json');
    writeRun(file, run([metric('rate', [2, 4, 6]), metric('cpu', [Number.NaN, Number.NaN, Number.NaN])]));
    const comparison = compareRuns(readRun(file), run([metric('rate', [20, 40, 60])]));
    expect(comparisonTable(comparison, 'then').rows).toEqual([
      ['fanout: rate, 1/s', '4.00 (2.00–6.00)', '40.0 (20.0–60.0)', '+900.0 %', 'yes, better'],
      ['fanout: cpu, 1/s', '–', '–', '–', 'gone'],
    ]);
    writeFileSync(file, '{"suites":');
    expect(() => readRun(file)).toThrow(/run\.json cannot be read/);
    writeFileSync(file, '{}');
    expect(() => readRun(file)).toThrow(/was not written by/);
  });

  it('writes a table, JSON without pictures, and the plots that the table shows', () => {
    const plots = [{ name: 'rates', title: 'Rates', svg: '<svg/>' }];
    const one = run([], { plots });
    for (const suite of one.suites) writeSuite(join(folder, 'out'), suite, one);
    expect(readdirSync(join(folder, 'out')).sort()).toEqual(['fanout-rates.svg', 'fanout.json', 'fanout.md']);
    expect(readFileSync(join(folder, 'out', 'fanout.md'), 'utf8')).toContain('![Rates](fanout-rates.svg)');
    expect(readFileSync(join(folder, 'out', 'fanout.json'), 'utf8')).not.toContain('svg');
  });
});
