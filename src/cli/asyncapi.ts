import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { asyncApiDocument } from '../protocol/asyncapi.js';
import { CommandFailure, reasonOf } from './failure.js';
import { sayDocument } from './output.js';

const EXAMPLES = `
Examples:
  $ millrace asyncapi > millrace.asyncapi.json
  $ millrace asyncapi --out src/protocol/asyncapi.json`;

/** `millrace asyncapi`: the protocol as an AsyncAPI document. @param version of the program */
export function asyncApiCommand(version: string): Command {
  return new Command('asyncapi')
    .description('print the AsyncAPI 3.0 document of the protocol')
    .option('--out <file>', 'write it to this file instead')
    .addHelpText('after', EXAMPLES)
    .action(async ({ out }: { readonly out?: string }) => {
      const text = `${JSON.stringify(asyncApiDocument(version), undefined, 2)}\n`;
      if (out === undefined) sayDocument(text);
      else await write(out, text);
    });
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (cause) {
    throw new CommandFailure(`--out: cannot write ${file}: ${reasonOf(cause)}`, { cause });
  }
}
