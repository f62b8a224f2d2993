/** The outcome of a captured-feed run, as a table. */
import { type Table, tableAsText } from '../report/report.js';
import { type CaptureReport, isRight } from './replay.js';

/** For the terminal. */
export function asText(file: string, report: CaptureReport): string {
  const problems = report.problems.map(problem => `  ${problem}\n`).join('');
  const verdict = isRight(report)
    ? 'Every client held what the exchange said.'
    : `Something is not what the exchange said:\n${problems}`;
  return `${tableAsText(tableOf(file, report))}\n${verdict}\n`;
}

function tableOf(
  file: string,
  { lines, shapes, events, published, refused, checksums, formats }: CaptureReport,
): Table {
  const list = (counts: Iterable<readonly [string, number]>) =>
    [...counts].map(([name, count]) => `${name} ${count}`).join(', ') || 'none';
  const rows = [
    ['lines, by exchange', list(shapes)],
    ['lines', list(Object.entries(lines))],
    ['events', list(Object.entries(events))],
    ['published', String(published)],
    ['refused by the gateway', list(refused)],
    ['checksums', list(Object.entries(checksums))],
    ...formats.flatMap(({ format, topics, positions }) => [
      [`topics, ${format}`, list(Object.entries(topics))],
      [`positions compared, ${format}`, list(Object.entries(positions))],
    ]),
  ];
  return { title: file, columns: ['what', 'how many'], rows };
}
