/** What publishers and clients should not send: each gets the answer of PROTOCOL.md, and everybody else goes on. */

import { randomBytes } from 'node:crypto';
import { connect as connectSocket } from 'node:net';
import { Packr } from 'msgpackr';
import type { Msg } from 'nats';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LEVELS_MAX } from '../../src/protocol/content-limits.js';
import { TestClient } from '../support/client.js';
import { Documents } from '../support/documents.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { until } from '../support/until.js';

const packr = new Packr({ useRecords: false });
const MESSAGE_BYTES_MAX = 1_048_576;

let nats: NatsServer;
let gateway: TestGateway;
let publisher: TestPublisher;
let token: string;
/** Somebody who does nothing wrong, from the beginning to the end. */
let witness: TestClient;
const held = new Documents();
const letters: Msg[] = [];
const clients: TestClient[] = [];
let good = 0;

beforeAll(async () => {
  nats = await startNatsServer();
  gateway = await startGateway({
    NATS_URL: nats.url,
    WORKERS: '1',
    ENCODERS: '1',
    MESSAGE_BYTES_MAX: '524288',
    SYMBOLS: 'BAD-*',
  });
  publisher = await TestPublisher.connect(nats.url);
  publisher.nats.subscribe('deadletter.>', { callback: (_error, message) => letters.push(message) });
  token = await testToken();
  putGood();
  await publisher.settled(gateway);
  witness = await TestClient.connect(`${gateway.url}/ws/quotes?symbols=GOOD&token=${token}`);
  witness.send({ action: 'subscribe', stream: 'trades', symbol: 'GOOD' });
  witness.send({ action: 'subscribe', stream: 'depth', symbol: 'GOOD' });
  await witness.arrived('depth_patch');
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map(client => client.close()));
  // Whatever the test did: the others are served, completely and in order, by the process that was started.
  putGood();
  await until(() => isServed());
  expect(witness.closed).toBeUndefined();
  expect(gateway.log()).not.toMatch(/"level":(50|60)/);
});

afterAll(async () => {
  await witness?.close();
  await publisher?.close();
  const code = await gateway?.stop();
  await nats?.stop();
  expect(code).toBe(0);
});

async function open(path: string): Promise<TestClient> {
  const client = await TestClient.connect(`${gateway.url}${path}`);
  clients.push(client);
  return client;
}

function putGood(): void {
  good++;
  publisher.put('md.quotes.GOOD', { symbol: 'GOOD', current_price: good });
  publisher.put('md.books.GOOD', { symbol: 'GOOD', bids: [['1', String(good)]], asks: [], snapshot: true });
  publisher.put('md.trades.GOOD', { symbol: 'GOOD', trade_id: good, price: '1', quantity: '1' });
}

function isServed(): boolean {
  held.follow(witness);
  return (
    held.document.quotes.GOOD?.current_price === good &&
    held.books.get('GOOD')?.bids['1'] === String(good) &&
    held.trades.get('GOOD')?.at(-1)?.trade_id === good
  );
}

const rejected = (reason: string) => gateway.metric(`millrace_feed_rejected_total{reason="${reason}"}`);

/** Every reason's count. */
const allRejected = (): Promise<number> => gateway.metric('millrace_feed_rejected_total');

function deepJson(depth: number): string {
  return '['.repeat(depth) + ']'.repeat(depth);
}

/** In MessagePack, a byte of an application's own type 7. */
const EXTENSION = Buffer.from([0xd4, 7, 0]);

describe('R47 publisher garbage', () => {
  const quote = (members: object) => JSON.stringify({ symbol: 'BAD-1', current_price: 1, ...members });
  const trade = (members: object) =>
    JSON.stringify({ symbol: 'BAD-1', trade_id: 'x', price: '1', quantity: '1', ...members });
  const book = (members: object) => JSON.stringify({ symbol: 'BAD-1', bids: [], asks: [], snapshot: true, ...members });

  it.each([
    ['nothing at all', 'quotes', '', 'invalid_encoding'],
    ['a text', 'trades', 'hello', 'invalid_encoding'],
    ['a number', 'quotes', '42', 'invalid_encoding'],
    ['null', 'books', 'null', 'invalid_encoding'],
    ['random bytes', 'quotes', Buffer.from([0xff, 0xfe, 0x00, 0x01]), 'invalid_encoding'],
    ['half an object', 'quotes', '{"symbol":"BAD-1"', 'invalid_json'],
    ['two objects', 'trades', '{}{}', 'invalid_json'],
    ['NaN in JSON', 'quotes', '{"symbol":"BAD-1","current_price":NaN}', 'invalid_json'],
    ['an array', 'books', '[]', 'not_an_object'],
    ['a deeply nested array', 'quotes', deepJson(50_000), 'not_an_object'],
    ['half a MessagePack map', 'quotes', packr.pack({ symbol: 'BAD-1' }).subarray(0, 5), 'invalid_msgpack'],
    [
      'a MessagePack map that claims 4 billion members',
      'quotes',
      Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff]),
      'invalid_msgpack',
    ],
    [
      'a MessagePack extension that is no time',
      'quotes',
      Buffer.concat([Buffer.from([0x82]), packr.pack('symbol'), packr.pack('BAD-1'), packr.pack('x'), EXTENSION]),
      'invalid_msgpack',
    ],
    ['Latin-1', 'quotes', Buffer.from('{"symbol":"BAD-1","current_price":1,"note":"é"}', 'latin1'), 'invalid_encoding'],
    ['half of a UTF-16 pair', 'quotes', '{"symbol":"BAD-1","current_price":1,"note":"\\ud83d"}', 'invalid_encoding'],
    ['a price in blanks', 'quotes', quote({ bid: '  ' }), 'invalid_field'],
    ['a hexadecimal price', 'trades', trade({ price: '0x10' }), 'invalid_field'],
    ['a price with a line feed', 'quotes', quote({ ask: ' 5\n' }), 'invalid_field'],
    ['a snapshot that is a number', 'books', book({ snapshot: 1 }), 'invalid_field'],
    ['a partial that is a text', 'quotes', quote({ partial: 'true' }), 'invalid_field'],
    [
      'MessagePack nested 40 deep',
      'quotes',
      packr.pack({ symbol: 'BAD-1', x: JSON.parse(deepJson(40)) }),
      'invalid_msgpack',
    ],
    [
      'bytes in MessagePack',
      'quotes',
      packr.pack({ symbol: 'BAD-1', current_price: 1, x: Buffer.from('x') }),
      'invalid_field',
    ],
    [
      'infinity in MessagePack',
      'quotes',
      packr.pack({ symbol: 'BAD-1', current_price: Number.POSITIVE_INFINITY }),
      'invalid_field',
    ],
    ['another symbol than the subject’s', 'quotes', quote({ symbol: 'BAD-2' }), 'wrong_symbol'],
    ['no symbol', 'trades', trade({ symbol: undefined }), 'wrong_symbol'],
    ['a symbol that is a number', 'books', book({ symbol: 1 }), 'wrong_symbol'],
    [
      'a member __proto__',
      'quotes',
      '{"symbol":"BAD-1","current_price":1,"__proto__":{"polluted":1}}',
      'not_an_object',
    ],
    [
      'a nested member __proto__',
      'quotes',
      '{"symbol":"BAD-1","current_price":1,"x":{"__proto__":{"polluted":1}}}',
      'invalid_field',
    ],
    ['a quote without price', 'quotes', quote({ current_price: undefined }), 'missing_field'],
    ['a price that is a word', 'quotes', quote({ current_price: 'cheap' }), 'invalid_field'],
    ['a price that is an object', 'quotes', quote({ bid: {} }), 'invalid_field'],
    [
      'a field nested deeply',
      'quotes',
      `{"symbol":"BAD-1","current_price":1,"x":${deepJson(10_000)}}`,
      'invalid_field',
    ],
    ['a field of 10 kB', 'quotes', quote({ note: 'x'.repeat(10_000) }), 'invalid_field'],
    [
      'a hundred fields',
      'quotes',
      quote(Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${i}`, i]))),
      'invalid_field',
    ],
    ['a trade without id', 'trades', trade({ trade_id: undefined }), 'missing_field'],
    ['a trade whose id is a list', 'trades', trade({ trade_id: [1] }), 'invalid_field'],
    ['a trade without quantity', 'trades', trade({ quantity: undefined }), 'missing_field'],
    ['a trade whose price is empty', 'trades', trade({ price: '' }), 'invalid_field'],
    ['levels that are no list', 'books', book({ bids: { '1': '2' } }), 'invalid_field'],
    ['levels that are no pairs', 'books', book({ bids: [['1']] }), 'invalid_field'],
    ['a negative quantity', 'books', book({ asks: [['1', '-1']] }), 'invalid_field'],
    ['a price with an exponent of 65', 'books', book({ asks: [['1e65', '1']] }), 'invalid_field'],
    ['a time that is none', 'trades', trade({ executed_at: 'yesterday' }), 'invalid_field'],
    ['a quantity that is a word', 'books', book({ asks: [['1', 'lots']] }), 'invalid_field'],
    ['a price of 100 digits', 'books', book({ asks: [['1'.repeat(100), '1']] }), 'invalid_field'],
    ['a book without sides', 'books', JSON.stringify({ symbol: 'BAD-1' }), 'missing_field'],
  ] as const)('R31 %s on md.%s is counted and dead-lettered with its reason', async (_what, kind, payload, reason) => {
    const before = await rejected(reason);
    const mark = letters.length;
    const subject = `md.${kind}.BAD-1`;
    publisher.raw(subject, payload);
    await until(() => letters.length > mark);
    expect(letters.length).toBe(mark + 1);
    expect(letters[mark]?.subject).toBe(`deadletter.${subject}`);
    expect(letters[mark]?.headers?.get('Reason')).toBe(reason);
    expect(Buffer.from(letters[mark]?.data ?? [])).toEqual(Buffer.from(payload));
    expect(await rejected(reason)).toBe(before + 1);
  });

  it('R47 a message of more than MESSAGE_BYTES_MAX is refused, one of 300 KB is not', async () => {
    const mark = letters.length;
    const levels = (count: number) => Array.from({ length: count }, (_, i) => [(i + 1).toFixed(20), '1'.repeat(15)]);
    const client = await open('/ws/markets/BAD-2?depth=100');
    publisher.put('md.quotes.BAD-2', { symbol: 'BAD-2', current_price: 1, note: 'x'.repeat(700_000) });
    await until(() => letters.length > mark);
    expect(letters[mark]?.headers?.get('Reason')).toBe('too_large');
    const large = { symbol: 'BAD-2', bids: levels(7_000), asks: [], snapshot: true };
    expect(JSON.stringify(large).length).toBeGreaterThan(300_000);
    publisher.put('md.books.BAD-2', large);
    await client.arrived('depth_patch');
  });

  it('R47 a book of more levels than are kept is refused', async () => {
    const mark = letters.length;
    const bids = Array.from({ length: LEVELS_MAX + 1 }, (_, i) => [String(i + 1), '1']);
    publisher.put('md.books.BAD-3', { symbol: 'BAD-3', bids, asks: [], snapshot: true });
    await until(() => letters.length > mark);
    expect(letters[mark]?.headers?.get('Reason')).toBe('too_large');
  });

  it('R47 does not change the document that was there', async () => {
    publisher.put('md.quotes.BAD-4', { symbol: 'BAD-4', current_price: 1, bid: 2 });
    await publisher.settled(gateway);
    const client = await open(`/ws/quotes?symbols=BAD-4&token=${token}`);
    await client.arrived('quotes_patch');
    publisher.put('md.quotes.BAD-4', { symbol: 'BAD-4', partial: true, bid: 3, ask: 'never' });
    publisher.put('md.quotes.BAD-4', { symbol: 'BAD-4', current_price: 9, bid: [] });
    publisher.put('md.quotes.BAD-4', { symbol: 'BAD-4', partial: true, ask: 5 });
    expect(await client.arrived('stale')).toMatchObject([{ topic: 'quotes:BAD-4', seq: 1, reason: 'refused' }]);
    await publisher.settled(gateway);
    expect(new Documents().follow(client).document.quotes['BAD-4']).toEqual({
      symbol: 'BAD-4',
      current_price: 1,
      bid: 2,
    });
    publisher.put('md.quotes.BAD-4', { symbol: 'BAD-4', current_price: 1, bid: 2, ask: 5 });
    const [, whole] = await client.arrived('quotes_patch', 2);
    expect(whole).toMatchObject({ snapshot: true, seqs: { 'BAD-4': 5 } });
    const { document } = new Documents().follow(client);
    expect(document.quotes['BAD-4']).toEqual({ symbol: 'BAD-4', current_price: 1, bid: 2, ask: 5 });
  });

  it('R47 between trades breaks no chain', async () => {
    const trade = (n: number) => ({ symbol: 'BAD-5', trade_id: n, price: '1', quantity: '1' });
    const client = await open('/ws/trades?symbols=BAD-5');
    for (let n = 0; n < 10; n++) {
      publisher.put('md.trades.BAD-5', trade(n));
      publisher.raw('md.trades.BAD-5', '{"symbol":');
    }
    const trades = await client.arrived('trade_executed', 10);
    expect(trades.map(frame => frame.trade_id)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const gaps = client.ofType('gap');
    expect(gaps.every(({ reason }) => reason === 'refused')).toBe(true);
  });

  it('R47 in a flood is counted and dead-lettered to the last message', async () => {
    const mark = letters.length;
    const before = await allRejected();
    for (let n = 0; n < 3_000; n++) publisher.raw(`md.quotes.BAD-${n % 7}`, n % 2 === 0 ? '{' : '[]');
    await publisher.settled(gateway);
    await until(async () => (await allRejected()) >= before + 3_000).catch(() => {});
    expect((await allRejected()) - before).toBe(3_000);
    await until(() => letters.length >= mark + 3_000);
  });

  it('R47 at random does no harm', async () => {
    const kinds = ['quotes', 'trades', 'books'];
    const seeds = [
      packr.pack({ symbol: 'BAD-6', bids: [['1', '2']], asks: [[1, 2]], snapshot: true }),
      Buffer.from('{"symbol":"BAD-6","current_price":1.5,"trade_id":1,"price":"1","quantity":"2","bids":[["1","2"]]}'),
    ];
    for (let n = 0; n < 3_000; n++) {
      const payload = n % 3 === 0 ? randomBytes(1 + (n % 200)) : Buffer.from(seeds[n % 2] ?? []);
      const noise = randomBytes(4);
      if (n % 3 !== 0) payload[(noise[0] ?? 0) % payload.length] = noise[1] ?? 0;
      publisher.raw(`md.${kinds[(noise[2] ?? 0) % 3]}.BAD-6`, payload);
    }
    await publisher.settled(gateway);
  });

  it('R3 on subjects that are not market data is ignored and counted', async () => {
    const before = await gateway.metric('millrace_feed_ignored_total');
    const subjects = ['md.weather.X', 'md.quotes', 'md.quotes.__proto__', `md.quotes.${'x'.repeat(129)}`];
    for (const subject of subjects) publisher.raw(subject, '{}');
    await until(async () => (await gateway.metric('millrace_feed_ignored_total')) === before + subjects.length);
  });
});

describe('R47 client garbage', () => {
  it.each([
    ['JSON text', 'json', '{"action":"ping","pad":"'],
    ['MessagePack', 'msgpack', ''],
  ])('R47 a message of 10 MB (%s) is answered by the close code 1009', async (_what, format, head) => {
    const client = await open(`/ws?format=${format}`);
    const body = 'x'.repeat(10 * 1024 * 1024);
    client.socket.send(format === 'json' ? `${head}${body}"}` : packr.pack({ action: 'ping', pad: body }));
    await until(() => client.closed !== undefined);
    expect(client.closed?.code).toBe(1009);
  });

  it('R47 a message just over WS_MAX_MESSAGE_SIZE is answered by 1009, one of exactly that size by an error', async () => {
    const command = (bytes: number) => `${'{"action":"ping"}'.padEnd(bytes)}`;
    const client = await open('/ws');
    client.socket.send(command(MESSAGE_BYTES_MAX));
    await client.next('a refusal', frame => frame.code === 'payload_too_large');
    client.socket.send(command(MESSAGE_BYTES_MAX + 1));
    await until(() => client.closed !== undefined);
    expect(client.closed?.code).toBe(1009);
  });

  it.each([
    ['random bytes', randomBytes(1000)],
    ['no bytes', Buffer.alloc(0)],
    ['JSON', Buffer.from('{"action":"ping"}')],
    ['a claim of 4 billion elements', Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff])],
    ['a claim of 4 GB of text', Buffer.from([0xdb, 0xff, 0xff, 0xff, 0xff, 0x61])],
    ['an extension', Buffer.from([0xc7, 0x02, 0x01, 0x00, 0x00])],
    ['two values', Buffer.concat([packr.pack({ action: 'ping' }), packr.pack({ action: 'ping' })])],
    ['MessagePack nested 10,000 deep', Buffer.concat([Buffer.alloc(10_000, 0x91), Buffer.from([0xc0])])],
  ])(
    'R27 R47 %s from a MessagePack client is answered by invalid_json; the connection lives on',
    async (_what, bytes) => {
      const client = await open('/ws?format=msgpack');
      client.socket.send(bytes);
      client.send({ action: 'ping', id: 'after' });
      await client.arrived('pong');
      expect(client.frames).toMatchObject([
        { type: 'error', code: 'invalid_json' },
        { type: 'pong', id: 'after' },
      ]);
    },
  );

  it.each([
    ['an object', '{"action":"ping","__proto__":{"id":"polluted"}}'],
    [
      'a subscribe',
      '{"action":"subscribe","stream":"trades","__proto__":{"symbol":"GOOD"},"constructor":{"prototype":{"x":1}}}',
    ],
    ['an id', '{"action":"ping","id":"__proto__"}'],
    ['a symbol', '{"action":"subscribe","stream":"orderbook","symbol":"__proto__"}'],
  ])('R47 __proto__ in %s changes nothing', async (_what, text) => {
    const client = await open('/ws');
    client.socket.send(text);
    client.send({ action: 'ping', id: 'after' });
    const pong = await client.next('pong', frame => frame.id === 'after');
    expect(Object.keys(pong).sort()).toEqual(['id', 'time', 'type']);
    expect(client.frames).toHaveLength(2);
  });

  it.each([
    ['nested 30,000 deep', deepJson(30_000), 'invalid_json'],
    ['nested 30,000 deep in a member', `{"action":"ping","id":"p","x":${deepJson(30_000)}}`, 'invalid_json'],
    ['nested 16 deep in a member', `{"action":"ping","id":"p","x":${deepJson(15)}}`, undefined],
    ['nested 100,000 deep', deepJson(100_000), 'payload_too_large'],
    [
      'nested 30,000 deep in symbols',
      `{"action":"subscribe","stream":"quotes","symbols":${deepJson(30_000)}}`,
      'invalid_json',
    ],
    [
      'with 100,000 symbols',
      JSON.stringify({
        action: 'subscribe',
        stream: 'trades',
        symbols: Array.from({ length: 100_000 }, (_, i) => `X${i}`),
      }),
      'payload_too_large',
    ],
    [
      'with 6,000 symbols',
      JSON.stringify({
        action: 'subscribe',
        stream: 'trades',
        symbols: Array.from({ length: 6_000 }, (_, i) => `X${i}`),
      }),
      'too_many_subscriptions',
    ],
    [
      'with a symbol of 300 characters',
      JSON.stringify({ action: 'subscribe', stream: 'trades', symbol: 'x'.repeat(300) }),
      'invalid_message',
    ],
  ] as const)('R47 JSON %s is answered, shortly', async (_what, text, code) => {
    const client = await open('/ws');
    client.socket.send(text);
    client.send({ action: 'ping', id: 'after' });
    await client.next('pong', frame => frame.id === 'after');
    expect(client.frames[0]).toMatchObject(code === undefined ? { type: 'pong', id: 'p' } : { type: 'error', code });
    expect(JSON.stringify(client.frames[0]).length).toBeLessThan(2_000);
  });

  it('R47 a thousand bad commands in a row are all answered', async () => {
    const client = await open('/ws');
    for (let n = 0; n < 1_000; n++) client.socket.send(n % 2 === 0 ? '{' : '{"action":"x"}');
    await client.arrived('error', 1_000);
  });

  it('R47 text that is not UTF-8 ends the connection with 1007', async () => {
    const client = await open('/ws');
    client.socket.send(Buffer.from([0x22, 0xff, 0xfe, 0x22]), { binary: false });
    await until(() => client.closed !== undefined);
    // uWS closes it at once; the close frame may not make it out.
    expect([1006, 1007]).toContain(client.closed?.code);
  });

  it.each([
    ['half a request', 'GET /ws HTTP/1.1\r\nHost: x\r\n'],
    ['no HTTP at all', `${randomBytes(64).toString('latin1')}\r\n\r\n`],
    ['an endless header', `GET /ws HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(100_000)}`],
    ['an upgrade without key', 'GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'],
  ])('R47 %s on a raw socket does no harm', async (_what, bytes) => {
    const { port, hostname } = new URL(gateway.url);
    const socket = connectSocket(Number(port), hostname);
    socket.on('error', () => {});
    await new Promise<void>(resolve => socket.write(bytes, () => resolve()));
    const client = await open('/ws');
    client.send({ action: 'ping' });
    await client.arrived('pong');
    socket.destroy();
  });

  it('R47 raw frames that break RFC 6455 end that connection alone', async () => {
    for (const frame of [
      Buffer.from([0x83, 0x80, 0, 0, 0, 0]), // a reserved opcode
      Buffer.from([0xf1, 0x80, 0, 0, 0, 0]), // reserved bits
      Buffer.from([0x81, 0x05, 0x68, 0x65, 0x6c, 0x6c, 0x6f]), // not masked
      Buffer.from([0x89, 0xfe, 0x00, 0x80, 0, 0, 0, 0]), // a ping of 128 bytes
      Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]), // 2^63 bytes
    ]) {
      const client = await open('/ws');
      const { _socket: socket } = client.socket as unknown as { _socket: import('node:net').Socket };
      socket.write(frame);
      socket.write(randomBytes(256));
      await until(() => client.closed !== undefined);
    }
  });

  it('R47 leaves no connection behind', async () => {
    await Promise.all(clients.splice(0).map(client => client.close()));
    await until(async () => (await gateway.metric('millrace_connections_open')) === 1);
  });
});
