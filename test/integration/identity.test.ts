/** A gateway behind identity providers: with the settings of ops/identity.md, and with a key set that comes and goes. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import { type Frame, refusedUpgrade, TestClient } from '../support/client.js';
import { startGateway, type TestGateway } from '../support/gateway.js';
import { documentedPolicy, type Recipe, recipes, startIssuer } from '../support/identity-recipes.js';
import { until } from '../support/until.js';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

/** Small, and as strict as by default, whatever other tests are allowed. */
async function gatewayWith(env: Record<string, string>): Promise<TestGateway> {
  const gateway = await startGateway({
    WORKERS: '2',
    ENCODERS: '1',
    AUTH_JWT_SECRET: '',
    AUTH_ANONYMOUS: '',
    AUTH_DEFAULT_ENTITLEMENTS: '',
    WS_AUTH_FAILURES_PER_IP: '20',
    ...env,
  });
  ends.push(() => gateway.stop());
  return gateway;
}

async function open(url: string): Promise<TestClient> {
  const client = await TestClient.connect(url);
  ends.push(() => client.close());
  return client;
}

async function ask(client: TestClient, command: object, id: string): Promise<Frame> {
  client.send({ ...command, id });
  return client.next(`answer ${id}`, frame => frame.id === id);
}

/** The documented settings in a gateway, and a client with such a token. */
async function connectsAsDocumented({ settings, claims, read }: Recipe): Promise<void> {
  const issuer = await startIssuer();
  ends.push(() => issuer.close());
  const folder = await mkdtemp(join(tmpdir(), 'millrace-identity-'));
  ends.push(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'policy.json'), documentedPolicy());
  const policy = settings.POLICY_FILE === undefined ? {} : { POLICY_FILE: join(folder, 'policy.json') };
  const gateway = await gatewayWith({ ...settings, AUTH_JWKS_URL: issuer.jwksUrl, ...policy });
  const client = await open(`${gateway.url}/ws/quotes?symbols=AAPL&token=${await issuer.sign(claims)}`);
  await client.arrived('quotes_patch');
  const subscribe = (stream: string, more: object) =>
    ask(client, { action: 'subscribe', stream, ...more }, JSON.stringify([stream, more]));
  const quotes = await subscribe('quotes', { symbol: 'AAPL' });
  expect(quotes).toMatchObject({ class: read.tier === 'institutional' ? 'realtime' : '100ms' });
  expect(await subscribe('orders', {})).toMatchObject({ topics: [`orders:${read.user}`] });
  const mayEnter = settings.POLICY_FILE !== undefined && read.roles.includes('trader');
  expect(await subscribe('rooms', { room: 'desk-7' })).toMatchObject({ type: mayEnter ? 'subscribed' : 'error' });
  expect(await subscribe('rooms', { room: 'lobby' })).toMatchObject({ code: 'forbidden' });
  const forged = await refusedUpgrade(`${gateway.url}/ws?token=${await issuer.forge(claims)}`);
  expect(forged).toMatchObject({ status: 401, body: { error: { code: 'unauthorized' } } });
  const foreign = await issuer.sign(claims, { iss: 'https://elsewhere.example' });
  const { status, body, headers } = await refusedUpgrade(`${gateway.url}/ws?token=${foreign}`);
  expect(headers['www-authenticate']).toBe('Bearer');
  expect([status, body.error?.message]).toEqual([401, 'the token was refused: its iss is none of AUTH_ISSUER']);
  expect((await refusedUpgrade(`${gateway.url}/ws/quotes?symbols=AAPL`)).status).toBe(401);
}

describe('I1 R39 the recipes of ops/identity.md', () => {
  const isKeycloak = ({ provider }: Recipe) => provider === 'Keycloak';

  it('I1 connect a user of Keycloak', async () => {
    await connectsAsDocumented(recipes().find(isKeycloak) as Recipe);
  });

  for (const recipe of recipes().filter(one => !isKeycloak(one))) {
    it(`I1 connect a user of ${recipe.provider}`, { tags: ['slow', 'bulk'] }, () => connectsAsDocumented(recipe));
  }
});

describe('I5 R39 a key set at a URL', () => {
  interface Pair {
    readonly kid: string;
    readonly privateKey: CryptoKey;
    readonly jwk: object;
  }

  async function newPair(kid: string): Promise<Pair> {
    const { privateKey, publicKey } = await generateKeyPair('PS384', { extractable: true });
    return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'PS384', use: 'sig' } };
  }

  /** A gateway whose key set answers with 500 until it has keys. */
  async function gatewayWithKeySet() {
    let answer: string | undefined;
    const server = createServer((_, response) => {
      if (answer === undefined) response.writeHead(500).end();
      else response.writeHead(200).end(answer);
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    ends.push(async () => {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
    const gateway = await gatewayWith({ AUTH_JWKS_URL: url, AUTH_AUDIENCE: 'millrace' });
    const urlFor = (token: string) => `${gateway.url}/ws?token=${token}`;
    return {
      gateway,
      publish: (...pairs: readonly Pair[]) => {
        answer = pairs.length === 0 ? undefined : JSON.stringify({ keys: pairs.map(({ jwk }) => jwk) });
      },
      open: (token: string) => open(urlFor(token)),
      refused: (token: string) => refusedUpgrade(urlFor(token)),
      readiness: async () => {
        const response = await fetch(`${gateway.adminUrl}/readyz`, { headers: { connection: 'close' } });
        return { status: response.status, ...((await response.json()) as { missing: string[] }) };
      },
      isState: async (state: string) => (await gateway.metric(`millrace_key_set_state{state="${state}"}`)) === 1,
    };
  }

  const sign = ({ kid, privateKey }: Pair, claims: Record<string, unknown> = {}, header: object = {}) =>
    new SignJWT({ sub: 'alice', aud: 'millrace', ...claims })
      .setProtectedHeader({ alg: 'PS384', kid, ...header })
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(privateKey);

  it('I4 I5 R61 that fails at the start is seen in readiness, log and metrics; refusals of its tokens lock out no one', async () => {
    const { gateway, publish, open: connected, refused, readiness, isState } = await gatewayWithKeySet();
    const pair = await newPair('k1');
    expect(await readiness()).toMatchObject({ status: 503, missing: ['key_set'] });
    await until(() => gateway.log().includes('cannot fetch the key set'));
    expect(await isState('missing')).toBe(true);
    expect(await gateway.metric('millrace_key_set_failures_total{kind="status"}')).toBeGreaterThan(0);
    const early = await refused(await sign(pair));
    expect(early).toMatchObject({ status: 503, body: { error: { code: 'unavailable' } } });
    expect(Number(early.headers['retry-after'])).toBeGreaterThan(0);

    publish(pair);
    await until(async () => (await readiness()).status === 200, 60_000, 'the key set is fetched');
    expect(await isState('current')).toBe(true);
    await connected(await sign(pair));
    for (let n = 0; n < 25; n++) {
      const unknown = await refused(await sign(pair, {}, { kid: `unknown-${n}` }));
      const foreign = await refused(await sign(pair, { aud: 'other' }));
      expect([unknown, foreign].map(({ status, body }) => [status, body.error?.message])).toEqual([
        [401, 'the token was refused: no key here has its kid and fits its alg'],
        [401, 'the token was refused: its aud names none of AUTH_AUDIENCE'],
      ]);
    }
    await connected(await sign(pair));
  });

  it(
    'I5 that changes and then fails: new keys count within seconds, and the last ones stay',
    { tags: ['slow', 'bulk'] },
    async () => {
      const { gateway, publish, open: connected, refused, readiness, isState } = await gatewayWithKeySet();
      const [first, second] = [await newPair('k1'), await newPair('k2')];
      publish(first);
      await until(async () => (await readiness()).status === 200, 60_000, 'the key set is fetched');
      const client = await connected(await sign(first));
      publish(first, second);
      const withSecond = async () => connected(await sign(second)).catch(() => undefined);
      await until(withSecond, 60_000, 'the second key is accepted');
      publish();
      const becomesStale = async () => {
        await refused(await sign(first, {}, { kid: 'unknown' }));
        return isState('stale');
      };
      await until(becomesStale, 60_000, 'the key set is stale');
      await until(() => gateway.log().includes('cannot refresh the key set'));
      expect(await gateway.metric('millrace_key_set_age_seconds')).toBeGreaterThan(0);
      await connected(await sign(second));
      expect(await readiness()).toMatchObject({ status: 200 });
      expect(client.closed).toBeUndefined();
    },
  );
});

it('I2 R32 a token without entitlements opens market data and its own orders, neither analytics nor rooms', async () => {
  const gateway = await gatewayWith({ AUTH_JWT_SECRET: 'x'.repeat(32), SYMBOLS: 'AAPL' });
  const token = await new SignJWT({ sub: 'alice' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(Buffer.from('x'.repeat(32)));
  for (const path of ['/ws/quotes?symbols=AAPL&', '/ws/trades?', '/ws/markets/AAPL?', '/ws/orders?', '/ws?']) {
    await open(`${gateway.url}${path}token=${token}`);
  }
  const analytics = await refusedUpgrade(`${gateway.url}/ws/analytics?channels=alerts&token=${token}`);
  expect(analytics).toMatchObject({ status: 403, body: { error: { code: 'forbidden' } } });
  const client = await open(`${gateway.url}/ws?token=${token}`);
  const room = await ask(client, { action: 'subscribe', stream: 'rooms', room: 'lobby' }, 'r');
  expect(room).toMatchObject({ type: 'error', code: 'forbidden' });
});

describe('I8 a gateway with a key of its own', () => {
  /** Whether the client port answers at another address of this machine's loopback network. */
  const answersAt = (gateway: TestGateway, address: string) =>
    new Promise<boolean>(resolve => {
      const socket = connect(Number(new URL(gateway.url).port), address);
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      ends.push(async () => socket.destroy());
    });

  it.runIf(process.platform === 'linux')('I8 is there for this machine only, unless HOST is named', async () => {
    const own = await gatewayWith({ WORKERS: '1' });
    expect(own.stdout()).toContain('only this machine can connect');
    const [, token = ''] = /MILLRACE_TOKEN=(\S+)/.exec(own.stdout()) ?? [];
    const client = await open(`${own.url}/ws?token=${token}`);
    for (const stream of ['quotes', 'trades', 'depth']) {
      expect(await ask(client, { action: 'subscribe', stream, symbol: 'AAPL' }, stream)).toMatchObject({
        type: 'subscribed',
      });
    }
    expect(await ask(client, { action: 'subscribe', stream: 'rooms', room: 'lobby' }, 'rooms')).toMatchObject({
      type: 'subscribed',
    });
    expect(await answersAt(own, '127.0.0.1')).toBe(true);
    expect(await answersAt(own, '127.0.0.2')).toBe(false);
    const named = await gatewayWith({ WORKERS: '1', HOST: '0.0.0.0' });
    expect(await answersAt(named, '127.0.0.2')).toBe(true);
    expect(named.stdout()).not.toContain('only this machine can connect');
  });
});
