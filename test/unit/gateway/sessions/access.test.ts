/** Files that decide who may do what, reread while a worker runs. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newApiKey } from '../../../../src/auth/api-key-file.js';
import { readConfig } from '../../../../src/config/environment.js';
import { Access } from '../../../../src/gateway/sessions/access.js';
import { Credentials } from '../../../../src/gateway/sessions/credentials.js';
import { revocationList } from '../../../support/revocations.js';

const ADDRESS = '192.0.2.1';
const KEY = newApiKey();

let folder = '';
let faults: string[];
let changes: (readonly string[])[];
let access: Access;
let unwatch: () => void;
let credentials: Credentials;
let first: CryptoKey;
let second: CryptoKey;

const at = (name: string) => join(folder, name);
const write = (name: string, content: unknown) =>
  writeFile(at(name), typeof content === 'string' ? content : JSON.stringify(content));
const keyEntry = (more: object = {}) => ({ keys: [{ id: KEY.id, hash: KEY.hash, sub: 'desk', ...more }] });

async function newKey(name: string): Promise<CryptoKey> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  await write(name, { keys: [{ ...(await exportJWK(publicKey)), kid: name }] });
  return privateKey;
}

const tokenOf = (key: CryptoKey, kid: string) =>
  new SignJWT({ sub: 'alice' }).setProtectedHeader({ alg: 'ES256', kid }).setExpirationTime('1h').sign(key);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-access-'));
  faults = [];
  changes = [];
  second = await newKey('jwks.json');
  first = await newKey('jwks.json');
  await write('policy.json', { roles: { 'rooms:ops': ['ops'] } });
  await write('keys.json', keyEntry({ tier: 'institutional', entitlements: ['rooms:*'] }));
  access = await Access.open({
    config: readConfig({
      AUTH_JWKS_FILE: at('jwks.json'),
      AUTH_API_KEYS_FILE: at('keys.json'),
      POLICY_FILE: at('policy.json'),
    }),
    keys: undefined,
    askForKeys: () => {},
    onFault: (what, cause) => faults.push(`${what}: ${cause}`),
  });
  credentials = new Credentials(access.authentication, { wrongCredential: () => undefined }, revocationList());
  unwatch = access.watch(credentials, removed => changes.push(removed));
});
afterEach(async () => {
  unwatch();
  await rm(folder, { recursive: true, force: true });
});

const statusOf = async (token: string) => {
  const result = await credentials.of(token, undefined, ADDRESS);
  return 'status' in result ? result.status : result.sub;
};
const credentialOfKey = async () => {
  const result = await credentials.of(undefined, KEY.key, ADDRESS);
  if ('status' in result) throw new Error(result.message);
  return result;
};
const mayEnter = async (room: string) =>
  credentials.entitlementsOf(await credentialOfKey()).maySubscribe('rooms', room);

describe('I7 R33 files that change while the gateway runs', () => {
  it('I7 are all reread, and each says whether it is usable', async () => {
    await write('policy.json', '{');
    const reread = await access.reload({ secret: undefined });
    expect(reread.map(({ name, problem }) => [name, problem === undefined])).toEqual([
      ['AUTH_JWKS_FILE', true],
      ['POLICY_FILE', false],
      ['AUTH_API_KEYS_FILE', true],
    ]);
    expect(faults).toEqual([expect.stringMatching(/^POLICY_FILE unusable; keeping .*is not JSON/)]);
  });

  it('I7 the policy counts at once for new questions, an unusable one does not', async () => {
    expect([await mayEnter('desk'), await mayEnter('ops')]).toEqual([true, false]);
    await write('policy.json', { roles: { 'rooms:desk': ['desk'] } });
    await access.reload({ secret: undefined });
    expect([await mayEnter('desk'), await mayEnter('ops')]).toEqual([false, true]);
    await write('policy.json', { roles: { 'rooms:': ['desk'] } });
    await access.reload({ secret: undefined });
    expect([await mayEnter('desk'), await mayEnter('ops')]).toEqual([false, true]);
  });

  it('R33 a signing key that is withdrawn stops counting, for tokens that are remembered, too', async () => {
    const [old, other] = [await tokenOf(first, 'jwks.json'), await tokenOf(second, 'jwks.json')];
    expect([await statusOf(old), await statusOf(other)]).toEqual(['alice', 401]);
    const next = await newKey('jwks.json');
    expect(await statusOf(old)).toBe('alice');
    await access.reload({ secret: undefined });
    expect(await statusOf(old)).toBe(401);
    expect(await statusOf(await tokenOf(next, 'jwks.json'))).toBe('alice');
  });

  it('I7 an API key has the tier and entitlements of its entry, and is gone with it', async () => {
    const before = await credentialOfKey();
    expect(before).toMatchObject({ tier: 'institutional', entitlements: ['rooms:*'] });
    expect(credentials.current(before)).toBe(before);
    await write('keys.json', keyEntry({ entitlements: [] }));
    await access.reload({ secret: undefined });
    expect(credentials.current(before)).toMatchObject({ tier: 'retail', entitlements: [] });
    expect(changes.at(-1)).toEqual([]);
    await write('keys.json', { keys: [] });
    await access.reload({ secret: undefined });
    expect(credentials.current(before)).toBeUndefined();
    expect(changes.at(-1)).toEqual([KEY.id]);
  });
});
