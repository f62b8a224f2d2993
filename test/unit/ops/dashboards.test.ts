/** R65: the dashboards of ops/grafana, as files. test/integration/monitoring.test.ts asks their queries of a Prometheus. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { dashboardJson } from '../../../ops/grafana/dashboard.js';
import { DASHBOARDS } from '../../../ops/grafana/dashboards.js';
import { unknownMetrics } from '../../support/alert-rules.js';
import { grafanaDashboards, queryPanels } from '../../support/grafana.js';

const FOLDER = new URL('../../../ops/grafana/', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, FOLDER), 'utf8');
const FILES = grafanaDashboards();

describe('R65 ops/grafana', () => {
  it('R65 has the dashboards of the table, as `npm run dashboards` writes them', () => {
    expect(FILES.map(({ file }) => file)).toEqual(DASHBOARDS.map(({ name }) => `${name}.json`).sort());
    for (const table of DASHBOARDS) {
      const written = FILES.find(({ file }) => file === `${table.name}.json`)?.dashboard;
      expect(written, `${table.name}: npm run dashboards`).toEqual(JSON.parse(JSON.stringify(dashboardJson(table))));
    }
  });

  it('R65 has a uid of its own for each dashboard, and an id and a title for each panel of one', () => {
    const uids = FILES.map(({ dashboard }) => dashboard.uid);
    expect(new Set(uids).size).toBe(uids.length);
    for (const { dashboard } of FILES) {
      const ids = dashboard.panels.map(({ id }) => id);
      const titles = queryPanels(dashboard).map(({ title }) => title);
      expect(new Set(ids).size).toBe(ids.length);
      expect(new Set(titles).size, dashboard.uid).toBe(titles.length);
      expect(titles.length, dashboard.uid).toBeGreaterThan(10);
    }
  });

  it.each(FILES)('R65 lays out the panels of $file side by side, none over another', ({ dashboard }) => {
    const cells = new Set<string>();
    for (const { title, gridPos } of dashboard.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(cells.has(`${x} ${y}`), title).toBe(false);
          cells.add(`${x} ${y}`);
        }
      }
    }
  });

  it.each(FILES)(
    'R65 gives each panel of $file a unit, a sentence, and the gateways that are chosen',
    ({ dashboard }) => {
      for (const { title, description, fieldConfig, targets } of queryPanels(dashboard)) {
        expect(fieldConfig.defaults.unit, title).toMatch(/^\w+$/);
        expect(description, title).toMatch(/\.$/);
        expect(new Set(targets.map(({ refId }) => refId)).size, title).toBe(targets.length);
        for (const { expr } of targets) {
          expect(expr, title).toContain('instance=~"$instance"');
          expect(expr, title).not.toContain('@');
          expect(unknownMetrics(expr), title).toEqual([]);
        }
      }
    },
  );

  it('R65 names the same datasource, folder and gateways in its provisioning', () => {
    const sources = parse(read('provisioning/datasources/prometheus.yml')) as { datasources: { type: string }[] };
    const { providers } = parse(read('provisioning/dashboards/millrace.yml')) as { providers: { type: string }[] };
    expect(sources.datasources.map(({ type }) => type)).toEqual(['prometheus']);
    expect(providers.map(({ type }) => type)).toEqual(['file']);
    for (const { dashboard } of FILES) {
      expect(dashboard.templating.list.map(({ name }) => name)).toEqual(['datasource', 'node', 'instance']);
    }
  });
});
