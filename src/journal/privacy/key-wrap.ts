/**
 * The master keys, and the keys that they wrap: AES-256-GCM, with what the key is for as associated data, so that one wrapped
 * key cannot stand in for another.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

export const KEY_BYTES = 32;
/** Of the keys of pseudonyms, in the folder of the journal. */
export const KEYS_FOLDER = 'keys';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';
/** Identifies a master key without telling it. */
const ID_CHARACTERS = 8;
const HEX_KEY = /^[0-9a-f]{64}$/i;

export interface MasterKey {
  readonly id: string;
  readonly key: Buffer;
}

/** The first one wraps. */
export type MasterKeys = readonly [MasterKey, ...MasterKey[]];

/**
 * @param text the master key file: one key a line, as 64 hexadecimal digits or 44 characters of base64. The first one wraps; the
 *   others unwrap what was wrapped before a rotation.
 * @throws {RangeError} when a line is no key, or there is none
 */
export function parseMasterKeys(text: string): MasterKeys {
  const lines = text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '' && !line.startsWith('#'));
  const [first, ...older] = lines.map(line => {
    const key = Buffer.from(line, HEX_KEY.test(line) ? 'hex' : 'base64');
    if (key.length !== KEY_BYTES)
      throw new RangeError('a master key is 32 bytes, as 64 hexadecimal digits or in base64');
    const id = createHash('sha256').update('millrace master key').update(key).digest('hex').slice(0, ID_CHARACTERS);
    return { id, key };
  });
  if (first === undefined) throw new RangeError('there is no master key in the file');
  return [first, ...older];
}

/** @param use what the key is for. @returns `<id of the master key>.<base64url>` */
export function wrapKey(key: Buffer, use: string, { id, key: master }: MasterKey): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, master, nonce).setAAD(Buffer.from(use));
  const wrapped = Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
  return `${id}.${wrapped.toString('base64url')}`;
}

/** @returns undefined when none of these master keys wrapped it for this use */
export function unwrapKey(wrapped: string, use: string, masters: readonly MasterKey[]): Buffer | undefined {
  const [id, base64 = ''] = wrapped.split('.');
  const master = masters.find(one => one.id === id);
  const bytes = Buffer.from(base64, 'base64url');
  if (master === undefined || bytes.length !== NONCE_BYTES + KEY_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv(CIPHER, master.key, bytes.subarray(0, NONCE_BYTES)).setAAD(Buffer.from(use));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}
