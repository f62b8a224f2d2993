/** R70 the journal of a real gateway: over deaths of its threads, a folder that goes away, restarts and a takeover. */
import { createPublicKey } from 'node:crypto';
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type NatsConnection } from 'nats';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EMPTY_CHAIN } from '../../src/journal/block-chain.js';
import { readCheckpoint } from '../../src/journal/checkpoint.js';
import { verifyJournal } from '../../src/journal/verify.js';
import { refusedUpgrade, TestClient } from '../support/client.js';
import { FixSocket, fixPortOf } from '../support/fix-socket.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { JournalFolder } from '../support/journal/folder.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';
import { runCli } from '../unit/cli/run-cli.js';

const FAULTS = new URL('../support/faults.mjs', import.meta.url).href;
const folder = new JournalFolder();
const faultFile = join(folder.base, 'fault');
const publicKey = () => createPublicKey(readFileSync(join(folder.path, 'checkpoint.pub.pem')));
let nats: NatsServer;
let connection: NatsConnection;
let gateway: TestGateway;
let token: string;

const env = () => ({
  ...folder.env,
  NATS_URL: nats.url,
  SYMBOLS: 'AAPL',
  JOURNAL_CHECKPOINTS: 'jetstream',
  JOURNAL_FAIL: 'closed',
  FIX_PORT: '0',
  NODE_NAME: 'edge-1',
  WORKERS: '1',
  ENCODERS: '1',
  NODE_OPTIONS: `--import ${FAULTS}`,
  FAULT_FILE: faultFile,
});

beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true });
  connection = await connect({ servers: nats.url });
  token = await testToken();
  gateway = await startGateway(env());
});

afterAll(async () => {
  await gateway?.stop('SIGINT');
  await connection?.close();
  await nats?.stop();
  folder.remove();
});

/** All checkpoints that the stream holds. */
async function notes(): Promise<string[]> {
  const manager = await connection.jetstreamManager();
  const { state } = await manager.streams.info('MILLRACE_CHECKPOINTS');
  const numbers = Array.from({ length: state.messages }, (_, i) => state.first_seq + i);
  const messages = await Promise.all(numbers.map(seq => manager.streams.getMessage('MILLRACE_CHECKPOINTS', { seq })));
  return messages.map(({ data }) => new TextDecoder().decode(data));
}

const kinds = () => folder.records().map(({ k }) => k);
const url = (query = '') => `${gateway.url}/ws/quotes?symbols=AAPL&token=${token}${query}`;

async function comeAndGo(): Promise<void> {
  const client = await TestClient.connect(url());
  await client.close();
}

it('R70 records the start and what operators order, through the death of a gateway thread and of its own', async () => {
  await comeAndGo();
  writeFileSync(faultFile, 'worker throw');
  await until(async () => (await gateway.metric('millrace_worker_restarts_total')) === 1, undefined, 'another worker');
  await until(async () => (await fetch(`${gateway.adminUrl}/readyz`)).ok, undefined, 'another one listens');
  await comeAndGo();
  const revoked = await fetch(`${gateway.adminUrl}/api/v1/revocations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sub: 'mallory', reason: 'left' }),
  });
  expect(revoked.status).toBe(200);
  await until(() => kinds().includes('admin'), undefined, 'the order is written');
  writeFileSync(faultFile, 'journal exit');
  await until(
    async () => (await gateway.metric('millrace_journal_restarts_total')) === 1,
    undefined,
    'its thread died',
  );
  await until(async () => (await gateway.metric('millrace_journal_failing')) === 0, undefined, 'another one runs');
  await comeAndGo();
  process.kill(gateway.pid, 'SIGHUP');
  await until(() => kinds().filter(kind => kind === 'admin').length === 2, undefined, 'the reload is written');
  const records = folder.records();
  const [revoke, reload] = records.filter(({ k }) => k === 'admin');
  expect(records[0]).toMatchObject({ k: 'started', node: 'edge-1', threads: 2 });
  expect(records.find(({ k }) => k === 'ended')).toMatchObject({ w: 0 });
  expect(revoke).toMatchObject({
    what: 'revoke',
    by: 'admin',
    author: expect.stringMatching(/^u_/),
    result: 'done',
    detail: 'left',
    user: expect.stringMatching(/^u_/),
  });
  expect(reload).toMatchObject({ what: 'reload', by: 'SIGHUP', result: 'done' });
  expect(JSON.stringify(records)).not.toMatch(/mallory|127\.0\.0\.1/);
});

it('R70 refuses newcomers while the folder is away, says so, and serves them once it is back', async () => {
  const away = `${folder.path}.away`;
  renameSync(folder.path, away);
  writeFileSync(folder.path, '');
  await until(async () => (await gateway.metric('millrace_journal_failing')) === 1, undefined, 'it notices');
  const refused = await refusedUpgrade(url());
  expect(refused.status).toBe(503);
  expect(JSON.stringify(refused)).toContain('journal_unavailable');
  const explained = await TestClient.connect(url('&explain=1'));
  await until(() => explained.closed !== undefined);
  expect(explained.closed).toEqual({ code: 4029, reason: 'the journal cannot be written' });
  const row = await fetch(`${gateway.adminUrl}/api/v1/journal`);
  expect(await row.json()).toMatchObject({
    state: 'failing',
    refusing: true,
    failure: expect.stringContaining('journal'),
  });
  const ready = await fetch(`${gateway.adminUrl}/readyz`);
  expect([ready.status, await ready.json()]).toMatchObject([503, { missing: ['journal'] }]);
  const fix = new FixSocket(fixPortOf(gateway), 'CLIENT');
  fix.send('A', [
    [98, 0],
    [108, 30],
    [554, token],
  ]);
  expect(await fix.message(/\|35=5\|/)).toContain('the journal cannot be written');
  fix.end();
  rmSync(folder.path);
  renameSync(away, folder.path);
  await until(async () => (await gateway.metric('millrace_journal_failing')) === 0, undefined, 'it writes again');
  await comeAndGo();
  expect((await fetch(`${gateway.adminUrl}/readyz`)).status).toBe(200);
  await until(() => gateway.log().includes('the journal cannot be written'));
  await until(() => gateway.log().includes('the journal can be written again'));
});

it('R70 writes everything before it ends, and the next process continues the chain that the checkpoints prove', async () => {
  // Another process at the same time writes beside it.
  const second = await startGateway({ ...env(), JOURNAL_FAIL: 'open' });
  expect(await second.stop()).toBe(0);
  const takeover = join(folder.path, 'takeover');
  const written = folder.records(takeover).map(({ k }) => k);
  expect(written.filter(kind => kind !== 'clock')).toEqual(['started', 'stopped']);
  const [takeoverBlocks] = folder.verified(takeover).split(' ');
  expect(await gateway.stop()).toBe(0);
  expect(kinds().at(-1)).toBe('stopped');
  const [blocks] = folder.verified().split(' ');
  gateway = await startGateway(env());
  await comeAndGo();
  expect(await gateway.stop()).toBe(0);
  expect(kinds().filter(kind => kind === 'started')).toHaveLength(2);
  const [blocksNow] = folder.verified().split(' ');
  expect(Number(blocksNow)).toBeGreaterThan(Number(blocks));
  const own = (await notes()).filter(note => note.startsWith('millrace/edge-1\n'));
  const verdict = await verifyJournal({ folder: folder.path, start: EMPTY_CHAIN, notes: own, key: publicKey() });
  expect(verdict).toMatchObject({ faults: [], openLines: 0, coveredBlocks: Number(blocksNow) });
  const other = (await notes()).findLast(note => note.startsWith('millrace/edge-1/takeover\n'));
  expect(readCheckpoint(other ?? '', publicKey())).toMatchObject({ blocks: Number(takeoverBlocks) });
});

it('R70 R71 needs nothing but its folder, and its commands need nothing but that', async () => {
  const bare = join(folder.base, 'bare');
  const own = await startGateway({ JOURNAL_DIR: bare, WORKERS: '1', ENCODERS: '1' });
  await (await TestClient.connect(`${own.url}/ws/quotes?symbols=AAPL&token=${token}`)).close();
  await until(() => own.log().includes('the master key lies beside the journal'));
  expect(await own.stop()).toBe(0);
  expect(statSync(join(bare, 'master.key')).mode & 0o777).toBe(0o600);
  folder.verified(bare);
  const query = await runCli(['journal', 'query', bare, '--user', 'alice', '--kind', 'connected']);
  expect(JSON.parse(query.stdout)).toMatchObject({ k: 'connected', user: expect.stringMatching(/^u_/) });
  expect(await runCli(['journal', 'erase', bare, '--user', 'alice'])).toMatchObject({ code: 0 });
  expect(await runCli(['journal', 'query', bare, '--user', 'alice'])).toMatchObject({ code: 1, stdout: '' });
});
