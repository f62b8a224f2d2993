/** What the commands on a journal share: its folder, the keys of its pseudonyms, times. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { withFiles } from '../../config/settings-files.js';
import { OWN_MASTER_KEY } from '../../config/variables/journal.js';
import { KEYS_FOLDER } from '../../journal/privacy/key-wrap.js';
import { readMasterKeys } from '../../journal/privacy/master-key-file.js';
import { SubjectKeys } from '../../journal/privacy/subject-keys.js';
import { WallClock } from '../../protocol/wall-clock.js';
import { CommandFailure, reasonOf } from '../failure.js';

const PSEUDONYM = /^[ua]_[\w-]{22}$/;

/** Wrong arguments exit with 2, so that a script can tell them from what the command found. */
export function exitsWith2(command: Command): Command {
  return command.exitOverride(error => process.exit(error.exitCode === 0 ? 0 : 2));
}

/** @param given the argument; undefined: JOURNAL_DIR. @throws {CommandFailure} when there is neither */
export function journalFolder(given: string | undefined): string {
  const folder = given ?? withFiles(process.env).JOURNAL_DIR;
  if (folder === undefined || folder === '')
    throw new CommandFailure('name the folder of the journal, or set JOURNAL_DIR');
  if (!existsSync(folder)) throw new CommandFailure(`${folder} does not exist`);
  return folder;
}

/**
 * The pseudonym of a user in this journal.
 * @param user a raw id, looked up with the master key, or a pseudonym, taken as it is
 * @throws {CommandFailure} when the journal has none, or the key does not open its keys
 */
export function pseudonymOf(folder: string, user: string): string {
  if (PSEUDONYM.test(user)) return user;
  const file = masterKeyFileOf(folder);
  if (file === undefined) {
    throw new CommandFailure('set JOURNAL_MASTER_KEY_FILE to look up a user by id, or give the pseudonym (u_…)');
  }
  const keys = join(folder, KEYS_FOLDER);
  // SubjectKeys would create keys in a folder without any.
  const known = existsSync(keys) ? openKeys(keys, file).known('user', user) : undefined;
  if (known === undefined) throw new CommandFailure('the journal knows no such user, or the user was erased');
  return known;
}

/**
 * The indexes of a journal's subjects by pseudonym, opened with the master key; undefined without it or the keys.
 * @throws {CommandFailure} when the key does not open them
 */
export function subjectIndexes(folder: string): ReadonlyMap<string, string> | undefined {
  const file = masterKeyFileOf(folder);
  const path = join(folder, KEYS_FOLDER);
  if (file === undefined || !existsSync(path)) return undefined;
  const keys = openKeys(path, file);
  try {
    return new Map([...keys.indexes('user'), ...keys.indexes('address')]);
  } finally {
    keys.close();
  }
}

/** JOURNAL_MASTER_KEY_FILE, or the file that the journal keeps itself; undefined without either. */
function masterKeyFileOf(folder: string): string | undefined {
  const own = join(folder, OWN_MASTER_KEY);
  return withFiles(process.env).JOURNAL_MASTER_KEY_FILE ?? (existsSync(own) ? own : undefined);
}

function openKeys(keys: string, masterKeyFile: string): SubjectKeys {
  const clock = new WallClock();
  try {
    return new SubjectKeys({
      folder: keys,
      masters: () => readMasterKeys(masterKeyFile),
      nowMs: () => clock.nowMicros() / 1000,
    });
  } catch (cause) {
    throw new CommandFailure(`master key ${masterKeyFile}: ${reasonOf(cause)}`, { cause });
  }
}

/** An RFC 3339 time, or µs since the Unix epoch as records have it. @returns µs */
export function microsArgument(text: string): number {
  const micros = /^\d{15,17}$/.test(text) ? Number(text) : Date.parse(text) * 1000;
  if (!Number.isFinite(micros)) {
    throw new InvalidArgumentError('It must be a time such as 2026-11-02T10:00:00Z, or µs as in a record.');
  }
  return micros;
}
