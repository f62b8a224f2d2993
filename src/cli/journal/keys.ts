import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { withFiles } from '../../config/settings-files.js';
import { OWN_MASTER_KEY } from '../../config/variables/journal.js';
import { parseMasterKeys } from '../../journal/privacy/key-wrap.js';
import { masterKeyText, newMasterKey } from '../../journal/privacy/master-key-file.js';
import { replaceSecretFile } from '../../journal/privacy/shared-lines.js';
import { CommandFailure, reasonOf } from '../failure.js';
import { note, say } from '../output.js';
import { folderArgument, OwnKeys } from './own-keys.js';

const EXAMPLES = `
The master key wraps the keys of all pseudonyms. Without it, no record can be attributed again, and the gateway does not start: keep a
copy elsewhere. To rotate it, run new, then run rotate on every node that uses the file, then remove the older lines from the file. All
of this works while the gateway runs.

Examples:
  $ millrace journal keys new master.key
  $ millrace journal keys rotate
  $ millrace journal keys list`;

/** `millrace journal keys`: the master key. */
export function keysCommand(): Command {
  return new Command('keys')
    .description('create, rotate and list the master keys of pseudonyms')
    .addCommand(newCommand())
    .addCommand(rotateCommand())
    .addCommand(listCommand())
    .addHelpText('after', EXAMPLES);
}

function newCommand(): Command {
  return new Command('new')
    .description('write a new master key to a file, in front of any older ones')
    .argument('[file]', 'the file, created with mode 600 (default: JOURNAL_MASTER_KEY_FILE)')
    .action((given: string | undefined) => {
      const file = given ?? usualFile();
      const older = existsSync(file) ? contentOf(file) : '';
      const text = `${newMasterKey()}\n${older}`;
      try {
        replaceSecretFile(file, text);
      } catch (cause) {
        throw new CommandFailure(`${file}: cannot be written (${reasonOf(cause)})`, { cause });
      }
      say(`${parseMasterKeys(text)[0].id} is in ${file}`);
      note(
        older === ''
          ? 'Keep a copy elsewhere: without it, no record can be attributed again, and the gateway does not start.'
          : 'Next: millrace journal keys rotate, on every node. Keep a copy of the file elsewhere.',
      );
    });
}

/** As the gateway finds it. @throws {CommandFailure} when neither setting names it */
function usualFile(): string {
  const { JOURNAL_MASTER_KEY_FILE: file, JOURNAL_DIR: folder } = withFiles(process.env);
  if (file !== undefined) return file;
  if (folder === undefined) throw new CommandFailure('name the file, or set JOURNAL_MASTER_KEY_FILE');
  return join(folder, OWN_MASTER_KEY);
}

/** @throws {CommandFailure} when it has no master keys */
function contentOf(file: string): string {
  try {
    const text = masterKeyText(file);
    parseMasterKeys(text);
    return text;
  } catch (cause) {
    throw new CommandFailure(`${file}: is no file of master keys (${reasonOf(cause)})`, { cause });
  }
}

function rotateCommand(): Command {
  const command = new Command('rotate').description('wrap all keys with the first master key of the file');
  return command.addArgument(folderArgument()).action(async (given: string | undefined) => {
    const own = new OwnKeys(given);
    await own.change(() => own.keys.rotate());
    const [first, ...older] = own.keys.masterIds;
    own.record({ what: 'journal_rotate', detail: first, result: 'done' });
    own.keys.close();
    say(`${own.keys.size} keys are wrapped by ${first}`);
    if (older.length > 0) {
      note(`Once every node is rotated, remove the older lines (${older.join(', ')}) from the file and its copies.`);
    }
  });
}

function listCommand(): Command {
  const command = new Command('list').description('list the master keys and how many keys each one wraps');
  return command.addArgument(folderArgument()).action((given: string | undefined) => {
    const { keys } = new OwnKeys(given);
    const counts = new Map<string, number>();
    let held = 0;
    for (const { key, held: reason } of keys.subjects) {
      const [id = ''] = key.split('.');
      counts.set(id, (counts.get(id) ?? 0) + 1);
      if (reason !== undefined) held++;
    }
    for (const [i, id] of keys.masterIds.entries()) {
      say(`${id}  wraps ${counts.get(id) ?? 0} keys${i === 0 ? ' and all new ones' : ''}`);
    }
    say(`${keys.size} users and addresses have a key, ${held} of them held`);
    keys.close();
  });
}
