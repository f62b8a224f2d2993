/** `npm run capacity`: what a number of clients takes, on one page. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { askedBy } from './command.js';
import { PlanError } from './plan.js';
import { constantsText, sheetText, withSheets } from './sheet.js';

const DOCUMENT = fileURLToPath(new URL('../capacity.md', import.meta.url));
const EXIT_USAGE = 2;

/** The sheet of a command line in the document. */
function sheetOf(args: readonly string[]): string {
  const { capacity } = askedBy(args);
  return capacity === undefined ? '' : sheetText(capacity);
}

try {
  const { capacity, json, constants, update } = askedBy(process.argv.slice(2));
  if (update) writeFileSync(DOCUMENT, withSheets(readFileSync(DOCUMENT, 'utf8'), sheetOf));
  else if (constants) process.stdout.write(constantsText());
  else if (capacity !== undefined)
    process.stdout.write(json ? `${JSON.stringify(capacity, null, 2)}\n` : sheetText(capacity));
} catch (error) {
  if (!(error instanceof PlanError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = EXIT_USAGE;
}
