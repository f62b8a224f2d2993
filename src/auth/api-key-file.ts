/**
 * API keys and the file of their hashes: `{"keys":[{"id","hash","sub","tier","roles","entitlements"?,"firm"?,
 * "professional"?,"use"?,"expires_at"?,"created_at"?}]}`. A key is `mr_<id>_<secret>`, and its hash is the SHA-256 of that
 * whole text.
 *
 * Unlike for passwords, one SHA-256 is enough: the secret is 32 random bytes, so there is no dictionary that a slow
 * hash would have to slow down, and guessing is hopeless at any speed. A slow hash would only let strangers waste the
 * gateway's time with invalid keys.
 */
import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { type FileHandle, open, realpath, rename, stat, unlink } from 'node:fs/promises';
import { z } from 'zod';
import { ConfigError } from '../config/config-error.js';
import { isEntitlement } from '../protocol/entitlement.js';
import { isUser, USER_RULE } from '../protocol/user-subject.js';
import { TIERS } from '../protocol/view-options.js';
import { API_KEY_ID, apiKeyDigest } from './api-key-text.js';
import { FIRM_RULE, isFirm, USES } from './declared-use.js';
import { JSON_FILE_BYTES_MAX, placeOf, readJsonFile } from './json-file.js';

const ID_BYTES = 8;
const SECRET_BYTES = 32;
const HASH = /^sha256:[0-9a-f]{64}$/;
/** A new file is readable by its owner only. */
const FILE_MODE = 0o600;

const time = z.iso.datetime({ offset: true, error: 'must be a time such as 2030-01-31T12:00:00Z (RFC 3339)' });
/** Strict: a misspelt `expires_at` would create a key that never expires. */
const entrySchema = z.strictObject({
  id: z.string().regex(API_KEY_ID, 'must be k_ followed by 1 to 32 letters or digits'),
  hash: z.string().regex(HASH, 'must be sha256: followed by 64 lower-case hexadecimal digits'),
  sub: z.string().refine(isUser, USER_RULE),
  tier: z.enum(TIERS).default('retail'),
  roles: z.array(z.string().min(1)).default([]),
  entitlements: z.array(z.string().refine(isEntitlement, 'must be stream:pattern, such as depth:BTC/*')).optional(),
  firm: z.string().refine(isFirm, FIRM_RULE).optional(),
  professional: z.boolean().optional(),
  use: z.enum(USES).optional(),
  expires_at: time.optional(),
  created_at: time.optional(),
});
const fileSchema = z.strictObject({ keys: z.array(entrySchema) });

/** One key, as the file holds it. */
export type ApiKeyEntry = z.infer<typeof entrySchema>;

/** A new key. `key` is shown once and stored nowhere. */
export interface NewApiKey {
  readonly id: string;
  readonly key: string;
  readonly hash: string;
}

export function newApiKey(): NewApiKey {
  const id = `k_${randomBytes(ID_BYTES).toString('hex')}`;
  const key = `mr_${id}_${randomBytes(SECRET_BYTES).toString('base64url')}`;
  return { id, key, hash: `sha256:${apiKeyDigest(key).toString('hex')}` };
}

/**
 * @param shown how messages refer to the file, such as `AUTH_API_KEYS_FILE="keys.json"`.
 * @throws {ConfigError} beginning with `shown`, naming the invalid entry.
 */
export async function readApiKeyFile(shown: string, path: string): Promise<readonly ApiKeyEntry[]> {
  const parsed = fileSchema.safeParse(await readJsonFile(shown, path));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ConfigError(`${shown}: ${placeOf(issue?.path ?? [])}${issue?.message ?? 'cannot be used'}`);
  }
  const { keys } = parsed.data;
  const ids = new Set<string>();
  for (const [at, { id }] of keys.entries()) {
    if (ids.has(id)) throw new ConfigError(`${shown}: keys[${at}].id: ${id} is there twice`);
    ids.add(id);
  }
  return keys;
}

/**
 * Replaces the file with the entries that `change` returns, atomically; creates it if there is none. The new file is
 * written beside it, which locks out a second command, and then takes its place with the same owner and mode.
 * @param change receives undefined if there is no file; if it throws, the file stays unchanged.
 * @throws {ConfigError} as {@link readApiKeyFile}, and if another command is running or the file would be too long; the
 *   system's error if the file cannot be written.
 */
export async function changeApiKeyFile(
  shown: string,
  path: string,
  change: (entries: readonly ApiKeyEntry[] | undefined) => readonly ApiKeyEntry[],
): Promise<void> {
  const target = (await realpath(path).catch(unlessMissing)) ?? path;
  const temporary = `${target}.new`;
  const handle = await openNew(shown, temporary);
  try {
    const found = await stat(target).catch(unlessMissing);
    const entries = found === undefined ? undefined : await readApiKeyFile(shown, target);
    const text = `${JSON.stringify({ keys: change(entries) }, null, 2)}\n`;
    if (Buffer.byteLength(text) > JSON_FILE_BYTES_MAX) {
      throw new ConfigError(
        `${shown}: would have more than ${JSON_FILE_BYTES_MAX} bytes, which a gateway does not read`,
      );
    }
    await handle.writeFile(text);
    if (found !== undefined) await takeAfter(handle, found);
    await handle.sync();
    await handle.close();
    await rename(temporary, target);
  } catch (error) {
    await handle.close();
    await unlink(temporary);
    throw error;
  }
}

async function openNew(shown: string, temporary: string): Promise<FileHandle> {
  try {
    return await open(temporary, 'wx', FILE_MODE);
  } catch (cause) {
    if (codeOf(cause) !== 'EEXIST') throw cause;
    const message = `${shown}: another command is changing it; if none is running, remove ${temporary}`;
    throw new ConfigError(message, { cause });
  }
}

/** Copies owner and mode: a gateway that runs as another user must be able to read the new file. */
async function takeAfter(handle: FileHandle, found: Stats): Promise<void> {
  const now = await handle.stat();
  if (found.uid !== now.uid || found.gid !== now.gid) await handle.chown(found.uid, found.gid);
  await handle.chmod(found.mode & 0o777);
}

function unlessMissing(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
