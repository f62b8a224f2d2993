/** The dashboards of ops/grafana, as Grafana reads them. */
import { readdirSync, readFileSync } from 'node:fs';

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly { readonly refId: string; readonly expr: string }[];
  readonly fieldConfig: { readonly defaults: { readonly unit: string } };
}

interface GrafanaDashboard {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

const FOLDER = new URL('../../ops/grafana/dashboards/', import.meta.url);

interface DashboardFile {
  /** Without its folder. */
  readonly file: string;
  readonly dashboard: GrafanaDashboard;
}

export function grafanaDashboards(): readonly DashboardFile[] {
  const text = (file: string) => readFileSync(new URL(file, FOLDER), 'utf8');
  return readdirSync(FOLDER).map(file => ({ file, dashboard: JSON.parse(text(file)) as GrafanaDashboard }));
}

/** Without the lines that separate rows. */
export function queryPanels({ panels }: GrafanaDashboard): readonly Panel[] {
  return panels.filter(({ type }) => type !== 'row');
}
