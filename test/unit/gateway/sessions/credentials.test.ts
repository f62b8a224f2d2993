/** Who is let in while the address that all of these come from guesses. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, type JSONWebKeySet, SignJWT, UnsecuredJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { newApiKey } from '../../../../src/auth/api-key-file.js';
import { openApiKeys } from '../../../../src/auth/api-keys.js';
import { NO_POLICY } from '../../../../src/auth/credential.js';
import type { KeySource } from '../../../../src/auth/key-set.js';
import { createTokenVerifier } from '../../../../src/auth/token.js';
import { readConfig } from '../../../../src/config/environment.js';
import { createSharedAttempts } from '../../../../src/gateway/limits/attempt-rates.js';
import { ConnectionLimits } from '../../../../src/gateway/limits/connection-limits.js';
import { createFailedCredentials } from '../../../../src/gateway/limits/failed-credentials.js';
import { RankCells } from '../../../../src/gateway/limits/rank.js';
import { createSharedCounts } from '../../../../src/gateway/limits/shared-counts.js';
import { Credentials } from '../../../../src/gateway/sessions/credentials.js';
import type { GatewayThreadData } from '../../../../src/threads/thread-messages.js';
import { revocationList } from '../../../support/revocations.js';

const SECRET = 'a secret of at least thirty-two bytes';
const SEED = [1, 2] as const;
const PROXY = '192.0.2.1';
/** Wrong ones that are told why. */
const FREE = 3;

let folder = '';
let limits: ConnectionLimits;
let credentials: Credentials;
const right = newApiKey();

beforeEach(async () => {
  // Time stands still, however busy the machine: who has to wait waits for the whole test.
  vi.useFakeTimers({ toFake: ['Date', 'performance', 'hrtime'] });
  folder = await mkdtemp(join(tmpdir(), 'millrace-credentials-'));
  const file = join(folder, 'keys.json');
  const { id, hash } = right;
  await writeFile(file, JSON.stringify({ keys: [{ id, hash, sub: 'desk-7', created_at: '2020-01-01T00:00:00Z' }] }));
  const config = readConfig({
    AUTH_JWT_SECRET: SECRET,
    AUTH_ISSUER: 'https://id.example',
    AUTH_AUDIENCE: 'millrace',
    AUTH_AUTHORIZED_PARTIES: 'web',
    AUTH_REQUIRED_SCOPE: 'market.read',
    WS_AUTH_FAILURES_PER_IP: String(FREE),
  });
  limits = new ConnectionLimits(config.limits, {
    worker: 0,
    connections: RankCells.create(1),
    addresses: createSharedCounts(1, 1024, SEED),
    users: createSharedCounts(1, 1024, SEED),
    attempts: createSharedAttempts(1, SEED),
    failures: createFailedCredentials(1, SEED),
  } as unknown as GatewayThreadData);
  const tokens = await createTokenVerifier(config.auth);
  const { defaultEntitlements } = config.auth;
  const apiKeys = await openApiKeys(file);
  const sources = { tokens, apiKeys, policy: NO_POLICY, defaultEntitlements, authorities: undefined };
  credentials = new Credentials(sources, limits, revocationList());
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(folder, { recursive: true, force: true });
});

/** Claims of a token that is accepted. */
const good = (sub: string) => {
  const now = Math.floor(Date.now() / 1000);
  const who = { iss: 'https://id.example', aud: 'millrace', azp: 'web', scope: 'openid market.read' };
  return { sub, ...who, iat: now, exp: now + 60 };
};
const signed = (claims: Record<string, unknown>, secret = SECRET, alg = 'HS256') =>
  new SignJWT(claims).setProtectedHeader({ alg }).sign(new TextEncoder().encode(secret));
const minted = (sub: string, secret = SECRET) => signed(good(sub), secret);
/** What becomes of a token, or of an API key. */
async function outcome(token: string | undefined, apiKey?: string, address = PROXY): Promise<string | number> {
  const result = await credentials.of(token, apiKey, address);
  return 'status' in result ? result.status : result.sub;
}
const guess = async (n: number) => outcome(await minted(`guess ${n}`, 'another secret of thirty-two bytes and more'));

/** Has the address guess until it is told to wait. */
async function guessing(): Promise<void> {
  for (let n = 0; n <= FREE; n++) expect(await guess(n)).toBe(401);
  expect(await guess(FREE + 1)).toBe(429);
}

describe('J8 R33 an address that guesses', () => {
  it('J8 R33 keeps out no token, whether it was verified before or never', async () => {
    const known = await minted('alice');
    expect(await outcome(known)).toBe('alice');
    await guessing();
    expect(await outcome(known)).toBe('alice');
    for (let n = 0; n < 50; n++) {
      expect(await outcome(await minted(`user ${n}`))).toBe(`user ${n}`);
      expect(await guess(100 + n)).toBe(429);
    }
  });

  it('J8 R33 keeps out no API key that is right; wrong ones of the same id wait', async () => {
    await guessing();
    const wrong = `${right.key.slice(0, -4)}AAAA`;
    expect(await outcome(undefined, wrong)).toBe(429);
    expect(await outcome(undefined, right.key)).toBe('desk-7');
    expect(await outcome(undefined, newApiKey().key)).toBe(429);
    expect(await outcome(undefined, wrong, '192.0.2.2')).toBe(401);
  });

  it('R33 learns when it may fail again, and is told to wait longer each time', async () => {
    await guessing();
    const refused = await credentials.of('a.b.c', undefined, PROXY);
    expect(refused).toMatchObject({ status: 429, code: 'rate_limited', retryAfterSeconds: 1 });
    expect(limits.refused.credentials).toBe(2);
    // What comes while it waits makes the wait no longer.
    for (let n = 0; n < 50; n++) expect(await guess(n)).toBe(429);
    expect(await credentials.of('a.b.c', undefined, PROXY)).toMatchObject({ retryAfterSeconds: 1 });
  });

  it('R33 is told the reason of an expired token all the same', async () => {
    await guessing();
    const expired = await signed({ ...good('alice'), iat: 1_700_000_000, exp: 1_700_000_060 });
    expect(await credentials.of(expired, undefined, PROXY)).toMatchObject({
      status: 401,
      message: 'the token was refused: expired (exp)',
    });
  });
});

describe('I4 R33 what counts as a guess', () => {
  const inAnHour = Math.floor(Date.now() / 1000) + 3600;

  it.each<[string, string, Record<string, unknown>]>([
    ['has expired', 'expired (exp)', { iat: 1_700_000_000, exp: 1_700_000_060 }],
    ['was issued in the future', 'its iat ', { iat: inAnHour, exp: inAnHour + 60 }],
    ['is not valid yet', 'its nbf ', { nbf: inAnHour, exp: inAnHour + 60 }],
    ['is for another audience', 'its aud names none of AUTH_AUDIENCE', { aud: 'other' }],
    ['is of another issuer', 'its iss is none of AUTH_ISSUER', { iss: 'https://other.example' }],
    ['is for another application', 'its azp is none of AUTH_AUTHORIZED_PARTIES', { azp: 'other' }],
    ['has no user', 'its sub ', { sub: undefined }],
    ['has a tier that is none', 'its tier ', { tier: 'gold' }],
  ])('I4 is no token that is signed well and %s; the answer names the claim', async (_, why, claims) => {
    for (let n = 0; n < 10 * FREE; n++) {
      const refused = await credentials.of(await signed({ ...good('alice'), ...claims, n }), undefined, PROXY);
      expect(refused).toMatchObject({ status: 401, code: 'unauthorized' });
      expect('message' in refused && refused.message).toContain(`the token was refused: ${why}`);
    }
    await guessing();
  });

  it('I1 I4 is no token that lacks a scope, which is 403 and names the scope', async () => {
    for (let n = 0; n < 10 * FREE; n++) {
      expect(await credentials.of(await signed({ ...good('alice'), scope: 'openid', n }), undefined, PROXY)).toEqual({
        status: 403,
        code: 'forbidden',
        message: 'the token was refused: its scope lacks market.read',
      });
    }
    await guessing();
  });

  it.each<[string, string, () => Promise<string>]>([
    ['malformed', 'malformed', async () => `${(await minted('alice')).slice(0, 40)}`],
    [
      'signed with another secret',
      'its signature is wrong',
      () => minted('alice', 'another secret of thirty-two bytes and more'),
    ],
    [
      'expired and signed with another secret',
      'its signature is wrong',
      () => signed({ ...good('alice'), exp: 1_700_000_060 }, 'another secret of thirty-two bytes and more'),
    ],
    ['without a signature', 'its alg is not accepted here', async () => new UnsecuredJWT(good('alice')).encode()],
    [
      'of another algorithm',
      'its alg is not accepted here',
      () => signed(good('alice'), `${SECRET}${SECRET}`, 'HS512'),
    ],
  ])('I3 I4 is a token that is %s', async (_, why, token) => {
    for (let n = 0; n <= FREE; n++) {
      expect(await credentials.of(await token(), undefined, PROXY)).toMatchObject({
        status: 401,
        message: `the token was refused: ${why}`,
      });
    }
    expect(await credentials.of(await token(), undefined, PROXY)).toMatchObject({ status: 429 });
  });
});

describe('I4 a key set', () => {
  it('I4 I5 makes no guess of an unknown kid, nor of any token while it has no keys', async () => {
    const source: KeySource & { keys: JSONWebKeySet | undefined } = { keys: undefined, refresh: async () => {} };
    const { auth } = readConfig({ AUTH_JWKS_URL: 'https://id.example/keys' });
    const tokens = await createTokenVerifier(auth, { remoteKeys: source });
    const sources = { tokens, apiKeys: undefined, policy: NO_POLICY, defaultEntitlements: [], authorities: undefined };
    const own = new Credentials(sources, limits, revocationList());
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const token = (kid: string) =>
      new SignJWT(good('alice')).setProtectedHeader({ alg: 'ES256', kid }).sign(privateKey);
    for (let n = 0; n < 10 * FREE; n++) {
      expect(await own.of(await token(`k${n}`), undefined, PROXY)).toMatchObject({ status: 503, code: 'unavailable' });
    }
    source.keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'k' }] };
    for (let n = 0; n < 10 * FREE; n++) {
      expect(await own.of(await token(`k${n}`), undefined, PROXY)).toMatchObject({
        status: 401,
        message: 'the token was refused: no key here has its kid and fits its alg',
      });
    }
    expect(await own.of(await token('k'), undefined, PROXY)).toMatchObject({ sub: 'alice' });
    await guessing();
  });
});
