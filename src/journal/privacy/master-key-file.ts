/** The file of the master keys: one that the operator names, or one of the journal's own. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { JournalConfig } from '../../config/variables/journal.js';
import { indexKeyPath } from './index-key.js';
import { KEY_BYTES, type MasterKeys, parseMasterKeys } from './key-wrap.js';
import { createSecretFile } from './shared-lines.js';

/** Bytes that a text file has. */
const TEXT = /^[\t\n\r -~]*$/;

/** @throws {Error} when the file cannot be read, or holds no key */
export function readMasterKeys(file: string): MasterKeys {
  return parseMasterKeys(masterKeyText(file));
}

/** The keys as lines of text, also of a file that is one key of 32 bytes, as `head -c 32 /dev/urandom` makes it. @throws {Error} */
export function masterKeyText(file: string): string {
  const bytes = readFileSync(file);
  const isRaw = bytes.length === KEY_BYTES && !TEXT.test(bytes.toString('latin1'));
  return isRaw ? `${bytes.toString('hex')}\n` : bytes.toString('utf8');
}

/**
 * Reads the file that the settings name, or the journal's own, which is made if the journal has no keys yet.
 * @throws {Error} when it cannot be read or made, or was lost
 */
export function masterKeysOf(
  { masterKeyFile: file, hasOwnMasterKey }: Pick<JournalConfig, 'masterKeyFile' | 'hasOwnMasterKey'>,
  keysFolder: string,
): MasterKeys {
  if (hasOwnMasterKey && !isMasterKeyThere(file, keysFolder)) createSecretFile(file, `${newMasterKey()}\n`);
  return readMasterKeys(file);
}

/** @returns true as well when it should be there, because it wraps keys. */
export function isMasterKeyThere(file: string, keysFolder: string): boolean {
  return existsSync(file) || existsSync(indexKeyPath(keysFolder));
}

export const newMasterKey = (): string => randomBytes(KEY_BYTES).toString('hex');
