import { Command, InvalidArgumentError, Option } from 'commander';
import { openProducts } from '../../auth/products.js';
import { withFiles } from '../../config/settings-files.js';
import { totalsCsv, usersCsv } from '../../journal/usage/csv.js';
import { usageHtml } from '../../journal/usage/html.js';
import type { UsageReport } from '../../journal/usage/report-types.js';
import { reservations } from '../../journal/usage/reservations.js';
import { usageReport } from '../../journal/usage/usage.js';
import { type CalendarMonth, parseMonth } from '../../journal/usage/zoned-days.js';
import { printableJson } from '../../observe/terminal-text.js';
import { reasonOf } from '../failure.js';
import { note, sayDocument } from '../output.js';
import { exitsWith2, journalFolder, subjectIndexes } from './folder.js';

const CLEAN = 0;
const WITH_RESERVATIONS = 1;
const NO_REPORT = 2;

const EXAMPLES = `
Name the journal of every node: the command merges them. If the nodes share the index key of their pseudonyms and
JOURNAL_MASTER_KEY_FILE is set, a user of several nodes counts once; otherwise each pseudonym counts as a user. The same journals and
products give the same bytes. Exits with 0 if the report is written, 1 if it is written but, for example, a journal was changed
(standard error says what), 2 if there is no report. A month that is not over is mentioned, but does not count as a fault.
ops/usage.md explains every figure.

Examples:
  $ millrace journal usage --month 2026-11 --products products.json /var/lib/millrace/journal
  $ millrace journal usage --month 2026-11 --products products.json --format json edge-1/journal edge-2/journal > 2026-11.json
  $ millrace journal usage --month 2026-11 --products products.json --format csv --totals edge-*/journal > totals.csv
  $ millrace journal usage --month 2026-11 --products products.json --format html edge-*/journal > 2026-11.html`;

interface UsageCommandOptions {
  readonly month: CalendarMonth;
  readonly format: 'csv' | 'json' | 'html';
  readonly products?: string;
  readonly totals?: true;
}

/** `millrace journal usage`: who used which product in a month. */
export function usageCommand(): Command {
  return exitsWith2(
    new Command('usage')
      .description('report who used which product in a month, as exchange licences ask')
      .argument('[dir...]', 'folders of the journals, one per node (default: JOURNAL_DIR)')
      .addOption(new Option('--month <month>', 'such as 2026-11').argParser(monthArgument).makeOptionMandatory())
      .addOption(new Option('--format <format>', 'how to print it').choices(['csv', 'json', 'html']).default('csv'))
      .option('--products <file>', 'the products (default: PRODUCTS_FILE)')
      .option('--totals', 'with csv: the totals instead of the users')
      .addHelpText('after', EXAMPLES)
      .action(async (folders: readonly string[], options: UsageCommandOptions) => {
        process.exitCode = await usage(folders, options).catch((cause: unknown) => {
          note(reasonOf(cause));
          return NO_REPORT;
        });
      }),
  );
}

async function usage(given: readonly string[], options: UsageCommandOptions): Promise<number> {
  const { month, format, totals = false } = options;
  const file = options.products ?? withFiles(process.env).PRODUCTS_FILE;
  if (file === undefined) throw new Error('name the products file with --products, or set PRODUCTS_FILE');
  if (totals && format !== 'csv') throw new Error('--totals: only for csv; json and html always have the totals');
  const folders = (given.length === 0 ? [undefined] : given).map(journalFolder);
  const report = await usageReport({
    month,
    products: await openProducts(file),
    folders,
    indexesOf: subjectIndexes,
  });
  sayDocument(textOf(report, format, totals));
  const found = reservations(report);
  for (const line of found) note(line);
  // A month that is not over is no fault of the journals.
  return found.length === (report.complete ? 0 : 1) ? CLEAN : WITH_RESERVATIONS;
}

function textOf(report: UsageReport, format: UsageCommandOptions['format'], totals: boolean): string {
  if (format === 'json') return `${printableJson(JSON.stringify(report, null, 2))}\n`;
  if (format === 'html') return usageHtml(report);
  return totals ? totalsCsv(report) : usersCsv(report);
}

function monthArgument(text: string): CalendarMonth {
  const month = parseMonth(text);
  if (month === undefined) throw new InvalidArgumentError('It must be a month such as 2026-11.');
  return month;
}
