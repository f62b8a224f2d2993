import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair } from 'jose';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  KEY_SET_AGE_MAX_MS,
  KEY_SET_BYTES_MAX,
  KEY_SET_COOLDOWN_MS,
  KEY_SET_RETRY_MAX_MS,
  KEY_SET_RETRY_MS,
  KEY_SET_STALE_MAX_MS,
  KEY_SET_TIMEOUT_MS,
  RemoteKeySet,
} from '../../../src/auth/remote-key-set.js';
import { createTokenVerifier, type TokenVerifier } from '../../../src/auth/token.js';
import { TOKEN_CACHE_AGE_MAX_MS } from '../../../src/auth/token-cache.js';
import type { TokenResult } from '../../../src/auth/token-refusal.js';
import { NO_AUTH, NOW, NOW_MS, refused, signed } from './signed.js';

const HOUR_MS = 3_600_000;
/** More than a timeout takes on a busy machine, and far less than the test may. */
const SLACK_MS = 20_000;

const pairs = new Map<string, { privateKey: CryptoKey; jwk: object }>();
let server: Server;
let url = '';
let requests = 0;
let respond: RequestListener;
let nowMs = 0;
let log: { level: string; fields: Record<string, unknown>; message: string }[];
let changes = 0;
let keySet: RemoteKeySet;
let verifier: TokenVerifier;
let minted = 0;

beforeAll(async () => {
  for (const kid of ['old', 'new', 'stranger']) {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    pairs.set(kid, { privateKey, jwk: { ...(await exportJWK(publicKey)), alg: 'ES256', kid } });
  }
});
beforeEach(async () => {
  nowMs = 1_000_000;
  requests = 0;
  changes = 0;
  log = [];
  publish('old');
  server = createServer((request, response) => {
    requests++;
    respond(request, response);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  keySet = keySetAt(url);
  verifier = await verifierWith(keySet);
});
afterEach(async () => {
  keySet.close();
  server.closeAllConnections();
  await new Promise(resolve => server.close(resolve));
});

function keySetAt(address: string): RemoteKeySet {
  const note = (level: string) => (fields: object, message: string) => {
    log.push({ level, fields: fields as Record<string, unknown>, message });
  };
  return new RemoteKeySet({
    url: address,
    log: { info: note('info'), error: note('error') },
    monotonicMs: () => nowMs,
    onChanged: () => changes++,
  });
}

const verifierWith = (remoteKeys: RemoteKeySet) =>
  createTokenVerifier({ ...NO_AUTH, jwksUrl: url }, { nowMs: () => NOW_MS, monotonicMs: () => nowMs, remoteKeys });

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
  const claims = { sub: 'alice', exp: NOW + 48 * 3600, jti: `t-${++minted}` };
  return signed(claims, keyOf(kid).privateKey, { alg: 'ES256', ...header });
}

const verify = async (kid: string, header?: object): Promise<TokenResult> =>
  verifier.verify(await tokenOf(kid, header));

/** Time passes, and what is due is done. */
async function pass(ms: number): Promise<void> {
  nowMs += ms;
  await keySet.look();
}

const errors = (): readonly Record<string, unknown>[] =>
  log.filter(({ level }) => level === 'error').map(({ fields, message }) => ({ ...fields, message }));

describe('R21 a key set at a URL', () => {
  it('I5 is fetched at the start, before any token', async () => {
    await keySet.open();
    expect(requests).toBe(1);
    expect(keySet.stats).toMatchObject({ state: 'current', fetches: 1 });
    expect((await verify('old')).ok).toBe(true);
    expect(requests).toBe(1);
    expect(log.map(({ message }) => message)).toEqual(['key set fetched']);
  });

  it('is fetched once for all tokens that wait for it', async () => {
    const results = await Promise.all(Array.from({ length: 10 }, () => verify('old')));
    expect(results.every(({ ok }) => ok)).toBe(true);
    expect(requests).toBe(1);
  });

  it('accepts a new key once the cooldown has passed', async () => {
    await verify('old');
    publish('old', 'new');
    nowMs += KEY_SET_COOLDOWN_MS - 1;
    expect(await verify('new')).toEqual(refused('key'));
    expect(requests).toBe(1);
    nowMs += 1;
    expect((await verify('new')).ok).toBe(true);
    expect((await verify('old')).ok).toBe(true);
    expect(requests).toBe(2);
  });

  it('refuses a withdrawn key once the set is old', async () => {
    await verify('old');
    publish('new');
    await pass(KEY_SET_AGE_MAX_MS - 1);
    expect((await verify('old')).ok).toBe(true);
    await pass(1);
    expect(await verify('old')).toEqual(refused('key'));
    expect((await verify('new')).ok).toBe(true);
  });

  it('refuses a withdrawn key’s tokens that it remembers as soon as it knows, and keeps the others while nothing changes', async () => {
    const remember = async () => {
      await pass(KEY_SET_AGE_MAX_MS - 1);
      const token = await tokenOf('old');
      await verifier.verify(token);
      nowMs += 1;
      expect(verifier.remembered(token)).toBeDefined();
      return token;
    };
    await verify('old');
    const kept = await remember();
    await keySet.look();
    expect(requests).toBe(2);
    expect(verifier.remembered(kept)).toBeDefined();
    const token = await remember();
    publish('new');
    await keySet.look();
    expect(requests).toBe(3);
    expect(verifier.remembered(token)).toBeUndefined();
    expect(await verifier.verify(token)).toEqual(refused('key'));
  });

  it('takes an empty set for what it is: no key counts any more', async () => {
    await verify('old');
    publish();
    await pass(KEY_SET_AGE_MAX_MS);
    expect(await verify('old')).toEqual(refused('key'));
  });

  it('I4 is not fetched for every made-up key, once per cooldown at most', async () => {
    await verify('old');
    for (let round = 1; round <= 3; round++) {
      nowMs += KEY_SET_COOLDOWN_MS;
      for (let i = 0; i < 20; i++) expect(await verify('stranger', { kid: `made-up-${i}` })).toEqual(refused('key'));
      expect(requests).toBe(1 + round);
    }
  });

  it('never takes a secret for a key', async () => {
    const k = Buffer.from('a secret of at least thirty-two bytes').toString('base64url');
    answer(200, JSON.stringify({ keys: [{ kty: 'oct', k, kid: 'shared', alg: 'HS256' }] }));
    const token = await signed({ sub: 'alice', exp: NOW + 60 }, undefined, { kid: 'shared' });
    expect(await verifier.verify(token)).toEqual(refused('algorithm'));
  });

  it('tells whenever its keys are others, and only then', async () => {
    await keySet.open();
    await pass(KEY_SET_AGE_MAX_MS);
    expect([requests, changes]).toEqual([2, 1]);
    publish('old', 'new');
    await pass(KEY_SET_AGE_MAX_MS);
    expect([requests, changes]).toEqual([3, 2]);
  });
});

describe('I5 a key set that cannot be refreshed', () => {
  it('I5 keeps its last keys for a day, says so once, and counts', async () => {
    await verify('old');
    answer(503, '');
    await pass(KEY_SET_AGE_MAX_MS);
    for (let i = 0; i < 5; i++) await pass(KEY_SET_RETRY_MAX_MS);
    expect((await verify('old')).ok).toBe(true);
    expect(keySet.stats).toMatchObject({ state: 'stale', failures: { status: 6 } });
    expect(keySet.stats.ageMs).toBe(KEY_SET_AGE_MAX_MS + 5 * KEY_SET_RETRY_MAX_MS);
    expect(errors()).toEqual([
      {
        url,
        kind: 'status',
        detail: 'it answers HTTP 503',
        message: 'cannot refresh the key set; keeping the last keys',
      },
    ]);
    await pass(KEY_SET_STALE_MAX_MS);
    expect(await verify('old')).toEqual(refused('keys_unavailable'));
    expect(keySet.stats.state).toBe('missing');
    expect(errors().at(-1)?.message).toContain('are too old');
    publish('new');
    await pass(KEY_SET_RETRY_MAX_MS);
    expect((await verify('new')).ok).toBe(true);
    expect(keySet.stats.state).toBe('current');
    expect(log.at(-1)).toMatchObject({ level: 'info', message: 'key set fetched' });
  });

  it('I5 has a line for each kind of failure, again after a success', async () => {
    await keySet.open();
    for (const round of [1, 2]) {
      answer(500, '');
      await pass(KEY_SET_AGE_MAX_MS);
      await pass(KEY_SET_RETRY_MS);
      answer(200, '<html>');
      await pass(2 * KEY_SET_RETRY_MS);
      await pass(4 * KEY_SET_RETRY_MS);
      expect(errors().map(({ kind }) => kind)).toEqual(
        Array.from({ length: round }, () => ['status', 'invalid']).flat(),
      );
      publish('old');
      await pass(8 * KEY_SET_RETRY_MS);
      expect(keySet.stats.state).toBe('current');
      expect(log.at(-1)).toMatchObject({ fields: { failures: 4, hasChanged: false } });
    }
    expect(keySet.stats.failures).toEqual({ unreachable: 0, timeout: 0, status: 4, invalid: 4 });
  });

  it('I5 shows no secret of its URL', async () => {
    const secretive = keySetAt(`${url.replace('//', '//me:hunter2@')}?key=hunter3`);
    answer(500, '');
    await secretive.open();
    secretive.close();
    expect(JSON.stringify(log)).not.toContain('hunter');
    expect(errors()).toHaveLength(1);
  });
});

describe('I5 a key set that cannot be had at the start', () => {
  it.each<[string, string, () => void]>([
    ['an error', 'status', () => answer(500, '{"keys":[]}')],
    ['not found', 'status', () => answer(404, '')],
    ['no JSON', 'invalid', () => answer(200, '<html>')],
    ['no key set', 'invalid', () => answer(200, '{"error":"maintenance"}')],
    ['keys that are none', 'invalid', () => answer(200, '{"keys":["old"]}')],
    [
      'a closed connection',
      'unreachable',
      () => {
        respond = request => request.socket.destroy();
      },
    ],
    [
      'too many bytes',
      'invalid',
      () => answer(200, JSON.stringify({ keys: [keyOf('old').jwk], pad: 'x'.repeat(KEY_SET_BYTES_MAX) })),
    ],
  ])(
    'I5 is missing, logged and counted, and is not blamed on the token, which is accepted later: %s',
    async (_, kind, fail) => {
      fail();
      await keySet.open();
      expect(keySet.stats).toMatchObject({ state: 'missing', ageMs: undefined, fetches: 1, failures: { [kind]: 1 } });
      expect(errors()).toMatchObject([{ url, kind, message: expect.stringContaining('the gateway is not ready') }]);
      const token = await tokenOf('old');
      expect(await verifier.verify(token)).toEqual(refused('keys_unavailable'));
      publish('old');
      nowMs += KEY_SET_RETRY_MS;
      expect((await verifier.verify(token)).ok).toBe(true);
      expect(keySet.stats.state).toBe('current');
    },
  );

  it('is not looked for elsewhere: a redirection is not followed', async () => {
    const good = JSON.stringify({ keys: [keyOf('old').jwk] });
    respond = (request, response) => {
      if (request.url === '/elsewhere') response.end(good);
      else response.writeHead(302, { location: '/elsewhere' }).end();
    };
    expect(await verify('old')).toEqual(refused('keys_unavailable'));
    expect(requests).toBe(1);
  });

  it('I5 says why nothing answers', async () => {
    const gone = keySetAt('http://127.0.0.1:1/keys');
    await gone.open();
    gone.close();
    expect(errors()).toMatchObject([{ kind: 'unreachable', detail: expect.stringMatching(/ECONNREFUSED|bad port/) }]);
    expect(await (await verifierWith(gone)).verify(await tokenOf('old'))).toEqual(refused('keys_unavailable'));
  });

  it('is asked for again only after a while, and by itself at ever longer intervals', async () => {
    answer(500, '');
    for (let i = 0; i < 20; i++) expect(await verify('old')).toEqual(refused('keys_unavailable'));
    expect(requests).toBe(1);
    nowMs += KEY_SET_RETRY_MS;
    await Promise.all(Array.from({ length: 20 }, () => verify('old')));
    expect(requests).toBe(2);
    for (const [waitMs, expected] of [
      [2 * KEY_SET_RETRY_MS - 1, 2],
      [1, 3],
      [4 * KEY_SET_RETRY_MS - 1, 3],
      [1, 4],
      [KEY_SET_RETRY_MAX_MS, 5],
    ] as const) {
      await pass(waitMs);
      expect(requests).toBe(expected);
    }
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
    expect(keySet.stats.failures.timeout).toBe(1);
  });

  it('does not keep a token from being refused for what it is', async () => {
    answer(500, '');
    expect(await verifier.verify('a.b.c')).toEqual(refused('malformed'));
    expect(await verifier.verify('x'.repeat(10_000))).toEqual(refused('malformed'));
    expect(await verifier.verify(await signed({ sub: 'alice', exp: NOW + 60 }))).toEqual(refused('algorithm'));
    expect(requests).toBe(0);
  });

  it('is not fetched any more once it is closed', async () => {
    respond = () => {};
    const opening = keySet.open();
    keySet.close();
    await opening;
    expect(errors()).toEqual([]);
  });
});

describe('R21 the times of a key set', () => {
  it('let a withdrawn key count for five minutes, and a new one be refused for ten seconds', () => {
    expect(KEY_SET_AGE_MAX_MS).toBeLessThanOrEqual(HOUR_MS / 12);
    expect(TOKEN_CACHE_AGE_MAX_MS).toBeLessThanOrEqual(HOUR_MS / 12);
    expect(KEY_SET_COOLDOWN_MS).toBeLessThanOrEqual(10_000);
  });
});
