/**
 * R71: a whole run with a journal, of which no output holds a raw user id or address: standard output and error, metrics, traces, and
 * every file of the journal.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { headers } from 'nats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refusedUpgrade, TestClient } from '../support/client.js';
import { FixSocket, fixPortOf } from '../support/fix-socket.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { TraceCollector } from '../support/trace-collector.js';
import { PATIENCE_MS, until } from '../support/until.js';

const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const WORKER_DEATH = new URL('../support/worker-death.mjs', import.meta.url).href;
const ADMIN_TOKEN = 'an-admin-token-that-only-this-test-knows';
/** No other text of a run has it, and all users do. */
const MARK = 'quartzite';
const [ALICE, BOB, CAROL, DENIED, FIXER, MALLORY] = [
  `${MARK}-alice`,
  `${MARK} bob@example.com`,
  `${MARK}-carol`,
  `${MARK}-denied`,
  `${MARK}-fixer`,
  `${MARK}-mallory`,
];
const ADDRESSES = ['203.0.113.77', '2001:db8:77aa:bb::5', '198.51.100.23', '192.0.2.144'];
/** As bytes of text: an address is shown without its last groups, and a user may be escaped. */
const RAW = new RegExp(`${MARK}|203\\.0\\.113\\.77|2001:db8:77aa|198\\.51\\.100\\.23|192\\.0\\.2\\.144`, 'i');

const folder = mkdtempSync(join(tmpdir(), 'privacy-'));
const journalEnv = {
  JOURNAL_DIR: join(folder, 'journal'),
  JOURNAL_MASTER_KEY_FILE: join(folder, 'master.key'),
  JOURNAL_ERASE_AFTER: '0',
};
let nats: NatsServer;
let publisher: TestPublisher;
let collector: TraceCollector;
let gateway: TestGateway;
const clients: TestClient[] = [];

async function millrace(...args: string[]) {
  const env = { PATH: process.env.PATH ?? '', ...journalEnv };
  return promisify(execFile)(process.execPath, [PROGRAM, ...args], { env });
}

const query = async (...args: string[]) =>
  (await millrace('journal', 'query', ...args)).stdout
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Record<string, string>);

beforeAll(async () => {
  const permissions = join(folder, 'nats.conf');
  writeFileSync(
    permissions,
    `no_auth_user: all
     authorization { users: [ { user: all, password: p }
       { user: gw, password: p, permissions: { publish: ">", subscribe: { deny: ["orders.${DENIED}"] } } } ] }`,
  );
  nats = await startNatsServer({ args: ['-c', permissions] });
  publisher = await TestPublisher.connect(nats.url);
  collector = await TraceCollector.open();
  await millrace('journal', 'keys', 'new');
  gateway = await startGateway({
    ...journalEnv,
    NATS_URL: nats.url,
    NATS_USER: 'gw',
    NATS_PASSWORD: 'p',
    NODE_OPTIONS: `--import ${WORKER_DEATH}`,
    WORKERS: '1',
    ENCODERS: '1',
    FIX_PORT: '0',
    LOG_LEVEL: 'trace',
    TRUSTED_PROXIES: '127.0.0.1',
    ADMIN_TOKEN,
    ADMIN_ROLE: 'operator',
    ADMIN_READ_ROLE: 'reader',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    TRACES_PER_SECOND: '100',
    DRAIN_TIMEOUT: '1s',
  });
});

afterAll(async () => {
  for (const client of clients) client.socket.terminate();
  await gateway?.stop();
  await publisher?.close();
  await collector?.close();
  await nats?.stop();
});

const from = (address: string) => ({ headers: { 'X-Forwarded-For': address } });

async function connect(path: string, sub: string, address = ADDRESSES[0] ?? ''): Promise<TestClient> {
  const token = encodeURIComponent(
    await testToken({ sub, entitlements: ['quotes:*', 'trades:*', 'orders:*', 'rooms:*'] }),
  );
  const joint = path.includes('?') ? '&' : '?';
  const client = await TestClient.connect(`${gateway.url}${path}${joint}token=${token}`, from(address));
  clients.push(client);
  return client;
}

async function admin(method: string, path: string, body: object | undefined, token: string): Promise<number> {
  const { status } = await fetch(`${gateway.adminUrl}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', connection: 'close' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return status;
}

const order = (id: string, user: string) => ({
  action: 'created',
  order_id: id,
  user_id: user,
  symbol: 'AAPL',
  side: 'buy',
  status: 'open',
  quantity: '2',
  filled_quantity: '0',
  price: '1',
  timestamp: '2026-11-20T10:00:00.000Z',
});

function traced(subject: string, payload: string): void {
  const given = headers();
  given.set('traceparent', `00-${randomBytes(16).toString('hex')}-b7ad6b7169203331-01`);
  publisher.nats.publish(subject, payload, { headers: given });
}

/** Log lines so far, as objects. */
const lines = () =>
  gateway
    .log()
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line) as Record<string, unknown>);
const logged = (event: string) => lines().filter(line => line.event === event);
const untilLogged = (event: string, count = 1) =>
  until(() => logged(event).length >= count, PATIENCE_MS, `${count} lines ${event}`);

/** All files below a folder, unpacked. */
function contents(root: string): string {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(({ parentPath, name }) => {
      const bytes = readFileSync(join(parentPath, name));
      return `${name}\n${(name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('latin1')}\n`;
    })
    .join('');
}

function expectNoNames(text: string, what: string): void {
  const found = RAW.exec(text);
  const near = found === null ? '' : text.slice(Math.max(0, found.index - 300), found.index + 100);
  expect(near, what).toBe('');
}

/** WebSocket clients: accepted, refused, with orders and rooms, and with a close of their own. */
async function webSockets(): Promise<void> {
  const alice = await connect('/ws?stream=orders&symbols=x', ALICE).catch(() => connect('/ws', ALICE));
  const bob = await connect('/ws/orders', BOB, ADDRESSES[1]);
  alice.send({ action: 'subscribe', stream: 'orders', id: 1 });
  alice.send({ action: 'subscribe', stream: 'orders', symbol: BOB, id: 2 });
  alice.send({ action: 'subscribe', stream: 'quotes', symbols: ['AAPL'], id: 3 });
  alice.send({ action: 'subscribe', stream: 'rooms', symbols: ['desk'], id: 4 });
  await alice.next('refusal', ({ id, type }) => id === 2 && type === 'error');
  traced(`orders.${ALICE}`, JSON.stringify(order('a1', ALICE)));
  traced(`orders.${MARK}%20bob@example.com`, JSON.stringify(order('b1', BOB)));
  traced('md.quotes.AAPL', JSON.stringify({ symbol: 'AAPL', current_price: '1.00' }));
  await alice.arrived('order_update');
  await bob.arrived('order_update');
  // Refused by the server: its words name the subject.
  await refusedUpgrade(
    `${gateway.url}/ws/orders?token=${await testToken({ sub: DENIED, entitlements: ['orders:*'] })}`,
    from(ADDRESSES[2] ?? ''),
  );
  const expired = await testToken({ sub: MALLORY, ttlMs: -3_600_000 });
  await refusedUpgrade(`${gateway.url}/ws?token=${expired}`, from(ADDRESSES[3] ?? ''));
  const poor = await testToken({ sub: MALLORY, entitlements: ['quotes:*'] });
  await refusedUpgrade(`${gateway.url}/ws/orders?token=${poor}`, from(ADDRESSES[3] ?? ''));
}

/** Messages that are dead-lettered: on a user's subject, and with the user in the payload. */
async function deadLetters(): Promise<void> {
  traced(`orders.${ALICE}`, JSON.stringify(order('evil', BOB)));
  traced(`orders.${ALICE}`, `{"user_id":"${ALICE}",`);
  publisher.nats.publish('control.revoke', `${ALICE} is no JSON`);
  await untilLogged('message_rejected');
}

async function fix(): Promise<void> {
  const socket = new FixSocket(fixPortOf(gateway), 'DESK');
  expect(await socket.logOn(await testToken({ sub: FIXER }), [[141, 'Y']])).toContain('|35=A|');
  socket.subscribe('1', ['AAPL']);
  const refused = new FixSocket(fixPortOf(gateway), 'OTHER');
  await refused.logOn(await testToken({ sub: FIXER }), [[553, MALLORY]]);
  await refused.closed();
  socket.end();
}

/** Orders of operators, known by a role and not: each names a user. */
async function orders(): Promise<void> {
  const carol = await testToken({ sub: CAROL, roles: ['operator'] });
  const reader = await testToken({ sub: CAROL, roles: ['reader'] });
  expect(await admin('POST', '/revocations', { sub: MALLORY, reason: 'left' }, carol)).toBe(200);
  expect(await admin('POST', '/revocations', { sub: MALLORY }, reader)).toBe(403);
  expect(await admin('GET', `/users/${ALICE}`, undefined, reader)).toBe(200);
  const notice = { message: 'maintenance', to: { topic: `orders:${BOB}` } };
  expect(await admin('POST', '/broadcast', notice, ADMIN_TOKEN)).toBe(200);
  expect(await admin('POST', '/broadcast', { message: 'hello', to: { user: ALICE } }, carol)).toBe(200);
  expect(await admin('GET', '/stats', undefined, 'wrong-token-of-nobody-in-particular')).toBe(401);
  const order = { sub: `${MARK}-eve`, author: CAROL, reason: 'fraud' };
  await publisher.nats.request('control.revoke', JSON.stringify(order), { timeout: PATIENCE_MS });
  await untilLogged('operator_order', 4);
  await untilLogged('credential_revoked');
}

describe('R71 a whole run', () => {
  it('R71 names users and addresses in logs and journal by the same pseudonyms', async () => {
    publisher.put('md.books.AAPL', { symbol: 'AAPL', bids: [['99', '1']], asks: [['101', '1']], snapshot: true });
    await webSockets();
    await deadLetters();
    await fix();
    await orders();
    await untilLogged('client_refused', 3);
    await until(() => logged('feed_notice').length > 0, PATIENCE_MS, 'a notice of the refused subject');
    // Records are in the journal some 200 ms later than in the log.
    const recorded = async () => (await query('--user', ALICE, '--kind', 'connected').catch(() => []))[0];
    const connected = await until(recorded, PATIENCE_MS, 'a record of a connection');
    expect(connected).toMatchObject({ user: expect.stringMatching(/^u_/), address: expect.stringMatching(/^a_/) });
    const line = logged('client_connected').find(({ connection }) => connection === connected?.c);
    expect(line).toMatchObject({ user: connected?.user, address: connected?.address });
  });

  it('R71 goes on when a gateway thread dies: what its clients did is private, too', async () => {
    const before = logged('client_connected').length;
    process.kill(gateway.pid, 'SIGUSR2');
    await untilLogged('worker_died');
    await until(
      () =>
        connect('/ws/orders', BOB, ADDRESSES[1]).then(
          () => true,
          () => false,
        ),
      20_000,
      'a connection to the next thread',
    );
    await untilLogged('client_connected', before + 1);
  });

  it('R71 gives a user who returns after an erasure another pseudonym, at once', async () => {
    const before = (await query('--user', ALICE, '--kind', 'connected'))[0]?.user;
    expect((await millrace('journal', 'erase', '--user', ALICE)).stdout).toBe(`erased ${before}\n`);
    await connect('/ws', ALICE);
    const nowOf = async () => (await query('--user', ALICE, '--kind', 'connected').catch(() => []))[0]?.user;
    await until(async () => (await nowOf()) !== undefined, PATIENCE_MS, 'a record with the next pseudonym');
    expect(await nowOf()).not.toBe(before);
    const ordered = async () => (await query('--kind', 'admin')).filter(({ what }) => what === 'journal_erase');
    await until(async () => (await ordered()).length > 0, PATIENCE_MS, 'a record of the erasure');
    expect(await ordered()).toMatchObject([{ user: before, result: 'done', author: expect.stringMatching(/^u_/) }]);
  });

  it('R71 leaves no user and no address in anything that it put out', async () => {
    const metrics = await (
      await fetch(`${gateway.adminUrl}/metrics`, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } })
    ).text();
    await until(() => collector.spans.some(({ name }) => name === 'publish'), PATIENCE_MS, 'spans');
    expect(await gateway.stop()).toBe(0);
    const journal = contents(journalEnv.JOURNAL_DIR);
    for (const [text, holds] of [
      [gateway.stdout(), 'clients '],
      [gateway.log(), '"event":"client_ended"'],
      [metrics, 'millrace_connections_open'],
      [JSON.stringify(collector.spans), 'millrace.topic'],
      [journal, '"k":"closed"'],
    ] as const) {
      expect(text).toContain(holds);
      expectNoNames(text, `what holds ${holds}`);
    }
    expect(journal).toContain('"user":"u_');
    expect(gateway.log()).not.toMatch(/"(user|address|author)":"unavailable"/);
    expect(lines().at(-1)).toMatchObject({ msg: 'closed' });
  });
});
