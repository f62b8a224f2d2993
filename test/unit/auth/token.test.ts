import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { CompactEncrypt, EncryptJWT, UnsecuredJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { createTokenVerifier, mintToken, TOKEN_BYTES_MAX } from '../../../src/auth/token.js';
import { CLOCK_TOLERANCE_MS, revocationList, revoke } from '../../support/revocations.js';
import { GOOD, NOW, NOW_MS, refused, SECRET, signed, signedText, verify, withSecret } from './signed.js';

describe('R21 a token that is accepted', () => {
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
        issuedAtMs: NOW_MS,
        apiKeyId: undefined,
        jti: expect.stringMatching(/^[\da-f-]{36}$/),
      },
    });
  });

  it('is retail, without roles, and has the default entitlements where it says nothing else', async () => {
    expect(await verify(await signed(GOOD))).toEqual({
      ok: true,
      credential: {
        sub: 'alice',
        tier: 'retail',
        roles: [],
        entitlements: undefined,
        expiresAtMs: NOW_MS + 60_000,
        issuedAtMs: undefined,
        jti: undefined,
        apiKeyId: undefined,
      },
    });
  });

  it('may come from an issuer whose clock is up to 5 s off', async () => {
    expect((await verify(await signed({ sub: 'a', exp: NOW - 4 }))).ok).toBe(true);
    expect((await verify(await signed({ ...GOOD, nbf: NOW + 4 }))).ok).toBe(true);
    expect((await verify(await signed({ ...GOOD, iat: NOW + 5 }))).ok).toBe(true);
  });

  it('may have been issued at any time before, and in parts of a second', async () => {
    for (const iat of [NOW - 86_400, NOW - 0.5, 0, -1]) {
      expect(await verify(await signed({ ...GOOD, iat }))).toMatchObject({ credential: { issuedAtMs: iat * 1000 } });
    }
  });

  it('names the configured issuer and audience', async () => {
    const config = withSecret({ issuers: ['https://id.example'], audiences: ['millrace'] });
    const request = { secret: SECRET, sub: 'alice', ttlMs: 1000, issuer: 'https://id.example', audience: 'millrace' };
    expect((await verify(await mintToken(request, () => NOW_MS), config)).ok).toBe(true);
    const several = await signed({ ...GOOD, iss: 'https://id.example', aud: ['other', 'millrace'] });
    expect((await verify(several, config)).ok).toBe(true);
  });
});

describe('R21 a token that is refused', () => {
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

  it.each([' ', '\n', '=', '==', '+', '.'])('is malformed with %j behind a good token', async more => {
    const token = await signed(GOOD);
    expect((await verify(token)).ok).toBe(true);
    expect(await verify(`${token}${more}`)).toEqual(refused('malformed'));
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
    expect(await verify(unsecured)).toEqual(refused('algorithm'));
    expect(await verify(`${unsecured}AAAA`)).toEqual(refused('algorithm'));
  });

  it('uses another algorithm than HS256 with the right secret', async () => {
    const long = `${SECRET}${SECRET}`;
    const token = await signed(GOOD, new TextEncoder().encode(long), { alg: 'HS512' });
    expect(await verify(token, withSecret({ secret: long }))).toEqual(refused('algorithm'));
  });

  it('has another audience, or none', async () => {
    const config = withSecret({ audiences: ['millrace'] });
    expect(await verify(await signed({ ...GOOD, aud: 'other' }), config)).toEqual(refused('audience'));
    expect(await verify(await signed(GOOD), config)).toEqual(refused('audience'));
  });

  it('has another issuer, or none', async () => {
    const config = withSecret({ issuers: ['https://id.example'] });
    expect(await verify(await signed({ ...GOOD, iss: 'https://evil.example' }), config)).toEqual(refused('issuer'));
    expect(await verify(await signed(GOOD), config)).toEqual(refused('issuer'));
  });

  it.each([
    ['empty', ''],
    ['of 513 bytes', `${'é'.repeat(256)}x`],
    ['no valid UTF-8', 'a\ud83d'],
  ])('K12: has a sub that is %s, and that is said', async (_, sub) => {
    expect(await verify(await signed({ ...GOOD, sub }))).toEqual(refused('sub'));
  });

  it.each([
    ['no sub', { exp: GOOD.exp }],
    ['a sub that is a number', { ...GOOD, sub: 7 }],
    ['no exp', { sub: 'alice' }],
    ['an exp that is text', { ...GOOD, exp: '2030-01-01' }],
    ['an unknown tier', { ...GOOD, tier: 'platinum' }],
    ['a tier that is null', { ...GOOD, tier: null }],
    ['roles that are an object', { ...GOOD, roles: { admin: true } }],
    ['roles that are not texts', { ...GOOD, roles: [1] }],
    ['entitlements that are true', { ...GOOD, entitlements: true }],
    ['a malformed entitlement', { ...GOOD, entitlements: ['quotes:*', 'everything'] }],
    ['a jti that is a number', { ...GOOD, jti: 7 }],
    ['a jti of 257 characters', { ...GOOD, jti: 'x'.repeat(257) }],
    ['an iat that is text', { ...GOOD, iat: String(NOW) }],
    ['an iat that is null', { ...GOOD, iat: null }],
  ])('has claims that say nothing usable: %s', async (_, claims) => {
    expect(await verify(await signed(claims))).toEqual(refused('claims'));
  });

  it('was issued more than 5 s from now: it would outlive a revocation of its user', async () => {
    expect(await verify(await signed({ ...GOOD, iat: NOW + 6 }))).toEqual(refused('claims'));
  });

  it.each(['1e999', '1e300', '8640000000001', '-1e999', 'null'])('has an exp that is no date: %s', async exp => {
    const result = await verify(signedText('{"alg":"HS256"}', `{"sub":"alice","exp":${exp}}`));
    expect(['claims', 'expired']).toContain(!result.ok && result.reason);
  });

  it.each(['1e999', '1e300', '-1e300', '-1e999'])('has an iat that is no date: %s', async iat => {
    const token = signedText('{"alg":"HS256"}', `{"sub":"alice","exp":${GOOD.exp},"iat":${iat}}`);
    expect(await verify(token)).toEqual(refused('claims'));
  });
});

describe('R21 a token that is signed well and still odd', () => {
  const { exp } = GOOD;
  const key = new TextEncoder().encode(SECRET);

  it.each([
    ['an unknown extension', '{"alg":"HS256","crit":["x"],"x":1}'],
    ['an extension that is not there', '{"alg":"HS256","crit":["x"]}'],
    ['an empty list of extensions', '{"alg":"HS256","crit":[]}'],
    ['extensions that are text', '{"alg":"HS256","crit":"x","x":1}'],
    ['a registered member as extension', '{"alg":"HS256","crit":["alg"]}'],
    ['its claims unencoded', '{"alg":"HS256","crit":["b64"],"b64":false}'],
    ['an inherited extension', '{"alg":"HS256","crit":["toString"]}'],
  ])('is refused when its header demands %s', async (_, header) => {
    expect((await verify(signedText(header, JSON.stringify(GOOD)))).ok).toBe(false);
  });

  it.each(['none', 'None', 'NONE', 'hs256', 'HS256 ', '', 'HS384'])('is refused under the algorithm %j', async alg => {
    const token = signedText(JSON.stringify({ alg }), JSON.stringify(GOOD));
    expect((await verify(token)).ok).toBe(false);
    expect((await verify(`${token.slice(0, token.lastIndexOf('.'))}.`)).ok).toBe(false);
  });

  it.each(['[]', '"alice"', 'null', '7', '', '{"sub":'])('is malformed when its claims are %j', async payload => {
    expect(await verify(signedText('{"alg":"HS256"}', payload))).toEqual(refused('malformed'));
  });

  it('is malformed when its claims are a token (nested)', async () => {
    const token = signedText('{"alg":"HS256","cty":"JWT"}', await signed(GOOD));
    expect(await verify(token)).toEqual(refused('malformed'));
  });

  it('is malformed when it is encrypted, also with our secret, and also around a good token', async () => {
    const header = { alg: 'dir', enc: 'A256GCM' };
    const half = key.subarray(0, 32);
    const plain = await new EncryptJWT(GOOD).setProtectedHeader(header).encrypt(half);
    const inner = new TextEncoder().encode(await signed(GOOD));
    const nested = await new CompactEncrypt(inner).setProtectedHeader({ ...header, cty: 'JWT' }).encrypt(half);
    expect(await verify(plain)).toEqual(refused('malformed'));
    expect(await verify(nested)).toEqual(refused('malformed'));
  });

  it('says the last of what it says twice, as JSON has it', async () => {
    const claims = `{"sub":"alice","tier":"institutional","sub":"bob","tier":"retail","exp":1,"exp":${exp}}`;
    expect(await verify(signedText('{"alg":"none","alg":"HS256"}', claims))).toMatchObject({
      credential: { sub: 'bob', tier: 'retail', expiresAtMs: exp * 1000 },
    });
    expect((await verify(signedText('{"alg":"HS256","alg":"none"}', claims))).ok).toBe(false);
    expect(await verify(signedText('{"alg":"HS256"}', `{"sub":"alice","exp":${exp},"exp":1}`))).toEqual(
      refused('expired'),
    );
  });

  it('gets nothing from a prototype', async () => {
    const claims = `{"__proto__":{"tier":"institutional","roles":["admin"],"entitlements":["trades:full"]},"sub":"alice","exp":${exp}}`;
    expect(await verify(signedText('{"alg":"HS256"}', claims))).toMatchObject({
      credential: { tier: 'retail', roles: [], entitlements: undefined },
    });
    const without = `{"__proto__":{"sub":"admin"},"exp":${exp}}`;
    expect(await verify(signedText('{"alg":"HS256"}', without))).toEqual(refused('claims'));
  });

  it('keeps a name as it is spelt: no trimming, no folding', async () => {
    for (const sub of [' alice', 'ALICE', 'alice\u0000', 'ali\u0301ce']) {
      expect(await verify(await signed({ sub, exp }))).toMatchObject({ credential: { sub } });
    }
  });

  it('is refused when its text is not UTF-8', async () => {
    const parts = [Buffer.from('{"alg":"HS256"}'), Buffer.from(`{"sub":"\xff","exp":${exp}}`, 'latin1')];
    const text = parts.map(part => part.toString('base64url')).join('.');
    const signature = createHmac('sha256', SECRET).update(text).digest('base64url');
    expect(await verify(`${text}.${signature}`)).toEqual(refused('malformed'));
  });
});

describe('R21 whatever is sent instead of a token', () => {
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
    const verifier = await createTokenVerifier(withSecret(), { nowMs: () => NOW_MS });
    const forgery = fc.tuple(part, part, part).map(parts => parts.join('.'));
    await fc.assert(
      fc.asyncProperty(forgery, async token => {
        const result = await verifier.verify(token);
        expect(result.ok ? 'accepted' : result.reason).toMatch(/^(malformed|signature|algorithm)$/);
      }),
      { numRuns: 500 },
    );
  });
});

describe('R21 a token that comes again', () => {
  it('gives the same credential without another signature check', async () => {
    const verifier = await createTokenVerifier(withSecret(), { nowMs: () => NOW_MS });
    const token = await signed(GOOD);
    const [first, second] = [await verifier.verify(token), await verifier.verify(token)];
    expect(first.ok && second.ok && first.credential === second.credential).toBe(true);
  });

  it('is refused once it has expired', async () => {
    let nowMs = NOW_MS;
    const verifier = await createTokenVerifier(withSecret(), { nowMs: () => nowMs });
    const token = await signed(GOOD);
    expect((await verifier.verify(token)).ok).toBe(true);
    nowMs += 64_000;
    expect((await verifier.verify(token)).ok).toBe(true);
    nowMs += 2_000;
    expect(await verifier.verify(token)).toEqual(refused('expired'));
  });

  it('is remembered without a promise, as the same credential', async () => {
    const verifier = await createTokenVerifier(withSecret(), { nowMs: () => NOW_MS });
    const token = await signed(GOOD);
    expect(verifier.remembered(token)).toBeUndefined();
    const result = await verifier.verify(token);
    expect(verifier.remembered(token)).toBe(result.ok && result.credential);
  });

  it('is remembered no longer than it is accepted', async () => {
    let nowMs = NOW_MS;
    const verifier = await createTokenVerifier(withSecret(), { nowMs: () => nowMs });
    const token = await signed(GOOD);
    await verifier.verify(token);
    nowMs += 64_999;
    expect(verifier.remembered(token)).toBeDefined();
    nowMs += 1;
    expect(verifier.remembered(token)).toBeUndefined();
  });

  it('is not remembered after a refusal, nor in another spelling', async () => {
    const verifier = await createTokenVerifier(withSecret(), { nowMs: () => NOW_MS });
    const token = await signed(GOOD);
    const expired = await signed({ sub: 'alice', exp: NOW - 60 });
    await verifier.verify(token);
    for (const text of [expired, `${token}A`, `${token} `, token.slice(0, -1)]) {
      await verifier.verify(text);
      expect(verifier.remembered(text)).toBeUndefined();
    }
  });

  it('R33 is still covered by a revocation while it is remembered', async () => {
    const verifier = await createTokenVerifier(withSecret(), { nowMs: () => NOW_MS });
    const token = await signed({ ...GOOD, jti: 't-1', iat: NOW });
    await verifier.verify(token);
    const revocations = revocationList();
    revoke(revocations, { jti: 't-1' }, NOW_MS);
    const credential = verifier.remembered(token);
    expect(credential !== undefined && revocations.covers(credential)).toBe(true);
  });

  it('J5 R33 lives no longer than AUTH_TOKEN_MAX_AGE, and says since when', async () => {
    const config = { ...withSecret(), tokenMaxAgeMs: 3_600_000 };
    const reasonOf = async (claims: object) => {
      const result = await verify(await signed({ sub: 'alice', ...claims }), config);
      return result.ok ? 'accepted' : result.reason;
    };
    expect(await reasonOf({ iat: NOW - 10, exp: NOW + 3_590 })).toBe('accepted');
    expect(await reasonOf({ iat: NOW - 10, exp: NOW + 3_591 })).toBe('lifetime');
    // It may be older than it looks.
    expect(await reasonOf({ exp: NOW + 60 })).toBe('lifetime');
    expect(await reasonOf({ iat: NOW - 7_200, exp: NOW - 3_600 })).toBe('expired');
  });

  it('J5 R33 is good again when it was minted after its user was revoked, however far ahead its issuer may be', async () => {
    const revocations = revocationList();
    revoke(revocations, { sub: 'alice' }, NOW_MS);
    const covered = async (mintedMs: number) => {
      const token = await mintToken({ secret: SECRET, sub: 'alice', ttlMs: 60_000 }, () => mintedMs);
      const result = await verify(token, withSecret(), mintedMs);
      return result.ok && revocations.covers(result.credential);
    };
    expect(await covered(NOW_MS)).toBe(true);
    expect(await covered(NOW_MS + CLOCK_TOLERANCE_MS)).toBe(true);
    expect(await covered(NOW_MS + CLOCK_TOLERANCE_MS + 1000)).toBe(false);
  });

  it('J5 R33 does not outlive a revocation by the seconds that its issuer is ahead, whether it was seen before or not', async () => {
    const verifier = await createTokenVerifier(withSecret(), { nowMs: () => NOW_MS });
    const [seen, unseen] = await Promise.all(
      ['t-1', 't-2'].map(jti => signed({ sub: 'alice', exp: NOW + 600, iat: NOW + CLOCK_TOLERANCE_MS / 1000, jti })),
    );
    const credentialOf = async (token = '') => {
      const result = await verifier.verify(token);
      if (!result.ok) throw new Error(result.reason);
      return result.credential;
    };
    const before = await credentialOf(seen);
    const revocations = revocationList();
    revoke(revocations, { sub: 'alice' }, NOW_MS);
    expect(revocations.covers(before)).toBe(true);
    expect(revocations.covers(await credentialOf(unseen))).toBe(true);
    // A token from further ahead is no token yet.
    expect(await verify(await signed({ sub: 'alice', exp: NOW + 600, iat: NOW + 6 }))).toEqual(refused('claims'));
  });
});
