import { readdirSync, readFileSync } from 'node:fs';
import { Command } from 'commander';
import { CommandFailure } from './failure.js';
import { sayDocument, sayLines } from './output.js';

/** Next to the protocol's modules, in the sources as in the build. */
const FOLDER = new URL('../protocol/vectors/', import.meta.url);
const EXTENSION = '.json';

const EXAMPLES = `
Examples:
  $ millrace vectors --list
  $ millrace vectors losses > losses.json
  $ millrace vectors > vectors.json          all of them, as one array of files

Each case contains the published messages (payloads in hex), the frames that a subscribed client gets in both formats, and the
expected result: documents, checksums, positions, stale topics, and what the client reports.`;

/** `millrace vectors [name…]`: the protocol's test vectors, for clients in other languages. */
export function vectorsCommand(): Command {
  return new Command('vectors')
    .description('print the test vectors of the protocol as JSON')
    .argument('[name...]', 'which files; all of them by default')
    .option('--list', 'print the names of the files instead')
    .addHelpText('after', EXAMPLES)
    .action((asked: readonly string[], { list = false }: { readonly list?: boolean }) => {
      const names = vectorNames();
      if (list) sayLines(`${names.join('\n')}\n`);
      else sayDocument(textOf(asked.length === 0 ? names : asked, names));
    });
}

/**
 * One file as it is, several as an array. Nothing is parsed: numbers in them may have more digits than JavaScript
 * holds.
 */
function textOf(asked: readonly string[], names: readonly string[]): string {
  const unknown = asked.filter(name => !names.includes(name));
  if (unknown.length > 0) {
    throw new CommandFailure(`no vectors called ${unknown.join(', ')}; there are ${names.join(', ')}`);
  }
  const texts = asked.map(name => readFileSync(new URL(name + EXTENSION, FOLDER), 'utf8').trimEnd());
  return texts.length === 1 ? `${texts[0]}\n` : `[${texts.join(',\n')}]\n`;
}

function vectorNames(): string[] {
  const files = readdirSync(FOLDER).filter(file => file.endsWith(EXTENSION));
  return files.map(file => file.slice(0, -EXTENSION.length)).sort();
}
