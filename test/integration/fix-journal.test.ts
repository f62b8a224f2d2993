/** R70 R73 the journal of FIX sessions, read from its files: what they did, and each message of market data that they got. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { entriesOf, gotBy, positionsIn } from '../support/fix-journal.js';
import { FixSocket, fixPortOf } from '../support/fix-socket.js';
import { stampOf } from '../support/fix-wire.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { JournalFolder } from '../support/journal/folder.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { PATIENCE_MS, until } from '../support/until.js';

const SYMBOL = 'AAPL';
const OWN = ['depth', 'orderbook', 'trades', 'quotes'].map(stream => `${stream}:${SYMBOL}`);
const PRODUCTS = { products: [{ code: 'XLON-L2', vendor: 'LSEG', topics: ['depth:LACKED'] }] };
const folder = new JournalFolder();
let nats: NatsServer;
let publisher: TestPublisher;
let gateway: TestGateway;
let token: string;
/** The MsgSeqNum that bob leaves out. */
let leftOut = 0;
let records: Readonly<Record<string, unknown>>[];
const clients: FixSocket[] = [];

const book = (bids: [string, string][], snapshot = false) =>
  publisher.put(`md.books.${SYMBOL}`, {
    symbol: SYMBOL,
    bids,
    asks: [['200', '1']],
    ...(snapshot ? { snapshot } : {}),
  });

async function loggedOn(senderCompId: string, user: string): Promise<FixSocket> {
  const client = new FixSocket(fixPortOf(gateway), senderCompId);
  clients.push(client);
  const password = user === '' ? token : await testToken({ sub: user, tier: 'institutional', entitlements: OWN });
  expect(await client.logOn(password)).toContain('|35=A|');
  return client;
}

/** @param updateType MDUpdateType */
function subscribe(
  client: FixSocket,
  id: string,
  depth: number,
  types: number[],
  updateType = 1,
  symbol = SYMBOL,
): void {
  client.send('V', [
    [262, id],
    [263, 1],
    [264, depth],
    [265, updateType],
    [267, types.length],
    ...types.map(type => [269, type] as const),
    [146, 1],
    [55, symbol],
  ]);
}

const has = (client: FixSocket, pattern: RegExp) => client.message(pattern);

/** Changes, and waits until the client has the last one. */
async function changeTo(client: FixSocket, id: string, size: number): Promise<void> {
  for (let i = 9; i >= 0; i--) book([[String(100 - i), String(size)]]);
  await has(client, new RegExp(`\\|262=${id}\\|.*\\|270=100\\|271=${size}\\|`));
}

beforeAll(async () => {
  nats = await startNatsServer();
  publisher = await TestPublisher.connect(nats.url);
  const products = join(folder.base, 'products.json');
  writeFileSync(products, JSON.stringify(PRODUCTS));
  gateway = await startGateway({
    PRODUCTS_FILE: products,
    ...folder.env,
    NATS_URL: nats.url,
    WORKERS: '1',
    ENCODERS: '1',
    FIX_PORT: '0',
    FIX_SEQ_TAGS: 'on',
    FIX_HEARTBEAT_MIN: '1s',
  });
  token = await testToken({ tier: 'institutional' });
  book([['100', '1']], true);
  publisher.put('md.books.LACKED', { symbol: 'LACKED', bids: [], asks: [['200', '1']], snapshot: true });
  publisher.put(`md.quotes.${SYMBOL}`, { symbol: SYMBOL, bid: '99', ask: '101', open: '90' });
  await publisher.settled(gateway);

  const one = await loggedOn('ONE', '');
  for (const [id, depth, updateType] of [
    ['ten', 10, 1],
    ['three', 3, 1],
    ['whole', 1, 0],
  ] as const) {
    subscribe(one, id, depth, [0, 1], updateType);
    await has(one, new RegExp(`\\|35=W\\|.*\\|262=${id}\\|`));
  }
  subscribe(one, 'trades', 0, [2]);
  subscribe(one, 'open', 1, [4]);
  await has(one, /\|35=W\|.*\|262=open\|/);
  await changeTo(one, 'ten', 2);
  const two = await loggedOn('TWO', 'bob');
  subscribe(two, 'three', 3, [0, 1]);
  await has(two, /\|35=W\|.*\|262=three\|/);
  for (let id = 1; id <= 3; id++) {
    publisher.put(`md.trades.${SYMBOL}`, { symbol: SYMBOL, trade_id: `t${id}`, price: '1', quantity: '1' });
  }
  await has(one, /\|278=t3\|/);
  publisher.put(`md.quotes.${SYMBOL}`, { symbol: SYMBOL, bid: '99', ask: '101', open: '91' });
  await has(one, /\|262=open\|.*\|270=91\|/);
  await changeTo(one, 'ten', 3);
  await has(two, /\|262=three\|.*\|270=100\|271=3\|/);
  // What comes again is a W in its own right.
  two.send('2', [
    [7, 2],
    [16, 0],
  ]);
  const wholes = () => two.messages.filter(message => message.includes('|35=W|')).length;
  await until(() => wholes() === 2, PATIENCE_MS, 'a new W');
  one.send('V', [
    [262, 'ten'],
    [263, 2],
    [264, 10],
    [267, 1],
    [269, 0],
    [146, 1],
    [55, SYMBOL],
  ]);
  for (let i = 9; i >= 0; i--) book([[String(100 - i), '4']]);
  await has(one, /\|262=whole\|.*\|270=100\|271=4\|/);
  await has(two, /\|262=three\|.*\|270=100\|271=4\|/);
  subscribe(two, 'none', 10, [9]);
  await has(two, /\|35=Y\|/);
  two.send('Z9');
  await has(two, /\|35=3\|/);
  two.send('D');
  await has(two, /\|35=j\|/);
  subscribe(two, 'lacks', 10, [0, 1], 1, 'LACKED');
  await has(two, /\|35=Y\|.*\|262=lacks\|281=3\|/);
  // A number is left out: the gateway asks for it, and gets it filled.
  leftOut = two.nextOut++;
  two.send('0');
  await has(two, new RegExp(`\\|35=2\\|.*\\|7=${leftOut}\\|`));
  const next = two.nextOut;
  two.nextOut = leftOut;
  two.send(
    '4',
    [
      [123, 'Y'],
      [36, next],
    ],
    [
      [43, 'Y'],
      [122, stampOf(Date.now())],
    ],
  );
  two.nextOut = next;
  const refused = new FixSocket(fixPortOf(gateway), 'REFUSED');
  await refused.logOn('mk_0123.456');
  refused.end();
  two.send('5');
  await two.closed();
  await gateway.stop();
  await one.closed();
  records = folder.records();
});

afterAll(async () => {
  for (const client of clients) client.end();
  await gateway?.stop();
  await publisher?.close();
  await nats?.stop();
  folder.remove();
});

const idOf = (at: number): string =>
  String(records.filter(({ k, transport }) => k === 'connected' && transport === 'fix')[at]?.c);
const kindsOf = (c: string): string[] => records.filter(record => record.c === c).map(({ k }) => String(k));

describe('R70 R73 the journal of FIX sessions', () => {
  it('R70 R73 is whole', () => {
    expect(folder.verified()).toMatch(/^\d+ /);
  });

  it.each([
    ['ONE', 0],
    ['TWO', 1],
  ])('R70 R73 says of each W and X that %s got which one it was, in order', (_name, at) => {
    const got = positionsIn(clients[at]?.messages ?? []);
    expect([...got.values()].flat().length).toBeGreaterThan(5);
    expect(gotBy(entriesOf(records), idOf(at))).toEqual(got);
  });

  it('R70 R73 has the logon, the requests, the refusals and the end', () => {
    const [one, two] = [idOf(0), idOf(1)];
    expect(kindsOf(one).slice(0, 3)).toEqual(['connected', 'authenticated', 'command']);
    const actions = (c: string) =>
      records.filter(record => record.c === c && record.k === 'command').map(r => r.action);
    expect(actions(one)).toEqual(['logon', ...Array(5).fill('subscribe'), 'unsubscribe']);
    expect(actions(two)).toEqual([
      'logon',
      ...['subscribe', 'resend_request', 'subscribe', 'subscribe', 'sequence_reset', 'logout'],
    ]);
    expect(records).toContainEqual(expect.objectContaining({ k: 'refused', c: two, what: 'command', code: '281=8' }));
    const refusal = { k: 'refused', what: 'connection', status: 401, code: 'unauthorized' };
    const reason = 'the API key was refused: unknown';
    expect(records).toContainEqual(expect.objectContaining({ ...refusal, reason }));
    expect(records).toContainEqual(expect.objectContaining({ k: 'closed', c: two, by: 'client', code: 1000 }));
    expect(records).toContainEqual(expect.objectContaining({ k: 'closed', c: one, by: 'gateway' }));
    expect(records).toContainEqual(expect.objectContaining({ k: 'unsubscribed', c: one, id: 'ten' }));
  });

  it('R70 R73 has what the gateway refused within the session, and which product the client lacks', () => {
    const refused = records.filter(({ k, c }) => k === 'refused' && c === idOf(1));
    expect(refused.map(({ t: _t, k: _k, c: _c, ...members }) => members)).toEqual([
      {
        ...{ what: 'command', code: '281=8', id: 'none' },
        reason: 'MDEntryType must be 0, 1, 2, 4, 5, 7 or 8, not 9',
      },
      { what: 'command', code: '373=11', reason: expect.stringMatching(/^Invalid MsgType \(45=\d+, 372=Z9.*\)$/) },
      { what: 'command', code: '380=3', reason: 'Unsupported Message Type' },
      {
        ...{ what: 'topic', code: '281=3', id: 'lacks', stream: 'depth', symbols: ['LACKED'], product: 'XLON-L2' },
        reason: 'not entitled to depth of LACKED: product XLON-L2 of LSEG',
      },
    ]);
  });

  it('R70 R73 has the numbers that the gateway asked for and filled, and the text of its Logout', () => {
    const of = (kind: string, c: string) => records.filter(record => record.k === kind && record.c === c);
    expect(of('resend_asked', idOf(1))).toMatchObject([{ from: leftOut }]);
    expect(of('filled', idOf(1))).toMatchObject([{ from: 2, again: 0 }]);
    const reason = 'the gateway drains; log on again at another gateway, or here once it has restarted';
    expect(of('logout', idOf(0))).toMatchObject([{ reason }]);
    expect(of('logout', idOf(1))).toEqual([]);
    expect(of('closed', idOf(0))).toMatchObject([{ reason, by: 'gateway' }]);
  });

  it('R70 R73 knows by the number that a client asks for from when on it has what it was sent', () => {
    const confirmed = records.find(({ k, c }) => k === 'confirmed' && c === idOf(1));
    const asked = records.find(({ k, action }) => k === 'command' && action === 'resend_request');
    expect(Number(confirmed?.at)).toBeLessThan(Number(asked?.t));
  });

  it('R70 R73 names no user and no address', () => {
    expect(JSON.stringify(records)).not.toMatch(/bob|127\.0\.0\.1/);
  });
});
