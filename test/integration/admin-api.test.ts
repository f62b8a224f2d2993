/** The admin API of a real gateway: what operators read and order, each answer as the OpenAPI document says. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { pseudonymOf } from '../../src/gateway/supervision/client-log.js';
import { AdminClient, operations, seen } from '../support/admin-client.js';
import { TestClient } from '../support/client.js';
import { startGateway, TEST_SECRET, type TestGateway, testToken } from '../support/gateway.js';
import { until } from '../support/until.js';

const run = promisify(execFile);
const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const TOKEN = 'an-admin-token-of-thirty-two-bytes-or-more';

interface Row {
  readonly id: string;
  readonly user: string | null;
  readonly subscriptions: number;
  readonly worker: number;
}

let gateway: TestGateway;
let admin: AdminClient;
const clients: TestClient[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    SIM_RATE: '200',
    WORKERS: '2',
    ENCODERS: '1',
    ADMIN_TOKEN: TOKEN,
    ADMIN_ROLE: 'admin',
    ADMIN_READ_ROLE: 'ops',
    DRAIN_TIMEOUT: '1s',
  });
  admin = new AdminClient(gateway.adminUrl, { authorization: `Bearer ${TOKEN}`, 'x-operator': 'carol' });
});
afterAll(() => gateway.stop());
afterEach(async () => {
  await Promise.all(clients.splice(0).map(client => client.close()));
});

async function connect(sub: string, path = '/ws', url = gateway.url): Promise<TestClient> {
  const token = await testToken({ sub });
  const client = await TestClient.connect(`${url}${path}${path.includes('?') ? '&' : '?'}token=${token}`);
  clients.push(client);
  return client;
}

async function subscribe(client: TestClient, stream: string, symbols: readonly string[]): Promise<void> {
  client.send({ action: 'subscribe', id: stream, stream, symbols });
  await client.next('subscribed', frame => frame.type === 'subscribed' && frame.id === stream);
}

async function connectionsOf(query: string): Promise<Row[]> {
  return (await admin.get(`/connections?${query}`)).body.connections as Row[];
}

/** The lines of the log about these orders, once there are so many; the newest is last. */
function ordersOf(order: string, count: number): Promise<Record<string, unknown>[]> {
  return until(
    () => {
      const lines = gateway
        .log()
        .split('\n')
        .filter(line => line.endsWith('"msg":"operator order"}'))
        .map(line => JSON.parse(line) as Record<string, unknown>)
        .filter(line => line.order === order);
      return lines.length >= count ? lines : undefined;
    },
    undefined,
    `${count} lines about ${order}`,
  ) as Promise<Record<string, unknown>[]>;
}

describe('R61 reads', () => {
  it('R61 list connections by filter, order and page, over all threads', async () => {
    const some = await Promise.all(['u1', 'u2', 'u2', 'u3', 'u4', 'u5', 'u6'].map(sub => connect(sub)));
    await subscribe(some[0] as TestClient, 'quotes', ['AAPL', 'MSFT']);
    await until(async () => (await connectionsOf('limit=1000')).length === some.length);
    expect((await connectionsOf('user=u2')).map(({ user }) => user)).toEqual(['u2', 'u2']);
    expect((await connectionsOf('topic=quotes:AAPL')).map(({ user }) => user)).toEqual(['u1']);
    expect(await connectionsOf('condition=idle')).toHaveLength(6);
    expect(await connectionsOf('tier=retail')).toEqual([]);
    expect(await connectionsOf('format=json&endpoint=general&address=127.0.0.1')).toHaveLength(7);
    for (const query of ['sort=age', 'sort=buffered&order=asc', 'sort=rate']) {
      const pages: string[] = [];
      let after = '';
      for (let page = 0; page < 10; page++) {
        const { body } = await admin.get(`/connections?limit=3&${query}${after}`);
        expect(body.total).toBe(7);
        pages.push(...(body.connections as Row[]).map(({ id }) => id));
        expect(body.has_more).toBe(pages.length < 7);
        if (body.next === null) break;
        after = `&after=${body.next as string}`;
      }
      // Rates change between pages; the other orders hold.
      if (query !== 'sort=rate') expect(new Set(pages).size, query).toBe(7);
    }
  });

  it('R61 tell everything of a connection, its last events included', async () => {
    const client = await connect('detail-user');
    await subscribe(client, 'quotes', ['AAPL']);
    client.send({ action: 'subscribe', id: 'x', stream: 'quotes', symbols: ['NOPE'] });
    await client.next('an error', frame => frame.type === 'error');
    client.send({ action: 'unsubscribe', id: 'u', stream: 'quotes', symbols: ['AAPL'] });
    await client.next('unsubscribed', frame => frame.type === 'unsubscribed');
    await subscribe(client, 'depth', ['BTC/USDT']);
    const [row] = await connectionsOf('user=detail-user');
    const { body } = await admin.get(`/connections/${row?.id}`);
    expect(body).toMatchObject({ user: 'detail-user', tier: 'institutional', endpoint: 'general', subscriptions: 1 });
    expect(body).toMatchObject({ credential: { kind: 'token' }, roles: [], circuit: 'closed', lagging: false });
    expect(body.topics).toMatchObject([{ topic: 'depth:BTC/USDT', class: 'realtime', levels: 10 }]);
    const events = body.events as { what: string; detail: unknown; time: string }[];
    expect(events.map(({ what, detail }) => [what, detail])).toEqual([
      ['connected', 'general'],
      ['subscribed', 1],
      ['error', 'invalid_symbol'],
      ['unsubscribed', 1],
      ['subscribed', 1],
    ]);
    expect(Math.abs(Date.now() - Date.parse(events[0]?.time ?? ''))).toBeLessThan(60_000);
    expect((await admin.get('/connections/5f0c2a91e3d7-2s')).status).toBe(404);
    expect((await admin.get('/connections/%zz')).status).toBe(400);
  });

  it('R61 tell of users, topics and their documents', async () => {
    const client = await connect('user-of-topics');
    await subscribe(client, 'quotes', ['AAPL', 'MSFT']);
    const { body: user } = await admin.get('/users/user-of-topics');
    expect(user).toMatchObject({ total: 1, subscriptions: 2, revocation: null });
    expect((await admin.get('/users/unheard-of')).body).toMatchObject({ total: 0, connections: [] });
    const { body: topics } = await admin.get('/topics?stream=quotes&limit=2');
    expect(
      (topics.topics as { topic: string; subscribers: number }[]).map(({ topic, subscribers }) => [topic, subscribers]),
    ).toEqual([
      ['quotes:AAPL', 1],
      ['quotes:MSFT', 1],
    ]);
    const names: string[] = [];
    for (let after = ''; ; ) {
      const { body } = await admin.get(`/topics?prefix=quotes:A&sort=name&limit=2${after}`);
      names.push(...(body.topics as { topic: string }[]).map(({ topic }) => topic));
      if (body.next === null) break;
      after = `&after=${body.next as string}`;
    }
    expect(names.length).toBeGreaterThan(2);
    expect(names).toEqual([...new Set(names)].sort());
    const { body: quotes } = await admin.get('/topics/quotes:AAPL');
    expect(quotes).toMatchObject({ subscribers: 1, state: 'live', document_error: null });
    expect(quotes.document).toMatchObject({ type: 'quotes_patch', snapshot: true, complete: true });
    const { body: depth } = await admin.get('/topics/depth:BTC%2FUSDT');
    expect(depth.document).toMatchObject({ type: 'depth_patch', symbol: 'BTC/USDT', snapshot: true });
    expect((await admin.get('/topics/trades:*')).body.document).toBeNull();
    expect((await admin.get('/topics/quotes:NOPE')).status).toBe(404);
    expect((await admin.get('/topics/nonsense')).status).toBe(400);
    await until(async () => ((await admin.get('/topics/quotes:AAPL')).body.rate as unknown) !== null);
  });

  it('R61 tell of the process: statistics, history, threads, feed, settings', async () => {
    const client = await connect('watcher');
    await subscribe(client, 'quotes', ['AAPL', 'MSFT', 'GOOGL']);
    const history = await until(async () => {
      const { body } = await admin.get('/history');
      const samples = body.samples as {
        deliveries_per_second: number;
        latency_p99_ms: number | null;
        threads: unknown[];
      }[];
      return samples.some(({ deliveries_per_second: rate, latency_p99_ms: late }) => rate > 0 && late !== null)
        ? samples
        : undefined;
    });
    expect(history?.at(-1)?.threads).toHaveLength(2);
    const now = new Date(Date.now() + 60_000).toISOString();
    expect((await admin.get(`/history?since=${now}`)).body.samples).toEqual([]);
    expect((await admin.get('/stats')).body).toMatchObject({ ready: true, draining: false, silent_threads: [] });
    const threads = (await admin.get('/threads')).body.threads as {
      name: string;
      state: string;
      utilisation: number | null;
    }[];
    expect(threads.map(({ name, state }) => `${name} ${state}`)).toEqual([
      'main running',
      'gateway-0 running',
      'gateway-1 running',
      'encoder-0 running',
    ]);
    expect(threads.every(({ utilisation }) => utilisation !== null && utilisation >= 0 && utilisation <= 1)).toBe(true);
    expect((await admin.get('/alerts')).body).toMatchObject({ state: 'off', events: 0, alerts: [] });
    expect((await admin.get('/feed')).body).toMatchObject({ name: 'simulator', status: 'live', load: 'normal' });
    expect((await admin.get('/journal')).body).toMatchObject({ state: 'off', folder: null });
    expect((await admin.get('/usage')).body).toMatchObject({
      state: 'off',
      reason: 'JOURNAL_DIR is not set',
      rows: [],
    });
    const { body, text } = await admin.get('/config');
    const settings = body.settings as { name: string; value: string }[];
    expect(settings.find(({ name }) => name === 'ADMIN_TOKEN')?.value).toBe('(hidden)');
    expect(settings.find(({ name }) => name === 'WORKERS')?.value).toBe('2');
    expect(text).not.toContain(TOKEN);
    expect(text).not.toContain(TEST_SECRET);
    expect((await admin.get('/openapi.json')).body.openapi).toBe('3.1.0');
  });

  it.each([
    ['/connections?sorted=age', 'sorted'],
    ['/connections?user=a&user=b', 'user'],
    ['/connections?limit=0', 'limit'],
    ['/connections?limit=1e3', 'limit'],
    ['/connections?sort=name', 'sort'],
    ['/connections?after=bm9uc2Vuc2U', 'after'],
    ['/topics?condition=live', 'condition'],
    ['/stats?verbose=1', 'verbose'],
    ['/history?since=yesterday', 'since'],
    ['/revocations?after=x', 'after'],
  ])('R61 refuse %s, naming the parameter', async (path, named) => {
    const { status, body } = await admin.get(path);
    expect(status).toBe(400);
    expect((body.error as { message: string }).message).toContain(named);
  });
});

describe('R61 changes', () => {
  it('R61 end a connection, and say who ended it and why', async () => {
    const client = await connect('ended-user');
    const [row] = await connectionsOf('user=ended-user');
    const path = `/connections/${row?.id}`;
    expect((await admin.ask('DELETE', path, { code: 1008 })).status).toBe(400);
    expect((await admin.ask('DELETE', path, { reason: 'floods', code: 4503 })).body).toEqual({
      id: row?.id,
      code: 4503,
    });
    await until(() => client.closed);
    expect(client.closed).toEqual({ code: 4503, reason: 'ended by an operator' });
    expect((await admin.ask('DELETE', path, {})).status).toBe(404);
    const [done, missed] = await ordersOf('end_connection', 2);
    expect(done).toMatchObject({ author: 'carol', reason: 'floods', outcome: 'done', user: pseudonymOf('ended-user') });
    expect(missed).toMatchObject({ author: 'carol', outcome: 'not_found' });
    expect(gateway.log()).not.toContain('ended-user');
  });

  it('R61 revoke a user, whose connections end, and list it with author and reason', async () => {
    const client = await connect('revoked-user');
    const { body } = await admin.ask('POST', '/revocations', { sub: 'revoked-user', reason: 'left' });
    expect(body).toMatchObject({ by: 'sub', value: 'revoked-user', author: 'carol', stored: 'memory' });
    await until(() => client.closed);
    expect(client.closed?.code).toBe(4500);
    const list = (await admin.get('/revocations')).body.revocations as object[];
    expect(list).toContainEqual(expect.objectContaining({ value: 'revoked-user', author: 'carol', reason: 'left' }));
    expect((await admin.get('/users/revoked-user')).body.revocation).toMatchObject({ author: 'carol', reason: 'left' });
    expect((await admin.ask('POST', '/revocations', {})).status).toBe(400);
    expect((await admin.ask('POST', '/revocations', { sub: 'a', jti: 'b' })).status).toBe(400);
    expect((await ordersOf('revoke', 1))[0]).toMatchObject({
      user: pseudonymOf('revoked-user'),
      outcome: 'done',
      stored: 'memory',
    });
  });

  it('R61 send a notice to all, to a user, and to the subscribers of a topic', async () => {
    const one = await connect('notice-1');
    const other = await connect('notice-2', '/ws?format=msgpack');
    await subscribe(other, 'quotes', ['AAPL']);
    const all = { message: 'Maintenance at 22:00 UTC', severity: 'warning', to: { all: true } };
    expect((await admin.ask('POST', '/broadcast', all)).body).toEqual({ sent: 2, skipped: 0, silent_threads: [] });
    for (const client of [one, other]) {
      const frame = await client.next('the notice', ({ type }) => type === 'notice');
      expect(frame).toMatchObject({ severity: 'warning', message: 'Maintenance at 22:00 UTC' });
    }
    const toUser = { message: 'you', to: { user: 'notice-1' } };
    expect((await admin.ask('POST', '/broadcast', toUser)).body.sent).toBe(1);
    expect((await one.next('its own', ({ message }) => message === 'you')).severity).toBe('info');
    const toTopic = { message: 'apple', to: { topic: 'quotes:AAPL' } };
    expect((await admin.ask('POST', '/broadcast', toTopic)).body.sent).toBe(1);
    await other.next('of the topic', ({ message }) => message === 'apple');
    await admin.ask('POST', '/broadcast', { message: 'x', to: { topic: 'orders:notice-1' } });
    expect((await ordersOf('broadcast', 4)).map(line => line.to)).toEqual([
      { all: true },
      { user: pseudonymOf('notice-1') },
      { topic: 'quotes:AAPL' },
      { topic: `orders:${pseudonymOf('notice-1')}` },
    ]);
    expect((await admin.ask('POST', '/broadcast', { message: 'x', to: {} })).status).toBe(400);
  });

  it('R61 change the log level until the next reload', async () => {
    const answer = await admin.ask('PUT', '/log-level', { level: 'error', reason: 'quiet' });
    expect(answer.body).toEqual({ level: 'error', configured: 'info' });
    expect((await admin.get('/log-level')).body).toEqual({ level: 'error', configured: 'info' });
    // Told even where both levels would hide it.
    await admin.ask('PUT', '/log-level', { level: 'silent' });
    await admin.ask('PUT', '/log-level', { level: 'info' });
    expect(await ordersOf('log_level', 3)).toMatchObject([
      { from: 'info', to: 'error', reason: 'quiet' },
      { from: 'error', to: 'silent' },
      { from: 'silent', to: 'info' },
    ]);
    expect((await admin.ask('PUT', '/log-level', { level: 'loud' })).status).toBe(400);
  });

  it('R61 make a credential for a page of this admin port: it reads public topics and publishes nothing', async () => {
    const origin = gateway.adminUrl;
    const { body } = await admin.ask('POST', '/live-token', {}, { origin });
    const url = `${body.url as string}/ws?token=${body.token as string}`;
    const client = await TestClient.connect(url, { origin });
    clients.push(client);
    await subscribe(client, 'quotes', ['AAPL']);
    client.send({ action: 'subscribe', id: 'o', stream: 'orders', symbols: ['alice'] });
    client.send({ action: 'publish', id: 'p', stream: 'rooms', room: 'desk', data: {} });
    await client.next('orders are refused', ({ id, code }) => id === 'o' && code === 'forbidden');
    await client.next('rooms are refused', ({ id, type }) => id === 'p' && type === 'error');
    await expect(TestClient.connect(url, { origin: 'http://evil.example' })).rejects.toThrow('403');
    const token = (body.token as string).slice(0, -2);
    await expect(TestClient.connect(`${body.url as string}/ws?token=${token}`)).rejects.toThrow('401');
  });
});

describe('R61 millrace admin', () => {
  const env = () => ({ PATH: process.env.PATH ?? '', MILLRACE_ADMIN_URL: gateway.adminUrl, ADMIN_TOKEN: TOKEN });
  const cli = async (...args: string[]) =>
    (await run(process.execPath, [PROGRAM, 'admin', ...args], { env: env() })).stdout;

  it('R61 prints tables for people, and JSON for programs, cleaned of what a terminal obeys', async () => {
    const client = await connect('cli-\u202euser');
    await subscribe(client, 'quotes', ['AAPL']);
    const table = await cli('connections', '--user', 'cli-\u202euser');
    expect(table).toMatch(/^ID +USER +TIER/);
    expect(table).toContain('cli-?user');
    expect(table).toContain('1 of 1');
    const text = await cli('connections', '--json', '--user', 'cli-\u202euser');
    expect(text).not.toContain('\u202e');
    const [row] = (JSON.parse(text) as { connections: Row[] }).connections;
    expect(row?.user).toBe('cli-\u202euser');
    expect(await cli('connection', row?.id ?? '')).toMatch(/connected +general/);
    expect(await cli('end', row?.id ?? '', '--reason', 'by hand')).toContain(`${row?.id} ends with 1001`);
    await until(() => client.closed);
  });

  it('R61 says what it cannot do', async () => {
    const failing = (...args: string[]) =>
      cli(...args).then(
        () => '',
        (cause: { stderr: string }) => cause.stderr,
      );
    expect(await failing('connection', 'nope')).toContain('no such connection');
    expect(await failing('broadcast', 'x')).toContain('--all, --user and --topic');
    expect(await failing('stats', '--admin', 'ftp://x')).toContain('must be a URL');
    const hidden = await failing('stats', '--admin', 'http://carol:hunter2@127.0.0.1:1');
    expect(hidden).toContain('set ADMIN_TOKEN');
    expect(hidden).not.toContain('hunter2');
    expect(await failing('stats', '--admin', 'http://127.0.0.1:1')).toContain('does not answer');
    const { stderr } = await run(process.execPath, [PROGRAM, 'admin', 'stats'], {
      env: { ...env(), ADMIN_TOKEN: 'x'.repeat(32) },
    }).catch((cause: { stderr: string }) => cause);
    expect(stderr).toContain('this ADMIN_TOKEN is another one');
  });
});

describe('R61 at the end', () => {
  it('R61 drains by order: `/readyz` says so, clients leave, and SIGTERM still ends it', async () => {
    const client = await connect('drained');
    expect((await admin.ask('POST', '/drain', { reason: 'new kernel' })).body).toMatchObject({
      draining: true,
      already: false,
    });
    await client.next('going away', ({ type }) => type === 'going_away');
    const ready = await fetch(`${gateway.adminUrl}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([503, { ready: false, missing: ['draining'] }]);
    expect((await admin.ask('POST', '/drain', {})).body.already).toBe(true);
    expect((await ordersOf('drain', 2)).map(({ outcome }) => outcome)).toEqual(['done', 'already_draining']);
    expect(await gateway.stop()).toBe(0);
  });

  it('R61 has given every answer of the document', () => {
    const api = operations().filter(operation => operation.includes('/api/v1/'));
    expect(api.length).toBeGreaterThan(15);
    expect(api.filter(operation => !seen.has(operation))).toEqual([]);
  });
});
