/** What becomes of a live connection when its credential ends, is renewed, replaced or taken back. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mintToken } from '../../src/auth/token.js';
import { type Frame, refusedUpgrade, TestClient } from '../support/client.js';
import { Documents } from '../support/documents.js';
import { startGateway, TEST_SECRET, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { TcpGate } from '../support/tcp-gate.js';
import { until } from '../support/until.js';

const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const WORKER_DEATH = new URL('../support/worker-death.mjs', import.meta.url).href;
/** How far clocks may be apart: a token ends this long after its `exp`. */
const CLOCK_TOLERANCE_MS = 5_000;
/** A gateway looks at the file of keys every two seconds. */
const KEY_FILE_SEEN_MS = 6_000;

type Claims = Parameters<typeof testToken>[0];

const clients: TestClient[] = [];

afterEach(async () => {
  await Promise.all(clients.splice(0).map(client => client.close()));
});

async function open(url: string, headers: Record<string, string> = {}): Promise<TestClient> {
  const client = await TestClient.connect(url, { headers });
  clients.push(client);
  return client;
}

async function connect(gateway: TestGateway, claims: Claims = {}, path = '/ws'): Promise<TestClient> {
  const separator = path.includes('?') ? '&' : '?';
  return open(`${gateway.url}${path}${separator}token=${await testToken(claims)}`);
}

const answer = (client: TestClient, id: string) => client.next(`answer ${id}`, frame => frame.id === id);

async function ask(client: TestClient, command: object, id: string): Promise<Frame> {
  client.send({ ...command, id });
  return answer(client, id);
}

async function auth(client: TestClient, token: string, id = 'auth'): Promise<Frame> {
  return ask(client, { action: 'auth', token }, id);
}

async function closeCode(client: TestClient, timeoutMs?: number): Promise<number | undefined> {
  await until(() => client.closed !== undefined, timeoutMs, 'the connection is closed');
  return client.closed?.code;
}

const quote = (symbol: string, n: number) => ({ symbol, current_price: n });
const trade = (symbol: string, n: number) => ({ symbol, trade_id: n, price: '1.5', quantity: '2', buyer_id: 'b' });
const order = (id: string) => ({ action: 'created', order_id: id, symbol: 'A', side: 'buy', status: 'open' });

const grants = (...texts: string[]) => texts.flatMap(text => ['--entitlement', text]);

/** The API key that the command line prints. */
function createKey(file: string, ...options: string[]): string {
  const args = [PROGRAM, 'api-key', 'create', '--file', file, ...options];
  return execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}

const idOf = (key: string): string => /^mr_(k_[0-9a-f]+)_/.exec(key)?.[1] ?? '';

const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());

describe('R21 R33 API keys', () => {
  let folder: string;
  let file: string;
  let nats: NatsServer;
  let publisher: TestPublisher;
  let gateway: TestGateway;
  let deskKey: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-keys-'));
    file = join(folder, 'keys.json');
    deskKey = createKey(file, '--sub', 'desk', '--tier', 'institutional', ...grants('quotes:*', 'orders:*'));
    nats = await startNatsServer();
    gateway = await startGateway({ NATS_URL: nats.url, SYMBOLS: '*', WORKERS: '2', AUTH_API_KEYS_FILE: file });
    publisher = await TestPublisher.connect(nats.url);
  });

  afterAll(async () => {
    await publisher.close();
    await gateway.stop();
    await nats.stop();
    await rm(folder, { recursive: true });
  });

  const withKey = (key: string, path = '/ws?') => open(`${gateway.url}${path}api_key=${key}`);
  /** Each worker looks at the file in its own time, and which one answers is chance. */
  async function accepted(key: string): Promise<TestClient> {
    const attempt = () => withKey(key).catch(() => undefined);
    return (await until(attempt, KEY_FILE_SEEN_MS, 'the key is accepted')) as TestClient;
  }
  const refused = (key: string) =>
    until(
      () =>
        refusedUpgrade(`${gateway.url}/ws?api_key=${key}`).then(
          ({ status }) => status === 401,
          () => false,
        ),
      KEY_FILE_SEEN_MS,
      'the key is refused',
    );
  const remove = (key: string) =>
    execFileSync(process.execPath, [PROGRAM, 'api-key', 'remove', idOf(key), '--file', file], { stdio: 'ignore' });

  it('R21 open a connection by the query and by the header, as the user, tier and entitlements of their entry', async () => {
    const byQuery = await withKey(deskKey, '/ws/orders?');
    const byHeader = await open(`${gateway.url}/ws/orders`, { 'X-API-Key': deskKey });
    publisher.put('orders.desk', order('o1'));
    for (const client of [byQuery, byHeader]) {
      expect((await client.arrived('order_update'))[0]).toMatchObject({ order_id: 'o1', user_id: 'desk' });
      expect(await ask(client, { action: 'subscribe', stream: 'quotes', symbol: 'A' }, 'q')).toMatchObject({
        class: 'realtime',
      });
      const denied = await ask(client, { action: 'subscribe', stream: 'trades', symbol: 'A' }, 't');
      expect(denied).toMatchObject({ type: 'error', code: 'forbidden' });
    }
  });

  it.each([
    ['of another secret', (key: string) => `${key.slice(0, -4)}AAAA`],
    ['that nobody made', (key: string) => key.replace(/k_[0-9a-f]+/, 'k_0000')],
    ['that is none', () => 'secret'],
    ['that is empty', () => ''],
  ])('R21 one %s is 401', async (_which, spoil) => {
    const refused = await refusedUpgrade(`${gateway.url}/ws/quotes?symbols=A&api_key=${spoil(deskKey)}`);
    expect(refused).toMatchObject({ status: 401, body: { error: { code: 'unauthorized' } } });
  });

  it('R21 one that is made while the gateway runs is accepted within seconds, and ends with its time', async () => {
    const key = createKey(file, '--sub', 'temp', '--ttl', '4s');
    const client = await accepted(key);
    const warning = await client.next('warning', frame => frame.code === 'token_expiring', 30_000);
    const endMs = Date.parse(warning.expires_at as string);
    expect(await closeCode(client, 30_000)).toBe(4001);
    expect(Date.now()).toBeGreaterThanOrEqual(endMs);
    await refused(key);
  });

  it('R33 one that is removed closes its connections with 4500, is 401 from then on, and others are not touched', async () => {
    const key = createKey(file, '--sub', 'leaver');
    const clientsOfKey = [await accepted(key), await accepted(key), await accepted(key)];
    const other = await withKey(deskKey);
    remove(key);
    for (const client of clientsOfKey) expect(await closeCode(client, KEY_FILE_SEEN_MS)).toBe(4500);
    await refused(key);
    expect(await ask(other, { action: 'ping' }, 'p')).toMatchObject({ type: 'pong' });
  });

  it('R33 one that gets another secret ends, and the new one is accepted; so is one that was removed and is back', async () => {
    const key = createKey(file, '--sub', 'rotated');
    const before = await accepted(key);
    const old = await readFile(file, 'utf8');
    const next = `mr_${idOf(key)}_${randomBytes(32).toString('base64url')}`;
    const digest = (text: string) => createHash('sha256').update(text).digest('hex');
    await replace(old.replace(digest(key), digest(next)));
    expect(await closeCode(before, KEY_FILE_SEEN_MS)).toBe(4500);
    const after = await accepted(next);
    await refused(key);
    await replace(old);
    expect(await closeCode(after, KEY_FILE_SEEN_MS)).toBe(4500);
    await accepted(key);
  });

  it('R21 a file that cannot be used is reported, and the keys known stay', async () => {
    const text = await readFile(file, 'utf8');
    await replace('{"keys":');
    await until(() => gateway.log().includes('API key file unusable'), KEY_FILE_SEEN_MS);
    await withKey(deskKey);
    await replace(text);
  });

  /** As a careful editor does: nobody reads half of it. */
  async function replace(text: string): Promise<void> {
    await writeFile(`${file}.edit`, text, { mode: 0o600 });
    await rename(`${file}.edit`, file);
  }
});

it('R21 where no file of API keys is configured, each is 401', async () => {
  const gateway = await startGateway();
  const key = `mr_k_0123_${randomBytes(32).toString('base64url')}`;
  expect((await refusedUpgrade(`${gateway.url}/ws?api_key=${key}`)).status).toBe(401);
  await gateway.stop();
});

describe('R33 the end of a token', () => {
  const TTL_MS = 3_000;
  let gateway: TestGateway;
  let expiring: TestClient;
  let renewing: TestClient;
  let expiresAtMs: number;

  beforeAll(async () => {
    gateway = await startGateway({ WORKERS: '2' });
    const token = await testToken({ ttlMs: TTL_MS });
    expiresAtMs = Number(claimsOf(token).exp) * 1000;
    expiring = await TestClient.connect(`${gateway.url}/ws?token=${token}`);
    renewing = await TestClient.connect(`${gateway.url}/ws/quotes?symbols=AAPL&token=${token}`);
  });

  afterAll(async () => {
    await renewing.close();
    await gateway.stop();
  });

  it('R33 is announced before it comes', async () => {
    const [warning] = await expiring.arrived('warning');
    expect(warning).toMatchObject({ code: 'token_expiring', expires_at: new Date(expiresAtMs).toISOString() });
    expect(Date.now()).toBeLessThan(expiresAtMs);
  });

  it('R33 does not come for who renews in time', async () => {
    await renewing.arrived('warning');
    const token = await testToken({ ttlMs: 60_000 });
    const expires_at = new Date(Number(claimsOf(token).exp) * 1000).toISOString();
    expect(await auth(renewing, token)).toEqual({ type: 'ack', id: 'auth', expires_at });
  });

  it('R33 closes the connection with 4001 once clocks that differ cannot be the reason', async () => {
    expect(await closeCode(expiring, 30_000)).toBe(4001);
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAtMs + CLOCK_TOLERANCE_MS - 100);
    expect(Date.now()).toBeLessThan(expiresAtMs + CLOCK_TOLERANCE_MS + 2_000);
    // The same token, on the same worker or the other: renewed, it lives on.
    expect(await ask(renewing, { action: 'ping' }, 'p')).toMatchObject({ type: 'pong' });
    expect(renewing.ofType('warning')).toHaveLength(1);
    expect(await gateway.metric('millrace_closes_total{code="4001"}')).toBe(1);
  });
});

describe.each([
  ['core NATS', 'off'],
  ['JetStream', 'on'],
])('over %s', (_name, jetstream) => {
  let nats: NatsServer;
  let publisher: TestPublisher;
  let first: TestGateway;
  let second: TestGateway;
  let apiKey: string;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-live-'));
    const file = join(folder, 'keys.json');
    apiKey = createKey(file, '--sub', 'machine');
    nats = await startNatsServer({ jetstream: jetstream === 'on' });
    const env = { NATS_URL: nats.url, JETSTREAM: jetstream, SYMBOLS: '*', WORKERS: '2', AUTH_API_KEYS_FILE: file };
    first = await startGateway({ ...env, NODE_NAME: 'first' });
    second = await startGateway({ ...env, NODE_NAME: 'second' });
    publisher = await TestPublisher.connect(nats.url);
  });

  afterAll(async () => {
    await publisher.close();
    await Promise.all([first.stop(), second.stop()]);
    await nats.stop();
    await rm(folder, { recursive: true });
  });

  /** Publishes a trade of each symbol every few milliseconds while `during` runs. Resolves with how many there were. */
  async function whileTrading(symbols: readonly string[], during: () => Promise<unknown>): Promise<number> {
    let published = 0;
    const timer = setInterval(() => {
      for (const symbol of symbols) publisher.put(`md.trades.${symbol}`, trade(symbol, published));
      published++;
    }, 2);
    try {
      await during();
    } finally {
      clearInterval(timer);
    }
    return published;
  }

  /** The trades of a symbol have come to the last that was published, each behind the one before it. */
  async function expectWhole(client: TestClient, symbol: string, published: number): Promise<void> {
    const last = await client.next(
      `trade ${published - 1} of ${symbol}`,
      frame => frame.symbol === symbol && frame.trade_id === published - 1,
    );
    expect(last).toBeDefined();
    const ids = client.ofType('trade_executed').flatMap(frame => (frame.symbol === symbol ? [frame.trade_id] : []));
    const from = ids[0] as number;
    expect(ids).toEqual(Array.from({ length: published - from }, (_, i) => from + i));
    expect(client.ofType('gap')).toEqual([]);
    new Documents().follow(client);
  }

  describe('R33 auth', () => {
    it('R33 with a token that is not accepted is refused, and the old credential goes on', async () => {
      const client = await connect(first, { sub: 'alice' }, '/ws/orders');
      const bad = {
        garbage: 'garbage',
        empty: '',
        expired: await testToken({ ttlMs: -60_000 }),
        foreign: await testToken({ secret: 'another-secret-than-the-one-of-the-gateway' }),
      };
      for (const [id, token] of Object.entries(bad)) {
        expect(await auth(client, token, id)).toMatchObject({ type: 'error', id, code: 'unauthorized' });
      }
      client.send({ action: 'auth', id: 'none' });
      expect(await answer(client, 'none')).toMatchObject({ type: 'error', code: 'invalid_message' });
      publisher.put('orders.alice', order('still'));
      await client.arrived('order_update');
      expect(await ask(client, { action: 'subscribe', stream: 'quotes', symbol: 'A' }, 'q')).toMatchObject({
        type: 'subscribed',
      });
    });

    it('R32 R33 that narrows ends the topics that are lost, and names them; those that are kept miss nothing', async () => {
      const client = await connect(first, { sub: 'alice' });
      const symbols = ['KEPT', 'LOST'];
      const published = await whileTrading(symbols, async () => {
        for (const stream of ['trades', 'quotes', 'depth']) {
          await ask(client, { action: 'subscribe', stream, symbols }, stream);
        }
        await ask(client, { action: 'subscribe', stream: 'rooms', room: 'desk' }, 'room');
        await client.arrived('trade_executed', 50);
        const entitlements = ['trades:KEPT', 'quotes:KEPT', 'rooms:*'];
        expect(await auth(client, await testToken({ sub: 'alice', entitlements }))).toMatchObject({ type: 'ack' });
        const warning = await client.next('warning', frame => frame.type === 'warning');
        expect(warning).toMatchObject({ code: 'forbidden' });
        expect((warning.topics as string[]).toSorted()).toEqual([
          'depth:KEPT',
          'depth:LOST',
          'quotes:LOST',
          'trades:LOST',
        ]);
        const told = client.frames.indexOf(warning);
        await until(() => client.frames.length > told + 100);
        expect(client.frames.slice(told).filter(frame => frame.symbol === 'LOST')).toEqual([]);
      });
      await expectWhole(client, 'KEPT', published);
      const again = await ask(client, { action: 'subscribe', stream: 'trades', symbol: 'LOST' }, 'again');
      expect(again).toMatchObject({ type: 'error', code: 'forbidden' });
    });

    it('R33 of another tier moves topics to its class, with a snapshot, and back; trades miss nothing', async () => {
      publisher.put('md.quotes.TIER', quote('TIER', 0));
      const client = await connect(first, { sub: 'tina' }, '/ws/quotes?symbols=TIER');
      const snapshots = () => client.ofType('quotes_patch').filter(frame => frame.snapshot === true);
      // Who is there before the quote gets an empty snapshot first, and another with the quote.
      await until(() => new Documents().follow(client).document.quotes.TIER?.current_price === 0);
      const begun = snapshots().length;
      const published = await whileTrading(['TIER', 'T2'], async () => {
        await ask(client, { action: 'subscribe', stream: 'trades', symbols: ['TIER', 'T2'] }, 't');
        await client.arrived('trade_executed', 50);
        expect(await auth(client, await testToken({ sub: 'tina', tier: 'retail' }), 'down')).toMatchObject({
          type: 'ack',
        });
        await until(() => snapshots().length === begun + 1);
        const tooFast = { action: 'subscribe', stream: 'quotes', symbol: 'TIER', class: 'realtime' };
        expect(await ask(client, tooFast, 'fast')).toMatchObject({ type: 'error', code: 'forbidden' });
        const tokens = await Promise.all(
          (['institutional', 'retail'] as const).map(tier => testToken({ sub: 'tina', tier })),
        );
        for (let i = 0; i < 20; i++) await auth(client, tokens[i % 2] as string, `flip${i}`);
        const seen = client.ofType('trade_executed').length;
        await client.arrived('trade_executed', seen + 50);
      });
      await expectWhole(client, 'TIER', published);
      await expectWhole(client, 'T2', published);
      const before = client.ofType('quotes_patch').length;
      for (let n = 1; n <= 100; n++) publisher.put('md.quotes.TIER', quote('TIER', n));
      await until(() => new Documents().follow(client).document.quotes.TIER?.current_price === 100);
      // A hundred changes at once are one, or two, in a class that is sent ten times a second.
      expect(client.ofType('quotes_patch').length - before).toBeLessThan(10);
    });

    it('R33 of another tier leaves the trades of all symbols whole', async () => {
      const client = await connect(first, { sub: 'tom', tier: 'institutional' }, '/ws/trades');
      const published = await whileTrading(['ALL1', 'ALL2'], async () => {
        await client.arrived('trade_executed', 50);
        const tokens = await Promise.all(
          (['retail', 'institutional'] as const).map(tier => testToken({ sub: 'tom', tier })),
        );
        for (let i = 0; i < 20; i++) await auth(client, tokens[i % 2] as string, `flip${i}`);
        const seen = client.ofType('trade_executed').length;
        await client.arrived('trade_executed', seen + 50);
      });
      await expectWhole(client, 'ALL1', published);
      await expectWhole(client, 'ALL2', published);
    });

    it('R22 R33 of another tier leaves orders, alerts and rooms whole', async () => {
      const client = await connect(first, { sub: 'olga' }, '/ws/orders');
      await ask(client, { action: 'subscribe', channels: ['alerts'] }, 'a');
      await ask(client, { action: 'subscribe', stream: 'rooms', room: 'whole' }, 'r');
      let n = 0;
      const timer = setInterval(() => {
        publisher.put('orders.olga', order(`o${n}`));
        publisher.put('analytics.alerts', { data: n, timestamp: '2026-11-20T22:50:02.316Z' });
        client.send({ action: 'publish', stream: 'rooms', room: 'whole', data: n });
        n++;
      }, 3);
      try {
        const tokens = await Promise.all(
          (['retail', 'institutional'] as const).map(tier => testToken({ sub: 'olga', tier })),
        );
        for (let i = 0; i < 20; i++) {
          await auth(client, tokens[i % 2] as string, `flip${i}`);
          await client.arrived('order_update', 5 * (i + 1));
        }
      } finally {
        clearInterval(timer);
      }
      for (const type of ['order_update', 'alert', 'room_message']) {
        const frames = await client.arrived(type, n);
        frames.slice(1).forEach((frame, i) => {
          expect([type, frame.prev_seq]).toEqual([type, frames[i]?.seq]);
        });
        expect(frames).toHaveLength(n);
      }
      expect(client.ofType('gap')).toEqual([]);
    });

    it('R32 R33 that takes trades:full away ends the parties of trades, and no trade is missed', async () => {
      const full = ['trades:full', 'trades:*'];
      const client = await connect(first, { sub: 'fay', entitlements: full });
      const published = await whileTrading(['FULL'], async () => {
        await ask(client, { action: 'subscribe', stream: 'trades', symbol: 'FULL' }, 't');
        await client.arrived('trade_executed', 50);
        expect(client.ofType('trade_executed').every(frame => frame.buyer_id === 'b')).toBe(true);
        const ack = await auth(client, await testToken({ sub: 'fay', entitlements: ['trades:*'] }));
        const told = client.frames.indexOf(ack);
        await until(() => client.frames.length > told + 50);
        expect(client.frames.slice(told).filter(frame => frame.buyer_id !== undefined)).toEqual([]);
      });
      await expectWhole(client, 'FULL', published);
    });

    it('R21 R33 makes a user of somebody unknown, with the class of the tier', async () => {
      const client = await open(`${first.url}/ws`);
      const published = await whileTrading(['ANON'], async () => {
        await ask(client, { action: 'subscribe', stream: 'trades', symbol: 'ANON' }, 't');
        const subscribe = { action: 'subscribe', stream: 'quotes', symbol: 'ANON' };
        expect(await ask(client, subscribe, 'before')).toMatchObject({ type: 'error', code: 'unauthorized' });
        await client.arrived('trade_executed', 20);
        expect(await auth(client, await testToken({ sub: 'ann' }))).toMatchObject({ type: 'ack' });
        expect(await ask(client, subscribe, 'after')).toMatchObject({ type: 'subscribed', class: 'realtime' });
        const seen = client.ofType('trade_executed').length;
        await client.arrived('trade_executed', seen + 20);
      });
      await expectWhole(client, 'ANON', published);
      publisher.put('md.quotes.ANON', quote('ANON', 1));
      await client.arrived('quotes_patch');
    });

    it('R33 keeps a class that was asked for', async () => {
      const token = await testToken({ sub: 'carl', tier: 'retail' });
      const client = await open(`${first.url}/ws?class=1000ms&token=${token}`);
      await auth(client, await testToken({ sub: 'carl', tier: 'institutional' }));
      const subscribed = await ask(client, { action: 'subscribe', stream: 'quotes', symbol: 'A' }, 'q');
      expect(subscribed).toMatchObject({ class: '1000ms' });
    });

    it('R22 R33 to another user ends the orders of the first', async () => {
      const client = await connect(first, { sub: 'old' }, '/ws/orders');
      publisher.put('orders.old', order('o1'));
      await client.arrived('order_update');
      await auth(client, await testToken({ sub: 'new' }));
      const warning = await client.next('warning', frame => frame.type === 'warning');
      expect(warning).toMatchObject({ code: 'forbidden', topics: ['orders:old'] });
      expect(await ask(client, { action: 'subscribe', stream: 'orders' }, 's')).toMatchObject({
        topics: ['orders:new'],
      });
      publisher.put('orders.old', order('o2'));
      publisher.put('orders.new', order('n1'));
      await client.arrived('order_update', 2);
      expect(client.ofType('order_update').map(frame => frame.order_id)).toEqual(['o1', 'n1']);
    });
  });

  describe('R33 control.revoke', () => {
    const revoke = async (order: object | string) => {
      publisher.nats.publish('control.revoke', typeof order === 'string' ? order : JSON.stringify(order));
      await publisher.nats.flush();
    };
    const isOpen = async (client: TestClient) =>
      (await ask(client, { action: 'ping' }, `p${Math.random()}`)).type === 'pong';

    /** All are closed with 4500 within a second of the order. */
    async function expectRevoked(order: object, ended: readonly TestClient[]): Promise<void> {
      const startMs = performance.now();
      await revoke(order);
      await until(() => ended.every(client => client.closed !== undefined), 30_000, 'all are closed');
      expect(performance.now() - startMs).toBeLessThan(1_000);
      expect(ended.map(client => client.closed?.code)).toEqual(ended.map(() => 4500));
    }

    it('J5 R33 of a user closes all that are his at every gateway within a second, and those of nobody else', async () => {
      const token = await testToken({ sub: 'mallory' });
      const urls = [first, second].flatMap(({ url }) => [`${url}/ws`, `${url}/ws/orders`, `${url}/ws/trades`]);
      const ended = await Promise.all([...urls, ...urls].map(url => open(`${url}?token=${token}`)));
      const others = [await connect(first, { sub: 'bob' }), await open(`${second.url}/ws`)];
      await expectRevoked({ sub: 'mallory' }, ended);
      for (const other of others) expect(await isOpen(other)).toBe(true);
      for (const gateway of [first, second]) {
        for (let i = 0; i < 6; i++) {
          expect((await refusedUpgrade(`${gateway.url}/ws?token=${token}`)).status).toBe(401);
        }
        expect(await gateway.metric('millrace_closes_total{code="4500"}')).toBeGreaterThanOrEqual(6);
      }
      // What may have been issued before, by a clock that is ahead, is not good; what was issued later by any clock is.
      const revokedAtMs = Date.now();
      await until(() => Math.floor(Date.now() / 1000) > Math.floor(revokedAtMs / 1000));
      const request = { secret: TEST_SECRET, sub: 'mallory', ttlMs: 60_000 };
      const [early, late] = [await mintToken(request), await mintToken(request, () => revokedAtMs + 6_000)];
      for (const { url } of [first, second]) {
        expect((await refusedUpgrade(`${url}/ws?token=${early}`)).status).toBe(401);
        await open(`${url}/ws?token=${late}`);
      }
    });

    it('R33 of one token ends that one only', async () => {
      const [token, other] = [await testToken({ sub: 'dora' }), await testToken({ sub: 'dora' })];
      const ended = [await open(`${first.url}/ws?token=${token}`), await open(`${second.url}/ws?token=${token}`)];
      const stays = await open(`${first.url}/ws?token=${other}`);
      await expectRevoked({ jti: claimsOf(token).jti }, ended);
      expect(await isOpen(stays)).toBe(true);
      expect((await refusedUpgrade(`${first.url}/ws?token=${token}`)).status).toBe(401);
      expect(await auth(stays, token)).toMatchObject({ type: 'error', code: 'unauthorized' });
      expect(await isOpen(stays)).toBe(true);
    });

    it('R33 of a token that was replaced by auth ends nothing', async () => {
      const token = await testToken({ sub: 'emma' });
      const [renewed, witness] = [
        await open(`${first.url}/ws?token=${token}`),
        await open(`${first.url}/ws?token=${token}`),
      ];
      await auth(renewed, await testToken({ sub: 'emma' }));
      await expectRevoked({ jti: claimsOf(token).jti }, [witness]);
      expect(await isOpen(renewed)).toBe(true);
    });

    it('R33 of an API key ends its connections', async () => {
      const ended = [await open(`${first.url}/ws?api_key=${apiKey}`), await open(`${second.url}/ws?api_key=${apiKey}`)];
      const token = await connect(first, { sub: 'machine' });
      await expectRevoked({ api_key: idOf(apiKey) }, ended);
      expect((await refusedUpgrade(`${second.url}/ws?api_key=${apiKey}`)).status).toBe(401);
      expect(await isOpen(token)).toBe(true);
    });

    it('R33 that is none changes nothing, and is logged', async () => {
      const client = await connect(first, { sub: 'gail' });
      const bad = ['garbage', '[]', '"gail"', 'null', '{}', '{"sub":7}', '{"sub":"gail","jti":"x"}', '{"sub":""}', ''];
      const ignored = () => first.log().match(/revocation ignored|order ignored/g)?.length ?? 0;
      const before = ignored();
      for (const order of bad) await revoke(order);
      await until(() => ignored() === before + bad.length);
      expect(await isOpen(client)).toBe(true);
    });

    it('R33 R45 is known to a worker that replaces one that died', async () => {
      const gateway = await startGateway({
        NATS_URL: nats.url,
        JETSTREAM: jetstream,
        WORKERS: '1',
        NODE_OPTIONS: `--import ${WORKER_DEATH}`,
      });
      try {
        const [token, other] = [await testToken({ sub: 'zoe' }), await testToken({ sub: 'yan' })];
        const client = await open(`${gateway.url}/ws?token=${token}`);
        const bystander = await open(`${gateway.url}/ws?token=${other}`);
        await expectRevoked({ sub: 'zoe' }, [client]);
        process.kill(gateway.pid, 'SIGUSR2');
        expect(await closeCode(bystander)).toBe(1006);
        await until(() => open(`${gateway.url}/ws?token=${other}`).catch(() => undefined));
        expect(await gateway.metric('millrace_worker_restarts_total')).toBe(1);
        expect((await refusedUpgrade(`${gateway.url}/ws?token=${token}`)).status).toBe(401);
      } finally {
        await gateway.stop();
      }
    });
  });
});

it('R33 control.revoke catches who is being let in', async () => {
  const nats = await startNatsServer();
  // Behind the gate the gateway hears of the revocation, and waits in vain for the server to confirm its subscription.
  const gate = await TcpGate.open(nats.port);
  const gateway = await startGateway({ NATS_URL: `nats://127.0.0.1:${gate.port}`, WORKERS: '1' });
  const publisher = await TestPublisher.connect(nats.url);
  try {
    gate.holdClients();
    const attempt = refusedUpgrade(`${gateway.url}/ws/orders?token=${await testToken({ sub: 'late' })}`);
    await until(async () => (await gateway.metric('millrace_views')) === 1);
    publisher.nats.publish('control.revoke', JSON.stringify({ sub: 'late' }));
    expect(await attempt).toMatchObject({ status: 401, body: { error: { code: 'unauthorized' } } });
    expect(await gateway.metric('millrace_views')).toBe(0);
  } finally {
    await publisher.close();
    await gateway.stop();
    await gate.close();
    await nats.stop();
  }
});
