import { createHash } from 'node:crypto';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type NewApiKey, newApiKey } from '../../../src/auth/api-key-file.js';
import { type ApiKeyReload, openApiKeys } from '../../../src/auth/api-keys.js';
import type { Credential } from '../../../src/auth/credential.js';
import { ConfigError } from '../../../src/config/config-error.js';
import { until } from '../../support/until.js';

const NOW_MS = Date.parse('2030-01-01T00:00:00Z');
const POLL_MS = 5;

let directory = '';
let file = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-keys-'));
  file = join(directory, 'keys.json');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const entryOf = ({ id, hash }: NewApiKey, more: object = {}) => ({
  ...{ id, hash, sub: 'desk-7', tier: 'institutional', roles: ['trader'], created_at: '2029-12-31T23:59:59Z' },
  ...more,
});
const write = (...keys: readonly object[]) => writeFile(file, JSON.stringify({ keys }));
/** At once, as the command line does it: nobody reads half of it. */
async function replace(path: string, ...keys: readonly object[]): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify({ keys }));
  await rename(`${path}.new`, path);
}
const refused = (reason: string) => ({ ok: false, code: 'unauthorized', reason });

function accepted(result: { readonly ok: boolean; readonly credential?: Credential }): Credential {
  if (result.credential === undefined) throw new Error('refused');
  return result.credential;
}

describe('R74 an API key', () => {
  it('R74 declares the firm and the use of its holder', async () => {
    const key = newApiKey();
    await write(entryOf(key, { firm: 'Acme', professional: true, use: 'non-display' }));
    const credential = accepted((await openApiKeys(file, () => NOW_MS)).verify(key.key));
    expect(credential).toMatchObject({ firm: 'Acme', professional: true, use: 'non-display' });
    await write(entryOf(key, { use: 'printing' }));
    await expect(openApiKeys(file, () => NOW_MS)).rejects.toThrow('keys[0].use');
  });
});

describe('R21 an API key', () => {
  it('gives the credential of its entry', async () => {
    const key = newApiKey();
    await write(entryOf(key, { entitlements: ['quotes:*'], expires_at: '2030-01-01T01:00:00+00:30' }));
    expect((await openApiKeys(file, () => NOW_MS)).verify(key.key)).toEqual({
      ok: true,
      credential: {
        sub: 'desk-7',
        tier: 'institutional',
        roles: ['trader'],
        entitlements: ['quotes:*'],
        expiresAtMs: NOW_MS + 1_800_000,
        issuedAtMs: NOW_MS - 1000,
        jti: undefined,
        apiKeyId: key.id,
      },
    });
  });

  it('is retail, without roles, with every stream and without end, where its entry says nothing else', async () => {
    const { id, hash, key } = newApiKey();
    await write({ id, hash, sub: 'desk-7' });
    const credential = accepted((await openApiKeys(file)).verify(key));
    expect(credential).toMatchObject({ tier: 'retail', roles: [], entitlements: undefined });
    expect(credential.expiresAtMs).toBe(Number.POSITIVE_INFINITY);
  });

  it('gives the same frozen credential each time', async () => {
    const key = newApiKey();
    await write(entryOf(key));
    const keys = await openApiKeys(file);
    const credential = accepted(keys.verify(key.key));
    expect(accepted(keys.verify(key.key))).toBe(credential);
    expect(Object.isFrozen(credential) && Object.isFrozen(credential.roles)).toBe(true);
  });

  it('is known by the SHA-256 of its whole text', () => {
    const { id, key, hash } = newApiKey();
    expect(key).toMatch(new RegExp(`^mr_${id}_[\\w-]{43}$`));
    expect(hash).toBe(`sha256:${createHash('sha256').update(key).digest('hex')}`);
  });

  it('is never made twice', () => {
    const keys = Array.from({ length: 100 }, newApiKey);
    expect(new Set(keys.map(({ id }) => id)).size).toBe(100);
    expect(new Set(keys.map(({ key }) => key.slice(-43))).size).toBe(100);
  });

  it('is refused with another secret under its id, or another key’s', async () => {
    const [mine, other] = [newApiKey(), newApiKey()];
    await write(entryOf(mine), entryOf(other));
    const keys = await openApiKeys(file);
    const lastChanged = `${mine.key.slice(0, -2)}${mine.key.endsWith('AA') ? 'BB' : 'AA'}`;
    expect(keys.verify(lastChanged)).toEqual(refused('unknown'));
    expect(keys.verify(`mr_${mine.id}_${other.key.slice(-43)}`)).toEqual(refused('unknown'));
    expect(keys.verify(newApiKey().key)).toEqual(refused('unknown'));
  });

  it.each([
    '',
    'hello',
    'mr_',
    'mr_k_1_',
    `k_1_${'A'.repeat(43)}`,
    `mr_k_1_${'A'.repeat(42)}`,
    `mr_k_1_${'A'.repeat(44)}`,
    `mr_k_1_${'A'.repeat(42)}=`,
    `mr_k_1_${'A'.repeat(43)}\n`,
    `mr__${'A'.repeat(43)}`,
    `mr_k_${'1'.repeat(33)}_${'A'.repeat(43)}`,
    'x'.repeat(1_000_000),
  ])('is malformed: %.60j', async text => {
    await write(entryOf(newApiKey(), { id: 'k_1' }));
    expect((await openApiKeys(file)).verify(text)).toEqual(refused('malformed'));
  });

  it('is not its hash', async () => {
    const key = newApiKey();
    await write(entryOf(key));
    const keys = await openApiKeys(file);
    expect(keys.verify(key.hash)).toEqual(refused('malformed'));
    expect(keys.verify(`mr_${key.id}_${key.hash.slice(7, 50)}`)).toEqual(refused('unknown'));
  });

  it('ends when its entry says, and only who has it is told', async () => {
    const key = newApiKey();
    await write(entryOf(key, { expires_at: '2030-01-01T00:00:01Z' }));
    let nowMs = NOW_MS + 999;
    const keys = await openApiKeys(file, () => nowMs);
    expect(keys.verify(key.key).ok).toBe(true);
    nowMs += 1;
    expect(keys.verify(key.key)).toEqual(refused('expired'));
    expect(keys.verify(`mr_${key.id}_${'A'.repeat(43)}`)).toEqual(refused('unknown'));
  });
});

describe('R21 a file of API keys that cannot be used stops the start, naming AUTH_API_KEYS_FILE', () => {
  async function failure(): Promise<ConfigError> {
    const error: unknown = await openApiKeys(file).catch(reason => reason);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).message).toContain(`AUTH_API_KEYS_FILE=${JSON.stringify(file)}: `);
    return error as ConfigError;
  }

  it.each([
    ['id', { id: 'desk-7' }],
    ['id', { id: undefined }],
    ['hash', { hash: 'sha256:abc' }],
    ['hash', { hash: `sha1:${'a'.repeat(64)}` }],
    ['sub', { sub: '' }],
    ['sub', { sub: 'x'.repeat(513) }],
    ['tier', { tier: 'gold' }],
    ['roles', { roles: 'trader' }],
    ['roles[1]', { roles: ['trader', 7] }],
    ['entitlements', { entitlements: null }],
    ['entitlements[0]', { entitlements: ['everything'] }],
    ['expires_at', { expires_at: 'tomorrow' }],
    ['expires_at', { expires_at: '2030-02-30T00:00:00Z' }],
    ['expires_at', { expires_at: 1_893_456_000 }],
    ['created_at', { created_at: '' }],
  ])('and the entry whose %s is not what it must be: %j', async (member, more) => {
    await write(entryOf(newApiKey()), entryOf(newApiKey(), more));
    expect((await failure()).message).toContain(`: keys[1].${member}: `);
  });

  it('and an entry with a member that it does not know, such as a misspelt end', async () => {
    await write(entryOf(newApiKey(), { expire_at: '2030-01-01T00:00:00Z' }));
    expect((await failure()).message).toMatch(/: keys\[0\]: .*expire_at/);
  });

  it('and an id that is there twice', async () => {
    const key = newApiKey();
    await write(entryOf(key), entryOf(newApiKey()), entryOf(key));
    expect((await failure()).message).toContain(`keys[2].id: ${key.id} is there twice`);
  });

  it.each(['[]', 'null', '{}', '{"keys":{}}', '{"keys":[null]}'])('and its shape: %s', async text => {
    await writeFile(file, text);
    await failure();
  });

  it('and that it is not JSON', async () => {
    await writeFile(file, 'keys');
    expect((await failure()).message).toContain('is not JSON');
  });

  it('and that it cannot be read, with the cause', async () => {
    const error = await failure();
    expect(error.message).toContain('cannot be read');
    expect(error.cause).toMatchObject({ code: 'ENOENT' });
  });

  it('and that it is too long, without reading it', async () => {
    await writeFile(file, ' '.repeat(4 * 1024 ** 2 + 1));
    expect((await failure()).message).toContain('at most 4194304');
  });

  it('but a file without keys is one', async () => {
    await write();
    expect((await openApiKeys(file)).size).toBe(0);
  });
});

describe('R21 R33 a file of API keys that changes', () => {
  it('is read again: new keys are accepted, removed ones refused, and those are named', async () => {
    const [stays, goes, comes] = [newApiKey(), newApiKey(), newApiKey()];
    await write(entryOf(stays), entryOf(goes));
    const keys = await openApiKeys(file);
    await write(entryOf(stays), entryOf(comes));
    expect(await keys.reload()).toEqual({ ok: true, removed: [goes.id], changed: [] });
    expect(keys.verify(goes.key)).toEqual(refused('unknown'));
    expect(keys.verify(comes.key).ok).toBe(true);
    expect(keys.size).toBe(2);
  });

  it('keeps the credential object of an entry that is as it was', async () => {
    const key = newApiKey();
    await write(entryOf(key));
    const keys = await openApiKeys(file);
    const before = accepted(keys.verify(key.key));
    await write(entryOf(newApiKey()), entryOf(key));
    await keys.reload();
    expect(accepted(keys.verify(key.key))).toBe(before);
  });

  it('names entries that say something else now', async () => {
    const key = newApiKey();
    await write(entryOf(key));
    const keys = await openApiKeys(file);
    await write(entryOf(key, { roles: [] }));
    expect(await keys.reload()).toEqual({ ok: true, removed: [], changed: [key.id] });
    expect(accepted(keys.verify(key.key)).roles).toEqual([]);
  });

  it('names a key whose secret is another as removed', async () => {
    const [key, other] = [newApiKey(), newApiKey()];
    await write(entryOf(key));
    const keys = await openApiKeys(file);
    await write(entryOf(key, { hash: other.hash }));
    expect(await keys.reload()).toEqual({ ok: true, removed: [key.id], changed: [] });
    expect(keys.verify(key.key)).toEqual(refused('unknown'));
  });

  it('leaves the old keys in force when it cannot be used, and says why', async () => {
    const key = newApiKey();
    await write(entryOf(key));
    const keys = await openApiKeys(file);
    await writeFile(file, '{"keys":[{"id":');
    const result = await keys.reload();
    expect(!result.ok && result.error.message).toContain('is not JSON');
    expect(keys.verify(key.key).ok).toBe(true);
    await rm(file);
    expect((await keys.reload()).ok).toBe(false);
    expect(keys.verify(key.key).ok).toBe(true);
  });

  /** Resolves when a watch at the same pace has seen `turns` changes of another file. */
  async function turnsOfPolling(turns: number): Promise<void> {
    const other = join(directory, 'other.json');
    await replace(other);
    const keys = await openApiKeys(other);
    const stop = keys.watch(() => {}, POLL_MS);
    try {
      for (let turn = 0; turn < turns; turn++) {
        const key = newApiKey();
        await replace(other, entryOf(key));
        await until(() => keys.verify(key.key).ok);
      }
    } finally {
      stop();
    }
  }

  it('is noticed while it is watched, and reported once for each change', async () => {
    const [before, after] = [newApiKey(), newApiKey()];
    await write(entryOf(before));
    const keys = await openApiKeys(file);
    const reports: ApiKeyReload[] = [];
    const stop = keys.watch(result => reports.push(result), POLL_MS);
    try {
      await replace(file, entryOf(after));
      await until(() => reports.length === 1);
      expect(reports[0]).toEqual({ ok: true, removed: [before.id], changed: [] });
      await rm(file);
      await until(() => reports.length === 2);
      await turnsOfPolling(3);
      expect(reports.map(({ ok }) => ok)).toEqual([true, false]);
      expect(keys.verify(after.key).ok).toBe(true);
      await replace(file, entryOf(before));
      await until(() => keys.verify(before.key).ok);
    } finally {
      stop();
    }
  });

  it('is noticed when it changed between the start and the watch', async () => {
    const key = newApiKey();
    await write();
    const keys = await openApiKeys(file);
    await write(entryOf(key));
    const stop = keys.watch(() => {}, POLL_MS);
    try {
      await until(() => keys.verify(key.key).ok);
    } finally {
      stop();
    }
  });

  it('is left alone once the watch has ended', async () => {
    await write();
    const keys = await openApiKeys(file);
    keys.watch(() => {}, POLL_MS)();
    await write(entryOf(newApiKey()));
    await turnsOfPolling(3);
    expect(keys.size).toBe(0);
  });
});
