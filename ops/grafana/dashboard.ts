/** A dashboard in a few words, and as the JSON that Grafana reads. */

/** Grafana's names of units. */
type Unit = 's' | 'bytes' | 'Bps' | 'cps' | 'short' | 'percentunit';

/** `@` in an expression stands for the matchers of the gateways that are chosen at the top of the dashboard. */
export type Query = readonly [expression: string, legend: string];

interface Panel {
  readonly title: string;
  /** What to read from it: one sentence, shown at the (i) of the panel. */
  readonly about: string;
  readonly unit: Unit;
  readonly queries: readonly Query[];
  /** `graph` over time unless told otherwise; `number` is the last value, large; `bars` are the last values side by side. */
  readonly kind?: 'graph' | 'number' | 'bars';
  /** From this value on the panel is red; a graph draws the line. */
  readonly alertAt?: number;
  /** Below this value it is red: for what should be high. */
  readonly alertBelow?: number;
  /** Of 24 columns; 8 for a graph, 4 for a number, unless told otherwise. */
  readonly width?: number;
  readonly stacked?: boolean;
}

interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export interface Dashboard {
  /** The name of its file, and after `millrace-` its uid: links to it last. */
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly rows: readonly Row[];
}

/** As written by Grafana 10.4 and newer, which read it without a migration. */
const SCHEMA_VERSION = 39;
const COLUMNS = 24;
const HEIGHT = { graph: 8, bars: 8, number: 4 } as const;
const WIDTH = { graph: 8, bars: 8, number: 4 } as const;
const DATASOURCE = { type: 'prometheus', uid: '$datasource' } as const;
const CHOSEN = 'instance=~"$instance"';
const TAG = 'millrace';

/** The JSON of a dashboard, for a file that Grafana is provisioned with. */
export function dashboardJson({ name, title, about, rows }: Dashboard): Record<string, unknown> {
  return {
    uid: `${TAG}-${name}`,
    title: `Millrace: ${title}`,
    description: about,
    tags: [TAG],
    schemaVersion: SCHEMA_VERSION,
    version: 1,
    editable: false,
    graphTooltip: 1,
    refresh: '10s',
    time: { from: 'now-1h', to: 'now' },
    timezone: '',
    links: [
      { type: 'dashboards', title: 'Millrace', tags: [TAG], asDropdown: true, keepTime: true, includeVars: true },
    ],
    templating: { list: variables() },
    annotations: { list: [firingAlerts()] },
    panels: panelsOf(rows),
  };
}

function variables(): object[] {
  const series = { type: 'query', datasource: DATASOURCE, refresh: 2, sort: 1, multi: true, includeAll: true };
  const query = (text: string) => ({ query: { query: text, refId: text }, definition: text });
  const all = { text: 'All', value: '$__all' };
  return [
    { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus', refresh: 1, current: {} },
    { name: 'node', label: 'Gateway', ...series, ...query('label_values(millrace_build_info, node)'), current: all },
    {
      name: 'instance',
      label: 'Admin port',
      ...series,
      ...query('label_values(millrace_build_info{node=~"$node"}, instance)'),
      current: all,
    },
  ];
}

function firingAlerts(): object {
  return {
    name: 'Alerts',
    enable: true,
    iconColor: 'red',
    datasource: DATASOURCE,
    expr: expressionOf('ALERTS{alertname=~"Millrace.+",alertstate="firing",@}'),
    titleFormat: '{{alertname}}',
    textFormat: '{{instance}}',
    useValueForTime: false,
    step: '30s',
  };
}

/** Rows under one another; the panels of a row side by side, and in further lines where they do not fit. */
function panelsOf(rows: readonly Row[]): object[] {
  const panels: object[] = [];
  let y = 0;
  for (const row of rows) {
    const line = { x: 0, y, w: COLUMNS, h: 1 };
    panels.push({ id: panels.length + 1, type: 'row', title: row.title, collapsed: false, gridPos: line, panels: [] });
    y++;
    let x = 0;
    let lineHeight = 0;
    for (const panel of row.panels) {
      const kind = panel.kind ?? 'graph';
      const [w, h] = [panel.width ?? WIDTH[kind], HEIGHT[kind]];
      if (x + w > COLUMNS) {
        y += lineHeight;
        x = 0;
        lineHeight = 0;
      }
      panels.push({ id: panels.length + 1, ...panelJson(panel), gridPos: { x, y, w, h } });
      x += w;
      lineHeight = Math.max(lineHeight, h);
    }
    y += lineHeight;
  }
  return panels;
}

const TYPES = { graph: 'timeseries', number: 'stat', bars: 'bargauge' } as const;

function panelJson(panel: Panel): Record<string, unknown> {
  const kind = panel.kind ?? 'graph';
  return {
    type: TYPES[kind],
    title: panel.title,
    description: panel.about,
    datasource: DATASOURCE,
    targets: panel.queries.map(([expression, legend], n) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + n),
      datasource: DATASOURCE,
      expr: expressionOf(expression),
      legendFormat: legend,
      ...(kind === 'graph' ? { range: true } : { instant: true }),
    })),
    fieldConfig: { defaults: fieldDefaults(panel), overrides: [] },
    options: OPTIONS[kind],
  };
}

const LAST_VALUE = { reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false }, orientation: 'auto' };
const OPTIONS = {
  graph: {
    legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] },
    tooltip: { mode: 'multi', sort: 'desc' },
  },
  number: { ...LAST_VALUE, colorMode: 'value', graphMode: 'area', justifyMode: 'auto', textMode: 'auto' },
  bars: { ...LAST_VALUE, orientation: 'horizontal', displayMode: 'basic', showUnfilled: true },
} as const;

function fieldDefaults({ unit, kind = 'graph', alertAt, alertBelow, stacked = false }: Panel): object {
  const thresholds = { mode: 'absolute', steps: thresholdSteps(alertAt, alertBelow) };
  const hasThreshold = thresholds.steps.length > 1;
  if (kind !== 'graph') return { unit, min: 0, thresholds, color: { mode: 'thresholds' } };
  return {
    unit,
    min: 0,
    thresholds,
    color: { mode: 'palette-classic' },
    custom: {
      drawStyle: 'line',
      lineWidth: 1,
      fillOpacity: stacked ? 40 : 10,
      showPoints: 'never',
      spanNulls: false,
      stacking: { mode: stacked ? 'normal' : 'none', group: 'A' },
      thresholdsStyle: { mode: hasThreshold ? 'line' : 'off' },
    },
  };
}

function thresholdSteps(alertAt: number | undefined, alertBelow: number | undefined): object[] {
  if (alertBelow !== undefined)
    return [
      { color: 'red', value: null },
      { color: 'green', value: alertBelow },
    ];
  return [{ color: 'green', value: null }, ...(alertAt === undefined ? [] : [{ color: 'red', value: alertAt }])];
}

const expressionOf = (expression: string): string => expression.replaceAll('@', CHOSEN);
