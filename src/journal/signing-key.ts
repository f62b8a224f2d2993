/** The Ed25519 key that signs checkpoints, and its public half, for those who verify them. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeFolder } from './lock.js';
import { createSecretFile } from './privacy/shared-lines.js';

const PUBLIC_MODE = 0o644;
/** In `JOURNAL_DIR`. */
const KEY_FILE = 'checkpoint.key.pem';
const PUBLIC_FILE = 'checkpoint.pub.pem';

interface SigningKey {
  readonly key: KeyObject;
  readonly publicPem: string;
  readonly publicFile: string;
  /** Made now: its public half has to be kept elsewhere. */
  readonly isNew: boolean;
}

/**
 * Reads the key, or makes one; writes the public key to the folder.
 * @param folder `JOURNAL_DIR`. @param file `JOURNAL_SIGNING_KEY_FILE`; undefined: in the folder
 * @throws {Error} when it cannot be read or made, or is no Ed25519 key
 */
export function openSigningKey(folder: string, file: string | undefined): SigningKey {
  const path = file ?? join(folder, KEY_FILE);
  makeFolder(folder);
  const isNew = makeKey(path);
  const key = createPrivateKey(readFileSync(path));
  if (key.asymmetricKeyType !== 'ed25519') throw new Error(`${path} is not an Ed25519 key in PEM format`);
  const publicPem = createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();
  const publicFile = join(folder, PUBLIC_FILE);
  writeFileSync(publicFile, publicPem, { mode: PUBLIC_MODE });
  return { key, publicPem, publicFile, isNew };
}

/** @returns false when there is one already */
function makeKey(path: string): boolean {
  if (existsSync(path)) return false;
  makeFolder(dirname(path));
  const { privateKey } = generateKeyPairSync('ed25519');
  return createSecretFile(path, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
}
