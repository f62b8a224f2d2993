/** The key that finds the key of a subject who returns, wrapped by a master key in a file of its own. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KEY_BYTES, type MasterKey, type MasterKeys, unwrapKey, wrapKey } from './key-wrap.js';
import { createSecretFile, replaceSecretFile } from './shared-lines.js';

const INDEX_FILE = 'index.key';
const USE = 'index';

export const indexKeyPath = (folder: string): string => join(folder, INDEX_FILE);

/** Reads the key of a folder, or makes it. @throws {Error} when the master key is not that of the folder */
export function openIndexKey(folder: string, masters: MasterKeys): Buffer {
  const path = indexKeyPath(folder);
  if (!existsSync(path)) createSecretFile(path, `${wrapKey(randomBytes(KEY_BYTES), USE, masters[0])}\n`);
  return read(path, masters);
}

/** Checks that the master keys are those of a folder, if it has keys. @throws {Error} when they are not */
export function checkMasterKeys(folder: string, masters: MasterKeys): void {
  const path = indexKeyPath(folder);
  if (existsSync(path)) read(path, masters);
}

/** Wraps the key by another master key. */
export function wrapIndexKey(folder: string, key: Buffer, master: MasterKey): void {
  replaceSecretFile(indexKeyPath(folder), `${wrapKey(key, USE, master)}\n`);
}

function read(path: string, masters: MasterKeys): Buffer {
  const wrapped = readFileSync(path, 'utf8').trim();
  const key = unwrapKey(wrapped, USE, masters);
  if (key !== undefined) return key;
  const own = masters.map(({ id }) => id).join(', ');
  throw new Error(
    `${path} is wrapped by the master key ${wrapped.split('.')[0]}; the file has ${own}. Restore it from its copy`,
  );
}
