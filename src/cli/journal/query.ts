import { Command, Option } from 'commander';
import { type ReadRecord, recordsInTime } from '../../journal/read.js';
import { RecordFilter, readPeriodOf, type Selection } from '../../journal/record-filter.js';
import { CommandFailure, reasonOf } from '../failure.js';
import { sayJson } from '../output.js';
import { exitsWith2, journalFolder, microsArgument, pseudonymOf } from './folder.js';

const EXAMPLES = `
Prints records as JSON lines in order of time, from complete and open segments. --user selects the records that name the user, and all
records of the user's connections; with the master key, it takes the user's id. Messages to many clients are recorded once
per view (kind emit), not per connection: use journal reconstruct for what one connection was sent.

Examples:
  $ millrace journal query /var/lib/millrace/journal --connection 5f0c2a91e3d7-2s
  $ JOURNAL_MASTER_KEY_FILE=master.key millrace journal query journal --user alice --from 2026-11-02T10:00:00Z
  $ millrace journal query journal --kind refused,closed | jq -c '[.t, .code, .reason]'`;

interface QueryOptions {
  readonly connection?: string;
  readonly user?: string;
  readonly from?: number;
  readonly to?: number;
  readonly kind?: readonly string[];
}

/** `millrace journal query`: records of a journal, as JSON lines. */
export function queryCommand(): Command {
  return exitsWith2(
    new Command('query')
      .description('print records of a journal: of a connection, a user, a period or a kind')
      .argument('[dir]', 'folder of the journal (default: JOURNAL_DIR)')
      .option('--connection <id>', 'of this connection, as in the header Millrace-Connection')
      .option('--user <id>', 'of this user: a raw id, or a pseudonym (u_…)')
      .addOption(new Option('--from <time>', 'at this time or later').argParser(microsArgument))
      .addOption(new Option('--to <time>', 'at this time or earlier').argParser(microsArgument))
      .addOption(new Option('--kind <kinds>', 'of these kinds, separated by commas').argParser(text => text.split(',')))
      .addHelpText('after', EXAMPLES)
      .action(query),
  );
}

async function query(given: string | undefined, { connection, user, from, to, kind }: QueryOptions): Promise<void> {
  const folder = journalFolder(given);
  const selection: Selection = {
    connection,
    user: user === undefined ? undefined : pseudonymOf(folder, user),
    kinds: kind === undefined ? undefined : new Set(kind),
    period: { from: from ?? 0, to: to ?? Number.POSITIVE_INFINITY },
  };
  const select = () => {
    const filter = new RecordFilter(selection);
    return (read: ReadRecord) => filter.takes(read);
  };
  try {
    for await (const { line } of recordsInTime(folder, select, readPeriodOf(selection))) {
      await sayJson(line.toString('utf8'));
    }
  } catch (cause) {
    throw new CommandFailure(`${folder}: ${reasonOf(cause)}`, { cause });
  }
}
