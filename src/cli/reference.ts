import { Argument, Command } from 'commander';
import { REFERENCES, writeDocuments } from './documents.js';
import { CommandFailure } from './failure.js';
import { say, sayDocument } from './output.js';

const EXAMPLES = `
Examples:
  $ millrace reference configuration
  $ millrace reference --write .      in a checkout: what npm run docs does`;

/** `millrace reference`: this version's tables of settings, metrics, log events, limits and codes. */
export function referenceCommand(): Command {
  return new Command('reference')
    .description('print this version’s reference of settings, metrics, limits, log events or codes, as Markdown')
    .addArgument(new Argument('[name]', 'which one').choices(Object.keys(REFERENCES)))
    .option('--write <directory>', 'write them into the documents of a checkout instead')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string | undefined, { write }: { readonly write?: string }) => {
      if (write !== undefined) {
        for (const path of await writeDocuments(write)) say(`written: ${path}`);
        return;
      }
      const document = REFERENCES[name ?? ''];
      if (document === undefined) throw new CommandFailure(`name one: ${Object.keys(REFERENCES).join(', ')}`);
      sayDocument(document());
    });
}
