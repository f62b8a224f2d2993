/** R73 the listener's part of a FIX session: one per identity, and what a connection may cost before it is limited. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ANONYMOUS, type Credential } from '../../../src/auth/credential.js';
import { type FixConfig, readConfig } from '../../../src/config/environment.js';
import { FixViews } from '../../../src/fix/market/views.js';
import { NumberRequests } from '../../../src/fix/number-requests.js';
import { FixServer } from '../../../src/fix/server.js';
import type { FromFix } from '../../../src/threads/fix-messages.js';
import { FixSocket } from '../../support/fix-socket.js';
import { framed } from '../../support/fix-wire.js';
import { PATIENCE_MS, until } from '../../support/until.js';

const ALICE: Credential = { ...ANONYMOUS, sub: 'alice' };
const EVERYTHING = { hasFullTrades: false, maySubscribe: () => true, lacksRoles: () => [] };
const NUMBERS = { nextIn: 1, nextOut: 1 };
const config = readConfig({ FIX_PORT: '9878' }, 2);

let server: FixServer;
let numbers: NumberRequests;
let port: number;
let posted: FromFix[];
let ends: string[];
let isJournalFailing = false;
const sockets: FixSocket[] = [];

beforeEach(async () => {
  posted = [];
  ends = [];
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
      entitlementsOf: () => EVERYTHING,
      isStillGood: () => true,
      budgetOf: () => ({ charge: () => 0 }),
      ownerOf: () => 0,
      unknown: () => [],
    },
    log: {
      connected: () => undefined,
      refused: (_connection, reason) => ends.push(reason),
      ended: (_connection, _kind, reason) => ends.push(reason),
    },
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
  const client = logon();
  await opened(1);
  answer(1);
  await client.message(/\|35=A\|/);
  const garbled = framed('35=0\x0134=2\x01')
    .toString('latin1')
    .replace(/10=\d{3}/, '10=999');
  client.socket.write(garbled.repeat(config.limits.messagesPerSecondMax + 1));
  expect(await client.message(/\|35=5\|/)).toContain('messages in a second');
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
