/** What every suite hands back, and how it is shown: text for the terminal, Markdown and JSON for files. */
import { cpus, loadavg } from 'node:os';

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** One figure over the rounds of a run, for comparing runs. */
export interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  readonly samples: readonly number[];
}

/** A requirement, and whether this run met it. */
export interface Goal {
  /** Row of the requirements, e.g. `R50`. */
  readonly row: string;
  readonly text: string;
  readonly measured: number;
  readonly met: boolean;
}

/** A plot, drawn by {@link barChart} or {@link lineChart}; written to `<suite>-<name>.svg`. */
export interface Plot {
  /** Part of a file name: lower case, digits and hyphens. */
  readonly name: string;
  readonly title: string;
  readonly svg: string;
}

export interface SuiteReport {
  readonly suite: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly tables: readonly Table[];
  readonly goals: readonly Goal[];
  readonly metrics: readonly Metric[];
  readonly plots?: readonly Plot[];
  /** What a reader must know to judge the figures. */
  readonly notes: readonly string[];
  /** Everything measured, round by round. */
  readonly rounds: readonly unknown[];
}

/** A run of one or several suites, as it is written to a JSON file. */
export interface RunReport {
  readonly startedAt: string;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly suites: readonly SuiteReport[];
}

/** The machine, as far as it explains figures. */
export function describeMachine(): RunReport['machine'] {
  const processors = cpus();
  return {
    cores: processors.length,
    processor: processors[0]?.model ?? 'unknown',
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    loadAverage1m: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}

/** For the terminal: aligned columns. */
export function asText(report: SuiteReport): string {
  const tables = report.tables.map(tableAsText);
  const goals = report.goals.map(goal => `${goalWord(goal)}  ${goal.row}: ${goal.text}`);
  const notes = report.notes.map(note => `note: ${note}`);
  return [...tables, [...goals, ...notes].join('\n')].filter(part => part !== '').join('\n\n');
}

/** Name of the file that a plot is written to. */
export function plotFile(report: SuiteReport, plot: Plot): string {
  return `${report.suite}-${plot.name}.svg`;
}

/** One suite's section of a Markdown report. */
export function asMarkdown(report: SuiteReport, run: Pick<RunReport, 'startedAt' | 'machine'>): string {
  const { machine } = run;
  const settings = Object.entries(report.settings).map(([name, value]) => `${name} ${shown(value)}`);
  const tables = report.tables.map(table =>
    [`### ${table.title}`, '', row(table.columns), row(table.columns.map(() => '---')), ...table.rows.map(row)].join(
      '\n',
    ),
  );
  const goals = report.goals.map(goal => `- **${goalWord(goal)}** ${goal.row}: ${goal.text}`);
  const about = `${run.startedAt} · ${machine.cores} × ${machine.processor} · ${machine.platform} · Node ${machine.node}`;
  const notes = report.notes.map(note => `- ${note}`);
  const plots = (report.plots ?? []).map(plot => `![${plot.title}](${plotFile(report, plot)})`);
  const parts = [
    `## ${report.suite}`,
    about,
    `Settings: ${settings.join(', ')}`,
    ...plots,
    ...tables,
    goals.join('\n'),
    notes.join('\n'),
  ];
  return `${parts.filter(part => part !== '').join('\n\n')}\n`;
}

/** One table for the terminal. */
export function tableAsText(table: Table): string {
  return `${table.title}\n${aligned(table)}`;
}

function goalWord(goal: Goal): string {
  return goal.met ? 'PASS' : 'MISS';
}

function shown(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function aligned(table: Table): string {
  const lines = [table.columns, ...table.rows];
  const widths = table.columns.map((_, column) => Math.max(...lines.map(line => line[column]?.length ?? 0)));
  const pad = (cell: string, column: number): string =>
    column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return lines.map(line => `  ${line.map(pad).join('  ')}`).join('\n');
}
