import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, importJWK, type JWK, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTokenVerifier } from '../../../src/auth/token.js';
import { ConfigError } from '../../../src/config/config-error.js';
import type { AuthConfig } from '../../../src/config/environment.js';
import { GOOD, NO_AUTH, NOW, refused, signed, verify, withSecret } from './signed.js';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-auth-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('R21 a key set', () => {
  const HASHED = ['RS', 'PS', 'ES'].flatMap(family => ['256', '384', '512'].map(bits => `${family}${bits}`));
  const ALGORITHMS = [...HASHED, 'EdDSA', 'Ed25519'];
  const pairs = new Map<string, { privateKey: CryptoKey; publicKey: CryptoKey }>();
  let config: AuthConfig;

  async function keySetFile(name: string, keys: readonly object[]): Promise<AuthConfig> {
    const jwksFile = join(directory, name);
    await writeFile(jwksFile, JSON.stringify({ keys }));
    return { ...NO_AUTH, jwksFile };
  }
  function pair(alg: string) {
    const found = pairs.get(alg);
    if (found === undefined) throw new Error(`no key for ${alg}`);
    return found;
  }
  /** Making RSA keys takes long; one may sign by several algorithms. */
  async function sameKeyFor(alg: string, rsa: { privateKey: CryptoKey; publicKey: CryptoKey }) {
    const [privateKey, publicKey] = await Promise.all(
      [rsa.privateKey, rsa.publicKey].map(async key => importJWK(await exportJWK(key), alg, { extractable: true })),
    );
    return { privateKey: privateKey as CryptoKey, publicKey: publicKey as CryptoKey };
  }
  const publicJwk = async (alg: string) => ({ ...(await exportJWK(pair(alg).publicKey)), alg, kid: alg });

  beforeAll(async () => {
    const rsa = await generateKeyPair('RS256', { extractable: true });
    for (const alg of ALGORITHMS) {
      const isRsa = /^[RP]S/.test(alg);
      pairs.set(alg, isRsa ? await sameKeyFor(alg, rsa) : await generateKeyPair(alg, { extractable: true }));
    }
    config = await keySetFile('keys.json', await Promise.all(ALGORITHMS.map(publicJwk)));
  });

  it.each(ALGORITHMS)('I3 R39 verifies %s', async alg => {
    const token = await signed(GOOD, pair(alg).privateKey, { alg, kid: alg });
    expect(await verify(token, config)).toMatchObject({ ok: true, credential: { sub: 'alice' } });
  });

  it.each(['RS256', 'ES256', 'EdDSA'])('refuses an %s signature of a stranger under a known kid', async alg => {
    const stranger = await generateKeyPair(alg);
    const token = await signed(GOOD, stranger.privateKey, { alg, kid: alg });
    expect(await verify(token, config)).toEqual(refused('signature'));
  });

  it('I3 verifies with a key that names no algorithm every one that fits its type and curve, and no other', async () => {
    const alike = await keySetFile('untold.json', [
      { ...(await exportJWK(pair('RS256').publicKey)), kid: 'rsa', use: 'sig' },
      { ...(await exportJWK(pair('ES384').publicKey)), kid: 'ec', use: 'sig' },
    ]);
    const rsa = (await exportJWK(pair('RS256').privateKey)) as JWK;
    for (const alg of ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']) {
      const token = await signed(GOOD, (await importJWK(rsa, alg)) as CryptoKey, { alg, kid: 'rsa' });
      expect([alg, (await verify(token, alike)).ok]).toEqual([alg, true]);
    }
    const other = await signed(GOOD, pair('ES256').privateKey, { alg: 'ES256', kid: 'ec' });
    expect(await verify(other, alike)).toEqual(refused('key'));
    expect((await verify(await signed(GOOD, pair('ES384').privateKey, { alg: 'ES384', kid: 'ec' }), alike)).ok).toBe(
      true,
    );
  });

  it('I3 does not use a key for encryption to verify', async () => {
    const encryption = await keySetFile('enc.json', [{ ...(await publicJwk('RS256')), alg: 'RSA-OAEP', use: 'enc' }]);
    const token = await signed(GOOD, pair('RS256').privateKey, { alg: 'RS256', kid: 'RS256' });
    expect(await verify(token, encryption)).toEqual(refused('key'));
  });

  it('I4 refuses an unknown kid, and says that it is unknown', async () => {
    const token = await signed(GOOD, pair('RS256').privateKey, { alg: 'RS256', kid: 'elsewhere' });
    expect(await verify(token, config)).toEqual(refused('key'));
  });

  it('refuses HS256 with the public key taken for a secret (key confusion)', async () => {
    const { publicKey } = pair('RS256');
    const spki = await exportSPKI(publicKey);
    const asSecrets = [
      spki,
      spki.trim(),
      JSON.stringify(await publicJwk('RS256')),
      (await exportJWK(publicKey)).n ?? '',
    ];
    for (const text of asSecrets) {
      const token = await signed(GOOD, new TextEncoder().encode(text), { alg: 'HS256', kid: 'RS256' });
      expect(await verify(token, config)).toEqual(refused('algorithm'));
    }
  });

  it.each(['RS256', 'ES256', 'EdDSA'])('refuses an empty signature under %s', async alg => {
    const [head, body] = (await signed(GOOD, pair(alg).privateKey, { alg, kid: alg })).split('.');
    expect(await verify(`${head}.${body}.`, config)).toEqual(refused('signature'));
  });

  it('refuses a key of one type under the algorithm of another', async () => {
    const [head, body, signature] = (
      await signed(GOOD, pair('ES256').privateKey, { alg: 'ES256', kid: 'ES256' })
    ).split('.');
    for (const alg of ['RS256', 'EdDSA', 'ES384', 'PS256']) {
      const other = Buffer.from(JSON.stringify({ alg, kid: 'ES256' })).toString('base64url');
      expect(await verify(`${other}.${body}.${signature}`, config)).toEqual(refused('key'));
    }
    expect((await verify(`${head}.${body}.${signature}`, config)).ok).toBe(true);
  });

  it('refuses a token without signature', async () => {
    const unsecured = new UnsecuredJWT({ sub: 'alice' }).setExpirationTime(NOW + 60).encode();
    expect(await verify(unsecured, config)).toEqual(refused('algorithm'));
  });

  it('refuses a token that brings its own key', async () => {
    const stranger = await generateKeyPair('ES256', { extractable: true });
    const jwk = await exportJWK(stranger.publicKey);
    for (const header of [{ jwk }, { jwk, kid: 'ES256' }, { jku: 'https://evil.example/keys', kid: 'ES256' }]) {
      const token = await signed(GOOD, stranger.privateKey, { alg: 'ES256', ...header });
      expect(await verify(token, config)).toEqual(refused('signature'));
    }
  });

  it('is no use to a gateway that has a secret', async () => {
    const token = await signed(GOOD, pair('RS256').privateKey, { alg: 'RS256', kid: 'RS256' });
    expect(await verify(token, withSecret())).toEqual(refused('algorithm'));
  });

  it('finds the key among several of one type when no kid says which', async () => {
    const older = await generateKeyPair('ES256', { extractable: true });
    const newer = await generateKeyPair('ES256', { extractable: true });
    const keys = [await exportJWK(older.publicKey), await exportJWK(newer.publicKey)];
    const rotating = await keySetFile('rotating.json', keys);
    expect((await verify(await signed(GOOD, newer.privateKey, { alg: 'ES256' }), rotating)).ok).toBe(true);
    const stranger = await signed(GOOD, pair('ES256').privateKey, { alg: 'ES256' });
    expect(await verify(stranger, rotating)).toEqual(refused('signature'));
    const expired = await signed({ sub: 'a', exp: NOW - 60 }, newer.privateKey, { alg: 'ES256' });
    expect(await verify(expired, rotating)).toEqual(refused('expired'));
  });
});

describe('R21 a key that cannot be used stops the start, naming its variable', () => {
  async function failure(config: AuthConfig): Promise<ConfigError> {
    const error: unknown = await createTokenVerifier(config).catch(reason => reason);
    expect(error).toBeInstanceOf(ConfigError);
    return error as ConfigError;
  }

  it.each([
    ['is not JSON', 'keys: none'],
    ['with at least one key', '{}'],
    ['with at least one key', '{"keys":[]}'],
    ['with at least one key', '{"keys":[{}]}'],
    ['with at least one key', 'null'],
    ['public keys only', '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}'],
    ['public keys only', '{"keys":[{"kty":"EC","crv":"P-256","x":"a","y":"b","d":"c"}]}'],
  ])('a key file that must be something else: %s', async (expected, text) => {
    const jwksFile = join(directory, 'bad.json');
    await writeFile(jwksFile, text);
    const error = await failure({ ...NO_AUTH, jwksFile });
    expect(error.message).toContain('AUTH_JWKS_FILE');
    expect(error.message).toContain(expected);
  });

  it('a key file that is not there, with the cause', async () => {
    const error = await failure({ ...NO_AUTH, jwksFile: join(directory, 'missing.json') });
    expect(error.message).toContain('AUTH_JWKS_FILE');
    expect(error.cause).toMatchObject({ code: 'ENOENT' });
  });

  it.each(['PUBLIC KEY', 'RSA PUBLIC KEY', 'CERTIFICATE'])('a secret that is public: -----BEGIN %s', async label => {
    const secret = `-----BEGIN ${label}-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n-----END ${label}-----\n`;
    const error = await failure({ ...NO_AUTH, secret });
    expect(error.message).toMatch(/^AUTH_JWT_SECRET: .*public/);
    expect(error.message).not.toContain('MIIB');
  });

  it('no key at all', async () => {
    expect((await failure(NO_AUTH)).message).toMatch(/AUTH_JWT_SECRET.*AUTH_JWKS_FILE.*AUTH_JWKS_URL/);
  });
});
