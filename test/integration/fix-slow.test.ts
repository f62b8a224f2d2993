/** R73 FIX over TLS, slow FIX clients, and many of them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FixClientBook } from '../support/fix-book.js';
import { FixSocket, fixPortOf } from '../support/fix-socket.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { PATIENCE_MS, until } from '../support/until.js';

const SYMBOL = 'AAPL';
const MANY = 200;
const folder = mkdtempSync(join(tmpdir(), 'fix-tls-'));
const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')];
let nats: NatsServer;
let publisher: TestPublisher;
let gateway: TestGateway;
let token: string;
let ca: string;

beforeAll(async () => {
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=localhost'];
  const files = ['-keyout', key, '-out', certificate, '-days', '2', '-addext', 'subjectAltName=DNS:localhost'];
  execFileSync('openssl', ['req', '-x509', ...kind, ...files], { stdio: 'ignore' });
  ca = readFileSync(certificate, 'utf8');
  nats = await startNatsServer();
  publisher = await TestPublisher.connect(nats.url);
  gateway = await startGateway({
    NATS_URL: nats.url,
    WORKERS: '1',
    ENCODERS: '1',
    FIX_PORT: '0',
    FIX_TLS_CERT: certificate,
    FIX_TLS_KEY: key,
    WS_MAX_BACKPRESSURE: '64KiB',
    WS_CIRCUIT_BREAKER_THRESHOLD: '2',
    WS_MAX_SUBSCRIPTIONS: '4',
    TCP_NOTSENT_LOWAT: '4KiB',
    WS_SNAPSHOT_FRAME_MAX: '32KiB',
  });
  token = await testToken();
  publish('1', true);
  await publisher.settled(gateway);
});

afterAll(async () => {
  await gateway?.stop();
  await publisher?.close();
  await nats?.stop();
  rmSync(folder, { recursive: true });
});

const bids = (size: string) => Array.from({ length: 100 }, (_, i) => [String(1000 - i), size]);

function publish(size: string, snapshot: boolean): void {
  publisher.put(`md.books.${SYMBOL}`, { symbol: SYMBOL, bids: bids(size), asks: [['2000', '1']], snapshot });
}

const newSocket = (senderCompId: string) => new FixSocket(fixPortOf(gateway), senderCompId, ca);

/** Keeps the book changing until something has happened. */
async function changeUntil(has: () => boolean | Promise<boolean>, what: string): Promise<void> {
  let size = 1;
  const change = async () => {
    for (let i = 0; i < 20; i++) publish(String(++size), false);
    await publisher.nats.flush();
    return has();
  };
  await until(change, PATIENCE_MS, what);
}

it('R73 R5 a client that does not read costs the others nothing; once it reads, it gets a W that says so', async () => {
  const [slow, other] = [newSocket('SLOW'), newSocket('OTHER')];
  await slow.logOn(token);
  await other.logOn(token);
  slow.subscribe('s', [SYMBOL], 100);
  other.subscribe('o', [SYMBOL], 1);
  await slow.message(/\|35=W\|/);
  await other.message(/\|35=W\|/);
  slow.socket.pause();
  const stalls = async () => (await gateway.metric('millrace_fix_stalls_total')) > 0;
  await changeUntil(stalls, 'the slow client is suspended');
  expect(await gateway.metric('millrace_fix_sessions_slowed')).toBe(1);
  publish('77777', false);
  await other.message(/\|270=1000\|271=77777\|/);
  slow.socket.resume();
  const replaced = await slow.message(/\|35=W\|.*\|814=1\|/);
  expect(replaced).toContain('|262=s|');
  // In a slower class, as each change says.
  publish('88888', false);
  await slow.message(/\|35=X\|.*\|270=1000\|271=88888\|.*\|813=0\|814=2\|/);
  const book = new FixClientBook();
  for (const message of slow.messages) if (/\|35=[WX]\|/.test(message)) book.take(message);
  expect(book.bids.get('1000')).toBe('88888');
  expect(slow.messages.map(message => Number(/\|34=(\d+)\|/.exec(message)?.[1]))).toEqual(
    slow.messages.map((_, i) => i + 1),
  );
  slow.end();
  other.end();
});

it('R73 R5 a client that wants no conflation is logged out instead (ApplQueueAction 3)', async () => {
  const client = newSocket('NO-GAPS');
  await client.logOn(token);
  client.send('V', [
    [262, 'x'],
    [263, 1],
    [264, 0],
    [265, 1],
    [815, 3],
    [267, 2],
    [269, 0],
    [269, 1],
    [146, 1],
    [55, SYMBOL],
  ]);
  await client.message(/\|35=W\|/);
  client.socket.pause();
  const isLoggedOut = async () => (await gateway.metric('millrace_fix_ends_total{end="slow"}')) > 0;
  await changeUntil(isLoggedOut, 'the client is logged out');
  client.socket.resume();
  expect(await client.message(/\|35=5\|/)).toContain('ApplQueueAction 3 was asked for');
  client.end();
});

it('R73 a session has as many topics as other connections', async () => {
  const client = newSocket('TOPICS');
  await client.logOn(token);
  client.subscribe('a', ['A', 'B', 'C', 'D', 'E']);
  expect(await client.message(/\|35=Y\|/)).toMatch(/\|281=2\|58=at most 4 topics per session\|/);
  client.end();
});

it(`R73 ${MANY} sessions log on at once, and each gets the same book`, async () => {
  const clients = Array.from({ length: MANY }, (_, i) => newSocket(`C${i}`));
  const answers = await Promise.all(clients.map(client => client.logOn(token)));
  expect(answers.filter(answer => answer?.includes('|35=A|'))).toHaveLength(MANY);
  for (const client of clients) client.subscribe('m', [SYMBOL], 10);
  await Promise.all(clients.map(client => client.message(/\|35=W\|/)));
  publish('4321', false);
  await Promise.all(clients.map(client => client.message(/\|270=991\|271=4321\|/)));
  expect(await gateway.metric('millrace_fix_sessions')).toBe(MANY);
  for (const client of clients) client.end();
  await until(async () => (await gateway.metric('millrace_fix_sessions')) === 0, PATIENCE_MS, 'all are gone');
});
