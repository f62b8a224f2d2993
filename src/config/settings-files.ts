/**
 * Settings in files: SETTINGS_FILE holds any of them, and each secret may stand in a file of its own, such as
 * AUTH_JWT_SECRET_FILE. Read at the start and on SIGHUP.
 */
import { readFileSync, statSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { ConfigError } from './config-error.js';
import { type Environment, givenText } from './given-text.js';
import { SECRETS_IN_FILES, secretFileName } from './settings-table.js';

/** Longer files are refused unread. */
const FILE_BYTES_MAX = 256 * 1024;

/**
 * The environment, with the settings of SETTINGS_FILE where it sets none, and with the secrets of all `…_FILE`.
 * @throws {ConfigError} naming every variable whose file is unusable, one per line.
 */
export function withFiles(env: Environment): Environment {
  const problems: string[] = [];
  const read = (name: string, file: string): string | undefined => {
    try {
      return textOf(file);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      problems.push(`${name}=${JSON.stringify(file)}: cannot be read (${why})`);
      return undefined;
    }
  };
  const file = givenText(env, 'SETTINGS_FILE');
  const lines = file === undefined ? '' : read('SETTINGS_FILE', file);
  const all: Record<string, string | undefined> = parseEnv(lines ?? '');
  if (all.SETTINGS_FILE !== undefined) problems.push('SETTINGS_FILE: cannot be set in such a file');
  for (const name of Object.keys(env)) all[name] = givenText(env, name) ?? all[name];
  for (const secret of SECRETS_IN_FILES) {
    const name = secretFileName(secret);
    const path = givenText(all, name);
    if (path === undefined) continue;
    if (givenText(all, secret) !== undefined) problems.push(`${secret}, ${name}: set only one of them`);
    // Editors and `echo` end a file with a line end, which is not part of the secret.
    const text = read(name, path)?.replace(/\r?\n$/, '');
    if (text === '') problems.push(`${name}=${JSON.stringify(path)}: is empty`);
    all[secret] = text;
  }
  if (problems.length > 0) throw new ConfigError(problems.join('\n'));
  return all;
}

/** The files that hold settings, by variable. */
export function settingsFiles(env: Environment): Readonly<Record<string, string>> {
  const names = ['SETTINGS_FILE', ...[...SECRETS_IN_FILES].map(secretFileName)];
  return Object.fromEntries(
    names.flatMap(name => {
      const file = givenText(env, name);
      return file === undefined ? [] : [[name, file]];
    }),
  );
}

/** True for a SETTINGS_FILE that sets a secret, for one with an `@`, as in an address with a password, and for one that cannot be read. */
export function holdsSecrets(file: string): boolean {
  try {
    return Object.entries(parseEnv(textOf(file))).some(
      ([name, value]) => SECRETS_IN_FILES.has(name) || value?.includes('@'),
    );
  } catch {
    return true;
  }
}

function textOf(file: string): string {
  const { size } = statSync(file);
  if (size > FILE_BYTES_MAX) throw new Error(`it has ${size} bytes; at most ${FILE_BYTES_MAX} are allowed`);
  return readFileSync(file, 'utf8');
}
