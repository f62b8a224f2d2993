import { Command } from 'commander';

const EXAMPLES = `
Reads the journal of a gateway (JOURNAL_DIR), while it runs or afterwards. ops/journal.md describes the format, the records and
what they prove.

Examples:
  $ millrace journal verify /var/lib/millrace/journal --checkpoints checkpoints.txt
  $ millrace journal query --user alice --from 2026-11-02T10:00:00Z --to 2026-11-02T11:00:00Z
  $ millrace journal reconstruct --connection 5f0c2a91e3d7-2s --topic quotes:AAPL --recording monday.rec
  $ millrace journal usage --month 2026-11 --products products.json /var/lib/millrace/journal`;

/** Loaded on demand, one file each. */
const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ['verify', async () => (await import('./journal/verify.js')).verifyCommand()],
  ['erase', async () => (await import('./journal/erase.js')).eraseCommand()],
  ['hold', async () => (await import('./journal/hold.js')).holdCommand()],
  ['keys', async () => (await import('./journal/keys.js')).keysCommand()],
  ['query', async () => (await import('./journal/query.js')).queryCommand()],
  ['usage', async () => (await import('./journal/usage.js')).usageCommand()],
  ['reconstruct', async () => (await import('./journal/reconstruct.js')).reconstructCommand()],
]);

/** `millrace journal`: what a gateway recorded for auditors. @param asked the command's name; undefined: all */
export async function journalCommand(asked: string | undefined): Promise<Command> {
  const journal = new Command('journal')
    .description('verify, query and report on the journal of a gateway')
    .addHelpText('after', EXAMPLES);
  const load = COMMANDS.get(asked ?? '');
  for (const one of load === undefined ? COMMANDS.values() : [load]) journal.addCommand(await one());
  return journal;
}
