/** R73 the listener's part of a FIX session: one per identity, and what a connection may cost before it is limited. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ANONYMOUS, type Credential } from '../../../src/auth/credential.js';
import { type FixConfig, readConfig } from '../../../src/config/environment.js';
import { FixViews } from '../../../src/fix/market/views.js';
import { NumberRequests } from '../../../src/fix/number-requests.js';
import { FixServer } from '../../../src/fix/server.js';
import type { FromFix } from '../../../src/threads/fix-messages.js';
import { ENTITLED } from '../../support/fix-entitlements.js';
import { FixSocket } from '../../support/fix-socket.js';
import { framed } from '../../support/fix-wire.js';
import { PATIENCE_MS, until } from '../../support/until.js';

const ALICE: Credential = { ...ANONYMOUS, sub: 'alice' };
const NUMBERS = { nextIn: 1, nextOut: 1 };
const config = readConfig({ FIX_PORT: '9878' }, 2);

let server: FixServer;
let numbers: NumberRequests;
let port: number;
let posted: FromFix[];
let ends: string[];
let isAffordable: boolean;
let isJournalFailing = false;
const sockets: FixSocket[] = [];

beforeEach(async () => {
  posted = [];
  ends = [];
  isAffordable = true;
  numbers = new NumberRequests(message => posted.push(message));
  let lastId = 0;
  server = new FixServer({
    config,
    fix: config.fix as FixConfig,
    access: {
      attempt: () => true,
      verify: () => ALICE,
      enter: () => undefined,
      leave: () => undefined,
      entitlementsOf: () => ENTITLED,
      current: credential => credential,
      change: () => undefined,
      budgetOf: () => ({ charge: () => 0, owe: () => undefined, read: () => isAffordable }),
      ownerOf: () => 0,
      unknown: () => [],
    },
    log: {
      connected: () => undefined,
      refused: (_connection, { text }) => ends.push(text),
      ended: (_connection, _kind, reason) => ends.push(reason),
    },
    records: undefined,
    counts: undefined,
    views: new FixViews({ shards: 1, tell: () => undefined, nowMs: () => 0 }),
    journal: {
      get isRefusing() {
        return isJournalFailing;
      },
    },
    numbers,
    nextId: () => ++lastId,
    addressOf: address => address,
    nowMs: () => performance.now(),
    wallMicros: () => (performance.timeOrigin + performance.now()) * 1000,
    checkTls: () => Promise.resolve(),
    onFault: (_what, cause) => expect.fail(String(cause)),
  });
  port = (await server.listen(0)) ?? 0;
});

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.end();
  server.stopListening();
  for (const connection of server.connections) connection.cut();
});

function logon(): FixSocket {
  const socket = new FixSocket(port, 'CLIENT');
  sockets.push(socket);
  socket.send('A', [
    [98, 0],
    [108, 30],
  ]);
  return socket;
}

async function loggedOn(): Promise<FixSocket> {
  const client = logon();
  await opened(1);
  answer(1);
  await client.message(/\|35=A\|/);
  return client;
}

const opens = () => posted.filter(({ type }) => type === 'fix_open');
const answer = (id: number) => numbers.opened({ type: 'fix_opened', id, key: 'key', numbers: NUMBERS, detail: '' });
const opened = (count: number) => until(() => opens().length === count, PATIENCE_MS, `${count} sessions are opened`);

it('R73 a client that leaves while its numbers are read keeps its identity until they are given back', async () => {
  const first = logon();
  await opened(1);
  first.end();
  await until(() => server.connections.size === 0, PATIENCE_MS, 'the client has left');
  const second = logon();
  await second.closed();
  expect(second.messages).toEqual([]);
  expect(opens()).toHaveLength(1);
  answer(1);
  await until(() => posted.some(({ type }) => type === 'fix_release'), PATIENCE_MS, 'the numbers are given back');
  const third = logon();
  await opened(2);
  answer(2);
  expect(await third.message(/\|35=A\|/)).toContain('|34=1|');
});

it('R73 garbled messages count against the messages that a client may send in a second', async () => {
  const client = await loggedOn();
  const garbled = framed('35=0\x0134=2\x01')
    .toString('latin1')
    .replace(/10=\d{3}/, '10=999');
  client.socket.write(garbled.repeat(config.limits.messagesPerSecondMax + 1));
  expect(await client.message(/\|35=5\|/)).toContain('messages in a second');
});

it('R73 a client that is logged out while its numbers are read leaves them as they are', async () => {
  const client = logon();
  await opened(1);
  for (const connection of server.connections) connection.end('regular', 'the gateway drains');
  expect(await client.message(/\|35=5\|/)).toContain('the gateway drains');
  const numbersKept = { nextIn: 50, nextOut: 700 };
  numbers.opened({ type: 'fix_opened', id: 1, key: 'key', numbers: numbersKept, detail: '' });
  const released = () => posted.filter(({ type }) => type === 'fix_release');
  await until(() => released().length > 0, PATIENCE_MS, 'the numbers are given back');
  expect(released()).toEqual([{ type: 'fix_release', key: 'key', ...numbersKept }]);
});

it('R73 numbers that a client resets are saved at once', async () => {
  const client = await loggedOn();
  client.nextOut = 1;
  const answered = client.messages.length;
  await client.logOn(undefined, [[141, 'Y']]);
  expect(client.messages[answered]).toContain('|34=1|');
  expect(posted.filter(({ type }) => type === 'fix_save')).toEqual([{ type: 'fix_save', sessions: [['key', 2, 2]] }]);
});

it('R73 a client that keeps sending while its budget is used up is logged out', async () => {
  const client = await loggedOn();
  isAffordable = false;
  client.send('0');
  expect(await client.message(/\|35=5\|/)).toContain('too many messages while the work budget is used up');
});

it('R73 a client that closes its connection after our Logout was logged out, and did not just vanish', async () => {
  const client = await loggedOn();
  for (const connection of server.connections) connection.end('regular', 'the gateway drains');
  server.flush();
  await client.message(/\|35=5\|/);
  client.socket.end();
  await until(() => server.connections.size === 0, PATIENCE_MS, 'the client has left');
  expect([...server.ended.ends]).toEqual([['regular', 1]]);
});

it('R70 a client that cannot be recorded is logged out with the reason, and may log on afterwards', async () => {
  isJournalFailing = true;
  expect(await logon().message(/\|35=5\|/)).toContain('the journal cannot be written');
  isJournalFailing = false;
  const client = logon();
  await opened(1);
  answer(1);
  await client.message(/\|35=A\|/);
});
