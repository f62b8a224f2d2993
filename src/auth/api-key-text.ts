/** API keys as texts: their format, ids and digests. Separate from the file reader, which not every thread needs. */
import { createHash } from 'node:crypto';

/**
 * The secret is always 43 characters of Base64url, and an id has no `_` after its prefix: a key splits in only one way.
 */
const API_KEY = /^mr_(k_[0-9A-Za-z]{1,32})_[\w-]{43}$/;
export const API_KEY_ID = /^k_[0-9A-Za-z]{1,32}$/;

export function apiKeyDigest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** The id of a key, or an id itself; undefined for any other text. */
export function apiKeyIdOf(text: string): string | undefined {
  return API_KEY_ID.test(text) ? text : idOfKey(text);
}

/** The id within a whole key; undefined for any other text. */
export function idOfKey(key: string): string | undefined {
  return API_KEY.exec(key)?.[1];
}
