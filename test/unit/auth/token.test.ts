import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTokenVerifier, mintToken, TOKEN_BYTES_MAX, type TokenResult } from '../../../src/auth/token.js';
import { type AuthConfig, ConfigError } from '../../../src/config/environment.js';

const SECRET = 'a secret of at least thirty-two bytes';
const secretKey = new TextEncoder().encode(SECRET);
const NOW_MS = 1_700_000_000_000;
const NOW = NOW_MS / 1000;
const NO_AUTH: AuthConfig = {
  secret: undefined,
  jwksUrl: undefined,
  jwksFile: undefined,
  issuer: undefined,
  audience: undefined,
};
const withSecret = (more: Partial<AuthConfig> = {}): AuthConfig => ({ ...NO_AUTH, secret: SECRET, ...more });
const refused = (reason: string): TokenResult => ({ ok: false, code: 'unauthorized', reason }) as TokenResult;
const GOOD = { sub: 'alice', exp: NOW + 60 };

function signed(
  claims: Record<string, unknown>,
  key: CryptoKey | Uint8Array = secretKey,
  header = {},
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256', ...header }).sign(key);
}

async function verify(token: string, config = withSecret(), nowMs = NOW_MS): Promise<TokenResult> {
  return (await createTokenVerifier(config, () => nowMs)).verify(token);
}

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-auth-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('a token that is accepted', () => {
  it('gives the credential that was minted', async () => {
    const entitlements = ['quotes:*', 'trades:full'];
    const request = { secret: SECRET, sub: 'alice', tier: 'institutional', roles: ['trader'], ttlMs: 60_000 } as const;
    const result = await verify(await mintToken({ ...request, entitlements }, () => NOW_MS));
    expect(result).toEqual({
      ok: true,
      credential: {
        sub: 'alice',
        tier: 'institutional',
        roles: ['trader'],
        entitlements,
        expiresAtMs: NOW_MS + 60_000,
        jti: expect.stringMatching(/^[\da-f-]{36}$/),
      },
    });
  });

  it('is retail, without roles and with every public stream, where it says nothing else', async () => {
    expect(await verify(await signed(GOOD))).toEqual({
      ok: true,
      credential: {
        sub: 'alice',
        tier: 'retail',
        roles: [],
        entitlements: undefined,
        expiresAtMs: NOW_MS + 60_000,
        jti: undefined,
      },
    });
  });

  it('may come from an issuer whose clock is up to 5 s off', async () => {
    expect((await verify(await signed({ sub: 'a', exp: NOW - 4 }))).ok).toBe(true);
    expect((await verify(await signed({ ...GOOD, nbf: NOW + 4 }))).ok).toBe(true);
  });

  it('names the configured issuer and audience', async () => {
    const config = withSecret({ issuer: 'https://id.example', audience: 'millrace' });
    const request = { secret: SECRET, sub: 'alice', ttlMs: 1000, issuer: 'https://id.example', audience: 'millrace' };
    expect((await verify(await mintToken(request, () => NOW_MS), config)).ok).toBe(true);
    const several = await signed({ ...GOOD, iss: 'https://id.example', aud: ['other', 'millrace'] });
    expect((await verify(several, config)).ok).toBe(true);
  });
});

describe('a token that is refused', () => {
  it.each([
    ['no token', ''],
    ['a word', 'hello'],
    ['two parts', 'a.b'],
    ['four parts', 'a.b.c.d'],
    ['five parts', 'a.b.c.d.e'],
    ['three parts of nothing', '..'],
    ['parts that are not base64url', '!!.!!.!!'],
    ['parts that are not JSON', 'YQ.YQ.YQ'],
    ['a header that is no object', 'W10.e30.e30'],
    ['a zero byte', '\0.\0.\0'],
  ])('is malformed: %s', async (_, token) => {
    expect(await verify(token)).toEqual(refused('malformed'));
  });

  it('is malformed when it is longer than 8 KiB, however well signed', async () => {
    const token = await signed({ ...GOOD, roles: ['x'.repeat(TOKEN_BYTES_MAX)] });
    expect(await verify(token)).toEqual(refused('malformed'));
  });

  it('is malformed when it demands an extension', async () => {
    const header = Buffer.from('{"alg":"HS256","crit":["exp"],"exp":1}').toString('base64url');
    const [, body, signature] = (await signed(GOOD)).split('.');
    expect(await verify(`${header}.${body}.${signature}`)).toEqual(refused('malformed'));
  });

  it('is expired more than 5 s after its exp', async () => {
    expect(await verify(await signed({ sub: 'a', exp: NOW - 6 }))).toEqual(refused('expired'));
  });

  it('is not valid yet more than 5 s before its nbf', async () => {
    expect(await verify(await signed({ ...GOOD, nbf: NOW + 6 }))).toEqual(refused('claims'));
  });

  it('has the signature of another secret', async () => {
    const other = new TextEncoder().encode('another secret, just as long as that');
    expect(await verify(await signed(GOOD, other))).toEqual(refused('signature'));
  });

  it('has a changed payload', async () => {
    const [head, , signature] = (await signed(GOOD)).split('.');
    const body = Buffer.from(JSON.stringify({ ...GOOD, sub: 'mallory' })).toString('base64url');
    expect(await verify(`${head}.${body}.${signature}`)).toEqual(refused('signature'));
  });

  it('has no signature at all (alg none)', async () => {
    const unsecured = new UnsecuredJWT({ sub: 'alice' }).setExpirationTime(NOW + 60).encode();
    expect(await verify(unsecured)).toEqual(refused('signature'));
    expect(await verify(`${unsecured}AAAA`)).toEqual(refused('signature'));
  });

  it('uses another algorithm than HS256 with the right secret', async () => {
    const long = `${SECRET}${SECRET}`;
    const token = await signed(GOOD, new TextEncoder().encode(long), { alg: 'HS512' });
    expect(await verify(token, withSecret({ secret: long }))).toEqual(refused('signature'));
  });

  it('has another audience, or none', async () => {
    const config = withSecret({ audience: 'millrace' });
    expect(await verify(await signed({ ...GOOD, aud: 'other' }), config)).toEqual(refused('audience'));
    expect(await verify(await signed(GOOD), config)).toEqual(refused('audience'));
  });

  it('has another issuer, or none', async () => {
    const config = withSecret({ issuer: 'https://id.example' });
    expect(await verify(await signed({ ...GOOD, iss: 'https://evil.example' }), config)).toEqual(refused('issuer'));
    expect(await verify(await signed(GOOD), config)).toEqual(refused('issuer'));
  });

  it.each([
    ['no sub', { exp: GOOD.exp }],
    ['an empty sub', { ...GOOD, sub: '' }],
    ['a sub that is a number', { ...GOOD, sub: 7 }],
    ['a sub of 257 characters', { ...GOOD, sub: 'x'.repeat(257) }],
    ['no exp', { sub: 'alice' }],
    ['an exp that is text', { ...GOOD, exp: '2030-01-01' }],
    ['an unknown tier', { ...GOOD, tier: 'platinum' }],
    ['a tier that is null', { ...GOOD, tier: null }],
    ['roles that are text', { ...GOOD, roles: 'admin' }],
    ['roles that are not texts', { ...GOOD, roles: [1] }],
    ['entitlements that are text', { ...GOOD, entitlements: 'quotes:*' }],
    ['a malformed entitlement', { ...GOOD, entitlements: ['quotes:*', 'everything'] }],
    ['a jti that is a number', { ...GOOD, jti: 7 }],
  ])('has claims that say nothing usable: %s', async (_, claims) => {
    expect(await verify(await signed(claims))).toEqual(refused('claims'));
  });

  it('never ends, by an exp beyond all numbers', async () => {
    const [head] = (await signed(GOOD)).split('.');
    const body = Buffer.from('{"sub":"alice","exp":1e999}').toString('base64url');
    const { createHmac } = await import('node:crypto');
    const signature = createHmac('sha256', SECRET).update(`${head}.${body}`).digest('base64url');
    expect((await verify(`${head}.${body}.${signature}`)).ok).toBe(false);
  });
});

describe('whatever is sent instead of a token', () => {
  const header = fc.record(
    {
      alg: fc.oneof(fc.constantFrom('HS256', 'RS256', 'ES256', 'EdDSA', 'none', 'hs256', '__proto__'), fc.jsonValue()),
      typ: fc.jsonValue(),
      kid: fc.jsonValue(),
      crit: fc.jsonValue(),
      b64: fc.jsonValue(),
      jwk: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const part = fc.oneof(header.map(base64), fc.jsonValue().map(base64), fc.base64String(), fc.string());

  it('is refused as a value, and the blame is the token’s', async () => {
    const verifier = await createTokenVerifier(withSecret(), () => NOW_MS);
    const forgery = fc.tuple(part, part, part).map(parts => parts.join('.'));
    await fc.assert(
      fc.asyncProperty(forgery, async token => {
        const result = await verifier.verify(token);
        expect(result.ok ? 'accepted' : result.reason).toMatch(/^(malformed|signature)$/);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a key set', () => {
  const ALGORITHMS = ['RS256', 'ES256', 'EdDSA'] as const;
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
  const publicJwk = async (alg: string) => ({ ...(await exportJWK(pair(alg).publicKey)), alg, kid: alg });

  beforeAll(async () => {
    for (const alg of ALGORITHMS) pairs.set(alg, await generateKeyPair(alg, { extractable: true }));
    config = await keySetFile('keys.json', await Promise.all(ALGORITHMS.map(publicJwk)));
  });

  it.each(ALGORITHMS)('verifies %s', async alg => {
    const token = await signed(GOOD, pair(alg).privateKey, { alg, kid: alg });
    expect(await verify(token, config)).toMatchObject({ ok: true, credential: { sub: 'alice' } });
  });

  it.each(ALGORITHMS)('refuses an %s signature of a stranger under a known kid', async alg => {
    const stranger = await generateKeyPair(alg);
    const token = await signed(GOOD, stranger.privateKey, { alg, kid: alg });
    expect(await verify(token, config)).toEqual(refused('signature'));
  });

  it('refuses an unknown kid', async () => {
    const token = await signed(GOOD, pair('RS256').privateKey, { alg: 'RS256', kid: 'elsewhere' });
    expect(await verify(token, config)).toEqual(refused('signature'));
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
      expect(await verify(token, config)).toEqual(refused('signature'));
    }
  });

  it('refuses a token without signature', async () => {
    const unsecured = new UnsecuredJWT({ sub: 'alice' }).setExpirationTime(NOW + 60).encode();
    expect(await verify(unsecured, config)).toEqual(refused('signature'));
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
    expect(await verify(token, withSecret())).toEqual(refused('signature'));
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

  it('is fetched from a URL, and its absence is not blamed on the token', async () => {
    const keys = [await publicJwk('ES256')];
    let isUp = false;
    const server = createServer((_request, response) => {
      response.writeHead(isUp ? 200 : 500, { 'content-type': 'application/json' }).end(JSON.stringify({ keys }));
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    try {
      const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
      const verifier = await createTokenVerifier({ ...NO_AUTH, jwksUrl }, () => NOW_MS);
      const token = await signed(GOOD, pair('ES256').privateKey, { alg: 'ES256', kid: 'ES256' });
      expect(await verifier.verify(token)).toEqual(refused('keys_unavailable'));
      isUp = true;
      expect((await verifier.verify(token)).ok).toBe(true);
    } finally {
      server.close();
    }
  });
});

describe('a key that cannot be used stops the start, naming its variable', () => {
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

  it.each(['keys.example', 'ftp://keys.example/jwks'])('a key address that is not http: %s', async jwksUrl => {
    expect((await failure({ ...NO_AUTH, jwksUrl })).message).toContain('AUTH_JWKS_URL');
  });

  it('no key at all', async () => {
    expect((await failure(NO_AUTH)).message).toMatch(/AUTH_JWT_SECRET.*AUTH_JWKS_FILE.*AUTH_JWKS_URL/);
  });
});

describe('a token that comes again', () => {
  it('gives the same credential without another signature check', async () => {
    const verifier = await createTokenVerifier(withSecret(), () => NOW_MS);
    const token = await signed(GOOD);
    const [first, second] = [await verifier.verify(token), await verifier.verify(token)];
    expect(first.ok && second.ok && first.credential === second.credential).toBe(true);
  });

  it('is refused once it has expired', async () => {
    let nowMs = NOW_MS;
    const verifier = await createTokenVerifier(withSecret(), () => nowMs);
    const token = await signed(GOOD);
    expect((await verifier.verify(token)).ok).toBe(true);
    nowMs += 64_000;
    expect((await verifier.verify(token)).ok).toBe(true);
    nowMs += 2_000;
    expect(await verifier.verify(token)).toEqual(refused('expired'));
  });
});
