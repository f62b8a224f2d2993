import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair } from 'jose';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  KEY_SET_AGE_MAX_MS,
  KEY_SET_BYTES_MAX,
  KEY_SET_COOLDOWN_MS,
  KEY_SET_RETRY_MS,
  KEY_SET_TIMEOUT_MS,
} from '../../../src/auth/remote-key-set.js';
import { createTokenVerifier, type TokenResult, type TokenVerifier } from '../../../src/auth/token.js';
import { TOKEN_CACHE_AGE_MAX_MS } from '../../../src/auth/token-cache.js';
import { NO_AUTH, NOW, NOW_MS, refused, signed } from './signed.js';

const HOUR_MS = 3_600_000;
/** More than a timeout takes on a busy machine, and far less than the test may. */
const SLACK_MS = 3_000;

const pairs = new Map<string, { privateKey: CryptoKey; jwk: object }>();
let server: Server;
let url = '';
let requests = 0;
let respond: RequestListener;
let nowMs = NOW_MS;
/** By how much somebody has set the system clock. */
let setByMs = 0;
const monotonicMs = () => nowMs - setByMs;
let verifier: TokenVerifier;
let minted = 0;

beforeAll(async () => {
  for (const kid of ['old', 'new', 'stranger']) {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    pairs.set(kid, { privateKey, jwk: { ...(await exportJWK(publicKey)), alg: 'ES256', kid } });
  }
});
beforeEach(async () => {
  // jose asks the system's clock how old its keys are.
  vi.spyOn(Date, 'now').mockImplementation(() => nowMs);
  nowMs = NOW_MS;
  setByMs = 0;
  requests = 0;
  publish('old');
  server = createServer((request, response) => {
    requests++;
    respond(request, response);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  verifier = await createTokenVerifier({ ...NO_AUTH, jwksUrl: url }, () => nowMs, monotonicMs);
});
afterEach(async () => {
  vi.restoreAllMocks();
  server.closeAllConnections();
  await new Promise(resolve => server.close(resolve));
});

function keyOf(kid: string) {
  const found = pairs.get(kid);
  if (found === undefined) throw new Error(`no key ${kid}`);
  return found;
}

function answer(status: number, body: string, headers = {}): void {
  respond = (_, response) => response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
}

function publish(...kids: readonly string[]): void {
  answer(200, JSON.stringify({ keys: kids.map(kid => keyOf(kid).jwk) }));
}

/** A token that was never seen before. */
async function tokenOf(kid: string, header: object = { kid }): Promise<string> {
  const claims = { sub: 'alice', exp: NOW + 24 * 3600, jti: `t-${++minted}` };
  return signed(claims, keyOf(kid).privateKey, { alg: 'ES256', ...header });
}

const verify = async (kid: string, header?: object): Promise<TokenResult> =>
  verifier.verify(await tokenOf(kid, header));

describe('R21 a key set at a URL', () => {
  it('is fetched with the first token, once for all that wait for it', async () => {
    expect(requests).toBe(0);
    const results = await Promise.all(Array.from({ length: 10 }, () => verify('old')));
    expect(results.every(({ ok }) => ok)).toBe(true);
    expect(requests).toBe(1);
  });

  it('accepts a new key once the cooldown has passed', async () => {
    await verify('old');
    publish('old', 'new');
    nowMs += KEY_SET_COOLDOWN_MS - 1;
    expect(await verify('new')).toEqual(refused('signature'));
    expect(requests).toBe(1);
    nowMs += 1;
    expect((await verify('new')).ok).toBe(true);
    expect((await verify('old')).ok).toBe(true);
    expect(requests).toBe(2);
  });

  it('refuses a withdrawn key once the set is old', async () => {
    await verify('old');
    publish('new');
    nowMs += KEY_SET_AGE_MAX_MS - 1;
    expect((await verify('old')).ok).toBe(true);
    nowMs += 1;
    expect(await verify('old')).toEqual(refused('signature'));
    expect((await verify('new')).ok).toBe(true);
  });

  it('refuses a withdrawn key’s tokens that it remembers once both ages have passed', async () => {
    await verify('old');
    publish('new');
    nowMs += KEY_SET_AGE_MAX_MS - 1;
    const token = await tokenOf('old');
    expect((await verifier.verify(token)).ok).toBe(true);
    nowMs += TOKEN_CACHE_AGE_MAX_MS - 1;
    expect(verifier.remembered(token)).toBeDefined();
    nowMs += 1;
    expect(verifier.remembered(token)).toBeUndefined();
    expect(await verifier.verify(token)).toEqual(refused('signature'));
  });

  it('takes an empty set for what it is: no key counts any more', async () => {
    await verify('old');
    publish();
    nowMs += KEY_SET_AGE_MAX_MS;
    expect(await verify('old')).toEqual(refused('signature'));
  });

  it.each([
    ['back', -3_600_000],
    ['forward', 3_600_000],
  ])('D10: measures ages on a clock that is never set, when the system clock is set %s', async (_way, byMs) => {
    await verify('old');
    const token = await tokenOf('old');
    await verifier.verify(token);
    setByMs = byMs;
    nowMs += byMs;
    expect((await verify('old')).ok).toBe(true);
    expect(verifier.remembered(token)).toBeDefined();
    expect(requests).toBe(1);
    publish('new');
    nowMs += KEY_SET_COOLDOWN_MS;
    expect((await verify('new')).ok).toBe(true);
    nowMs += TOKEN_CACHE_AGE_MAX_MS;
    expect(verifier.remembered(token)).toBeUndefined();
    answer(503, '');
    nowMs += KEY_SET_AGE_MAX_MS;
    expect(await verify('new')).toEqual(refused('keys_unavailable'));
    publish('new');
    nowMs -= 60_000;
    setByMs -= 60_000;
    nowMs += KEY_SET_RETRY_MS;
    expect((await verify('new')).ok).toBe(true);
  });

  it('is not fetched for every made-up key', async () => {
    await verify('old');
    nowMs += KEY_SET_COOLDOWN_MS;
    for (let i = 0; i < 20; i++)
      expect(await verify('stranger', { kid: `made-up-${i}` })).toEqual(refused('signature'));
    expect(requests).toBe(2);
  });

  it('goes on with the keys that it has while the URL is down, until they are old', async () => {
    await verify('old');
    answer(503, '');
    nowMs += KEY_SET_AGE_MAX_MS - 1;
    expect((await verify('old')).ok).toBe(true);
    nowMs += 1;
    expect(await verify('old')).toEqual(refused('keys_unavailable'));
  });

  it('never takes a secret for a key', async () => {
    const k = Buffer.from('a secret of at least thirty-two bytes').toString('base64url');
    answer(200, JSON.stringify({ keys: [{ kty: 'oct', k, kid: 'shared', alg: 'HS256' }] }));
    const token = await signed({ sub: 'alice', exp: NOW + 60 }, undefined, { kid: 'shared' });
    expect(await verifier.verify(token)).toEqual(refused('signature'));
  });
});

describe('R21 a key set that cannot be had', () => {
  it.each([
    ['an error', () => answer(500, '{"keys":[]}')],
    ['not found', () => answer(404, '')],
    ['no JSON', () => answer(200, '<html>')],
    ['no key set', () => answer(200, '{"error":"maintenance"}')],
    ['keys that are none', () => answer(200, '{"keys":["old"]}')],
    [
      'a closed connection',
      () => {
        respond = request => request.socket.destroy();
      },
    ],
    [
      'too many bytes',
      () => answer(200, JSON.stringify({ keys: [keyOf('old').jwk], pad: 'x'.repeat(KEY_SET_BYTES_MAX) })),
    ],
  ])('is not blamed on the token: %s; and the token is accepted later', async (_, fail) => {
    fail();
    const token = await tokenOf('old');
    expect(await verifier.verify(token)).toEqual(refused('keys_unavailable'));
    publish('old');
    nowMs += KEY_SET_RETRY_MS;
    expect((await verifier.verify(token)).ok).toBe(true);
  });

  it('is not looked for elsewhere: a redirection is not followed', async () => {
    const good = JSON.stringify({ keys: [keyOf('old').jwk] });
    respond = (request, response) => {
      if (request.url === '/elsewhere') response.end(good);
      else response.writeHead(302, { location: '/elsewhere' }).end();
    };
    expect(await verify('old')).toEqual(refused('keys_unavailable'));
    expect(requests).toBe(1);
  });

  it('is not blamed on the token when nobody listens', async () => {
    const gone = await createTokenVerifier(
      { ...NO_AUTH, jwksUrl: 'http://127.0.0.1:1/keys' },
      () => nowMs,
      monotonicMs,
    );
    expect(await gone.verify(await tokenOf('old'))).toEqual(refused('keys_unavailable'));
  });

  it('is asked for again only after a while', async () => {
    answer(500, '');
    for (let i = 0; i < 20; i++) expect(await verify('old')).toEqual(refused('keys_unavailable'));
    expect(requests).toBe(1);
    nowMs += KEY_SET_RETRY_MS;
    await Promise.all(Array.from({ length: 20 }, () => verify('old')));
    expect(requests).toBe(2);
  });

  it.each<[string, RequestListener]>([
    ['never answers', () => {}],
    ['stops in the middle of its answer', (_, response) => response.writeHead(200).write('{"keys":[')],
  ])('is given up after a bounded time when the URL %s', async (_, slow) => {
    respond = slow;
    const startMs = performance.now();
    const results = await Promise.all([verify('old'), verify('old')]);
    expect(results).toEqual([refused('keys_unavailable'), refused('keys_unavailable')]);
    expect(performance.now() - startMs).toBeLessThan(KEY_SET_TIMEOUT_MS + SLACK_MS);
    expect(requests).toBe(1);
  });

  it('does not keep a token from being refused for what it is', async () => {
    answer(500, '');
    expect(await verifier.verify('a.b.c')).toEqual(refused('malformed'));
    expect(await verifier.verify('x'.repeat(10_000))).toEqual(refused('malformed'));
    expect(await verifier.verify(await signed({ sub: 'alice', exp: NOW + 60 }))).toEqual(refused('signature'));
    expect(requests).toBe(0);
  });
});

describe('R21 the times of a key set', () => {
  it('let a withdrawn key count for ten minutes at most, and a new one be refused for ten seconds', () => {
    expect(KEY_SET_AGE_MAX_MS + TOKEN_CACHE_AGE_MAX_MS).toBeLessThanOrEqual(HOUR_MS / 6);
    expect(KEY_SET_COOLDOWN_MS).toBeLessThanOrEqual(10_000);
  });
});
