/** The files of a run: everything in one JSON file, and per suite a Markdown table, JSON and plots; reading them back. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { asMarkdown, plotFile, type RunReport, type SuiteReport } from './report.js';

/** `run` as one JSON file; folders on the way are made. */
export function writeRun(file: string, run: RunReport): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, asJson({ ...run, suites: run.suites.map(withoutPlots) }));
}

/** `<suite>.md`, `<suite>.json` and `<suite>-<plot>.svg` of one suite of `run`. */
export function writeSuite(folder: string, report: SuiteReport, run: RunReport): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${report.suite}.md`), asMarkdown(report, run));
  writeFileSync(join(folder, `${report.suite}.json`), asJson({ ...run, suites: [withoutPlots(report)] }));
  for (const plot of report.plots ?? []) writeFileSync(join(folder, plotFile(report, plot)), plot.svg);
}

/** @throws {Error} saying why `file` holds no earlier run. */
export function readRun(file: string): RunReport {
  try {
    const run = JSON.parse(readFileSync(file, 'utf8')) as RunReport;
    if (Array.isArray(run.suites) && typeof run.machine === 'object') return run;
  } catch (cause) {
    throw new Error(`${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  throw new Error(`${file} was not written by npm run bench`);
}

/** Plots are files of their own: JSON holds the figures that they show. */
function withoutPlots({ plots, ...report }: SuiteReport): SuiteReport {
  return report;
}

function asJson(run: RunReport): string {
  return `${JSON.stringify(run, null, 2)}\n`;
}
