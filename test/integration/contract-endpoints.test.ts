/** PROTOCOL.md section 2: endpoints, credentials and refusals, at the real program with a real nats-server. */
import { SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ClientOptions } from 'ws';
import { mintToken } from '../../src/auth/token.js';
import { type Refused, refusedUpgrade, TestClient } from '../support/client.js';
import { startGateway, TEST_SECRET, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { until } from '../support/until.js';

let nats: NatsServer;
let gateway: TestGateway;
/** Two connections, two subscriptions each, one origin. */
let narrow: TestGateway;
let publisher: TestPublisher;
let token: string;
const clients: TestClient[] = [];

beforeAll(async () => {
  nats = await startNatsServer();
  gateway = await startGateway({ NATS_URL: nats.url, SYMBOLS: 'LISTED,PAIR/*' });
  narrow = await startGateway({
    NATS_URL: nats.url,
    SYMBOLS: 'A,B,C',
    WS_MAX_CONNECTIONS: '2',
    WS_MAX_SUBSCRIPTIONS: '2',
    ALLOWED_ORIGINS: 'https://app.example',
  });
  publisher = await TestPublisher.connect(nats.url);
  for (const symbol of ['AAPL', 'GOOGL', 'BTC/USDT']) {
    publisher.put(`md.quotes.${symbol}`, { symbol, current_price: 100 });
    publisher.put(`md.books.${symbol}`, { symbol, ...manyLevels(), snapshot: true });
    publisher.put(`md.trades.${symbol}`, trade(symbol, 0));
  }
  await publisher.settled(gateway);
  await publisher.settled(narrow);
  token = await testToken();
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map(client => client.close()));
});

afterAll(async () => {
  await publisher?.close();
  await Promise.all([gateway?.stop(), narrow?.stop()]);
  await nats?.stop();
});

async function open(path: string, options: ClientOptions = {}, protocols: string[] = [], at = gateway) {
  const client = await TestClient.connect(`${at.url}${path}`, options, protocols);
  clients.push(client);
  return client;
}

const refused = (path: string, options: ClientOptions = {}, at = gateway): Promise<Refused> =>
  refusedUpgrade(`${at.url}${path}`, options);

function trade(symbol: string, n: number) {
  return { trade_id: `${symbol}-${n}`, symbol, price: '1.50', quantity: '2', executed_at: '2025-01-02T03:04:05Z' };
}

/** 120 levels a side. */
function manyLevels() {
  const side = (step: number) => Array.from({ length: 120 }, (_, i) => [(1000 + step * (i + 1)).toFixed(2), '1.5']);
  return { bids: side(-1), asks: side(1) };
}

/** Every refusal has this form, whatever its cause. */
function expectRefusal(answer: Refused, status: number, code: string): void {
  expect(answer).toMatchObject({ status, body: { error: { code, message: expect.stringMatching(/.+/) } } });
  expect(answer.headers['content-type']).toBe('application/json');
}

describe('R20 /ws/quotes', () => {
  it('R20 R21 takes the token from the query; its first frame is one snapshot of all symbols named', async () => {
    const client = await open(`/ws/quotes?symbols=AAPL,GOOGL&token=${token}`);
    await client.arrived('quotes_patch');
    expect(client.frames[0]).toMatchObject({
      type: 'quotes_patch',
      snapshot: true,
      epoch: expect.stringMatching(/.+/),
      seqs: { AAPL: 1, GOOGL: 1 },
      operations: [
        { op: 'add', path: '/quotes/AAPL', value: { symbol: 'AAPL', current_price: 100 } },
        { op: 'add', path: '/quotes/GOOGL', value: { symbol: 'GOOGL', current_price: 100 } },
      ],
    });
  });

  it('R21 takes the token from the Authorization header', async () => {
    const client = await open('/ws/quotes?symbols=AAPL', { headers: { authorization: `Bearer ${token}` } });
    expect((await client.arrived('quotes_patch'))[0]).toMatchObject({ snapshot: true, seqs: { AAPL: 1 } });
  });

  it('R20 takes as many symbols as a connection may have, with a long token', async () => {
    const long = await testToken({ roles: Array.from({ length: 200 }, (_, i) => `role-number-${i}`) });
    const symbols = Array.from({ length: 1_000 }, (_, i) => `PAIR/${i}`);
    const client = await open(`/ws/quotes?symbols=AAPL,${symbols}&token=${long}`);
    expect((await client.arrived('quotes_patch'))[0]).toMatchObject({ seqs: { AAPL: 1 } });
  });

  it('R20 names a symbol once that is asked for twice', async () => {
    const client = await open(`/ws/quotes?symbols=AAPL,%20AAPL,,AAPL&token=${token}`);
    expect((await client.arrived('quotes_patch'))[0]?.operations).toHaveLength(1);
  });

  it('R24 leaves unknown symbols out and names them in a warning behind the snapshot', async () => {
    const client = await open(`/ws/quotes?symbols=NOPE,AAPL,NADA&token=${token}`);
    const [warning] = await client.arrived('warning');
    expect(client.frames.map(frame => frame.type)).toEqual(['quotes_patch', 'warning']);
    expect(client.frames[0]).toMatchObject({ snapshot: true, seqs: { AAPL: 1 } });
    expect(warning).toMatchObject({ code: 'invalid_symbol', message: expect.stringMatching(/NOPE.*NADA/) });
  });

  it('R24 answers 400 when no known symbol is left', async () => {
    expectRefusal(await refused(`/ws/quotes?symbols=NOPE,NADA&token=${token}`), 400, 'invalid_symbol');
  });

  it.each(['', '?symbols=', '?symbols=,%20,'])('R20 answers 400 to %j, which names no symbol', async query => {
    const answer = await refused(`/ws/quotes${query}`, { headers: { authorization: `Bearer ${token}` } });
    expectRefusal(answer, 400, 'missing_symbol');
  });

  it('R20 accepts a symbol that SYMBOLS names or a pattern of it matches, before it has data', async () => {
    const client = await open(`/ws/quotes?symbols=LISTED,PAIR/X&token=${token}`);
    client.send({ action: 'ping', id: 1 });
    await client.arrived('pong');
    expect(client.ofType('warning')).toEqual([]);
  });

  it('R32 leaves out what the credential is not entitled to, and answers 403 when nothing is left', async () => {
    const some = await testToken({ entitlements: ['quotes:AA*'] });
    const client = await open(`/ws/quotes?symbols=AAPL,GOOGL&token=${some}`);
    expect((await client.arrived('warning'))[0]).toMatchObject({ code: 'forbidden' });
    expect(client.frames[0]).toMatchObject({ seqs: { AAPL: 1 } });
    expectRefusal(await refused(`/ws/quotes?symbols=GOOGL&token=${some}`), 403, 'forbidden');
  });
});

describe('R20 /ws/trades', () => {
  it('R20 needs no credential and sends the trades of all symbols where none is named', async () => {
    const client = await open('/ws/trades');
    for (const symbol of ['AAPL', 'BTC/USDT']) publisher.put(`md.trades.${symbol}`, trade(symbol, 1));
    const trades = await client.arrived('trade_executed', 2);
    expect(trades.map(frame => frame.symbol).sort()).toEqual(['AAPL', 'BTC/USDT']);
  });

  it('R20 sends the trades of the symbols named and of no other', async () => {
    const client = await open('/ws/trades?symbols=GOOGL,BTC/USDT');
    publisher.put('md.trades.AAPL', trade('AAPL', 2));
    publisher.put('md.trades.GOOGL', trade('GOOGL', 2));
    publisher.put('md.trades.BTC/USDT', trade('BTC/USDT', 2));
    const trades = await client.arrived('trade_executed', 2);
    expect(trades.map(frame => frame.symbol).sort()).toEqual(['BTC/USDT', 'GOOGL']);
  });

  it('R20 answers 400 to an unknown symbol, also beside known ones', async () => {
    expectRefusal(await refused('/ws/trades?symbols=AAPL,NOPE'), 400, 'invalid_symbol');
  });

  it('R20 answers 400 to an empty list of symbols', async () => {
    expectRefusal(await refused('/ws/trades?symbols='), 400, 'missing_symbol');
  });

  it('R32 answers 403 where the credential is not entitled to trades', async () => {
    const quotesOnly = await testToken({ entitlements: ['quotes:*'] });
    expectRefusal(await refused(`/ws/trades?token=${quotesOnly}`), 403, 'forbidden');
    expectRefusal(await refused(`/ws/trades?symbols=AAPL&token=${quotesOnly}`), 403, 'forbidden');
  });
});

describe('R20 /ws/markets/{symbol}', () => {
  it.each(['BTC/USDT', 'BTC%2FUSDT', 'AAPL'])('R20 sends the best level of %s', async symbol => {
    const client = await open(`/ws/markets/${symbol}`);
    expect((await client.arrived('orderbook_update'))[0]).toMatchObject({
      symbol: decodeURIComponent(symbol),
      snapshot: true,
      best_bid: '999.00',
      best_ask: '1001.00',
    });
  });

  it.each([10, 25, 100])('R9 R20 sends %i levels a side with depth', async depth => {
    const client = await open(`/ws/markets/BTC%2FUSDT?depth=${depth}`);
    const [frame] = await client.arrived('depth_patch');
    const values = (frame?.operations as { path: string; value: object }[]).map(({ path, value }) => [
      path,
      Object.keys(value).length,
    ]);
    expect(values).toEqual([
      ['/bids', depth],
      ['/asks', depth],
    ]);
    expect(client.ofType('orderbook_update')).toEqual([]);
  });

  it.each(['7', '', '10x', '-10'])('R20 answers 400 to depth=%j', async depth => {
    expectRefusal(await refused(`/ws/markets/AAPL?depth=${depth}`), 400, 'invalid_message');
  });

  it.each(['/ws/markets', '/ws/markets/'])('R20 answers 400 to %s, which names no symbol', async path => {
    expectRefusal(await refused(path), 400, 'missing_symbol');
  });

  it.each(['NOPE', '%ZZ', 'A%20B', 'AAPL/', '__proto__', 'x'.repeat(65)])(
    'R20 answers 400 to the symbol %j',
    async symbol => {
      expectRefusal(await refused(`/ws/markets/${symbol}`), 400, 'invalid_symbol');
    },
  );
});

describe('R20 /ws', () => {
  it('R20 needs no credential, says nothing by itself and takes commands', async () => {
    const client = await open('/ws');
    client.send({ action: 'subscribe', stream: 'orderbook', symbol: 'AAPL', id: '1' });
    await client.arrived('orderbook_update');
    expect(client.frames.map(frame => frame.type)).toEqual(['subscribed', 'orderbook_update']);
  });

  it('P9 R20 ignores query members that it does not know, and says so', async () => {
    const client = await open('/ws?colour=green&symbols=AAPL');
    client.send({ action: 'ping' });
    await client.arrived('pong');
    expect(client.frames.map(({ type }) => type)).toEqual(['warning', 'pong']);
    expect(client.frames[0]).toMatchObject({ code: 'unknown_parameter', parameters: ['colour', 'symbols'] });
  });
});

describe('R21 a credential that is refused', () => {
  const quotes = '/ws/quotes?symbols=AAPL';

  it('R21 answers 401 where one is required and none comes', async () => {
    expectRefusal(await refused(quotes), 401, 'unauthorized');
  });

  it.each(['', 'x', 'a.b.c', 'a.b', '....', '%00', 'null', 'eyJhbGciOiJIUzI1NiJ9..', 'é'])(
    'R21 answers 401 to the malformed token %j',
    async malformed => {
      expectRefusal(await refused(`${quotes}&token=${encodeURIComponent(malformed)}`), 401, 'unauthorized');
    },
  );

  it('R21 answers 401 to an expired token', async () => {
    const request = { secret: TEST_SECRET, sub: 'alice', ttlMs: 60_000 };
    const expired = await mintToken(request, () => Date.now() - 3_600_000);
    expectRefusal(await refused(`${quotes}&token=${expired}`), 401, 'unauthorized');
  });

  it('R21 answers 401 to a token of another secret, without algorithm, or without expiry', async () => {
    const foreign = await testToken({ secret: 'another-secret-that-is-long-enough-0123456789' });
    const unsigned = new UnsecuredJWT({}).setSubject('alice').setExpirationTime('1h').encode();
    const key = new TextEncoder().encode(TEST_SECRET);
    const endless = await new SignJWT({}).setProtectedHeader({ alg: 'HS256' }).setSubject('alice').sign(key);
    for (const bad of [foreign, unsigned, endless]) {
      expectRefusal(await refused(`${quotes}&token=${bad}`), 401, 'unauthorized');
    }
  });

  it('R21 answers 401 to a bad token also where none is needed', async () => {
    for (const path of ['/ws', '/ws/trades', '/ws/markets/AAPL']) {
      expectRefusal(await refused(path, { headers: { authorization: 'Bearer nonsense' } }), 401, 'unauthorized');
    }
  });

  it('R21 answers 401 to an unknown API key, in the query and in the header', async () => {
    expectRefusal(await refused(`${quotes}&api_key=nobody`), 401, 'unauthorized');
    expectRefusal(await refused(quotes, { headers: { 'x-api-key': 'nobody' } }), 401, 'unauthorized');
  });

  it('R21 is told before anything else about the request', async () => {
    expectRefusal(await refused('/ws/quotes?symbols=&class=never&token=x'), 401, 'unauthorized');
  });
});

describe('R10 the class asked for', () => {
  it('R10 may be slower than the tier’s own, and is the default of later subscriptions', async () => {
    const client = await open(`/ws?class=1000ms&token=${token}`);
    client.send({ action: 'subscribe', stream: 'quotes', symbol: 'AAPL' });
    expect((await client.arrived('subscribed'))[0]).toMatchObject({ class: '1000ms' });
  });

  it.each([
    ['institutional', 'realtime'],
    ['retail', '100ms'],
  ] as const)('R10 is, when left out, for %s: %s', async (tier, rateClass) => {
    const client = await open(`/ws?token=${await testToken({ tier })}`);
    client.send({ action: 'subscribe', stream: 'quotes', symbol: 'AAPL' });
    expect((await client.arrived('subscribed'))[0]).toMatchObject({ class: rateClass });
  });

  it.each(['realtime', '16ms'])('R10 is refused with 403 when it is %s for a retail credential', async rateClass => {
    const retail = await testToken({ tier: 'retail' });
    const answer = await refused(`/ws/quotes?symbols=AAPL&class=${rateClass}&token=${retail}`);
    expectRefusal(answer, 403, 'forbidden');
    expectRefusal(await refused(`/ws/markets/AAPL?class=${rateClass}`), 403, 'forbidden');
  });

  it('R20 is refused with 400 when there is no such class', async () => {
    expectRefusal(await refused(`/ws/quotes?symbols=AAPL&class=5ms&token=${token}`), 400, 'invalid_message');
  });
});

describe('R27 the format', () => {
  const path = '/ws/markets/AAPL';

  it.each([
    ['JSON text without a word about it', '', undefined, 'text'],
    ['JSON text for format=json', '?format=json', undefined, 'text'],
    ['MessagePack for format=msgpack', '?format=msgpack', undefined, 'binary'],
    ['JSON text for the subprotocol millrace.json', '', 'millrace.json', 'text'],
    ['MessagePack for the subprotocol millrace.msgpack', '', 'millrace.msgpack', 'binary'],
  ] as const)('R27 is %s', async (_what, query, subprotocol, kind) => {
    const client = await open(`${path}${query}`, {}, subprotocol === undefined ? [] : [subprotocol]);
    expect(client.socket.protocol).toBe(subprotocol ?? '');
    client.send({ action: 'ping', id: 'p' });
    await client.arrived('pong');
    await client.arrived('orderbook_update');
    expect(client.received[kind]).toBe(2);
  });

  it('R27 is the first subprotocol offered that the gateway speaks', async () => {
    const client = await open(path, {}, ['soap', 'millrace.msgpack', 'millrace.json']);
    expect(client.socket.protocol).toBe('millrace.msgpack');
    await client.arrived('orderbook_update');
    expect(client.received).toEqual({ text: 0, binary: 1 });
  });

  it('R27 is refused with 400 when it is unknown', async () => {
    expectRefusal(await refused(`${path}?format=xml`), 400, 'invalid_message');
  });
});

describe('R20 paths', () => {
  it.each(['/', '/ws/', '/ws/quote', '/wsx', '/ws/quotes/AAPL', '/ws/marketsx', '/metrics'])(
    'R20 answers 404 on %s, with and without upgrade',
    async path => {
      expectRefusal(await refused(path), 404, 'not_found');
      const plain = await fetch(`${gateway.url.replace('ws:', 'http:')}${path}`);
      expect(plain.status).toBe(404);
      expect(await plain.json()).toMatchObject({ error: { code: 'not_found' } });
    },
  );

  it.each(['/ws', '/ws/quotes?symbols=AAPL', '/ws/trades', '/ws/markets/BTC/USDT'])(
    'R20 answers 426 on %s without upgrade',
    async path => {
      for (const method of ['GET', 'POST']) {
        const plain = await fetch(`${gateway.url.replace('ws:', 'http:')}${path}`, { method });
        expect(plain.status).toBe(426);
        expect(plain.headers.get('upgrade')).toBe('websocket');
        expect(await plain.json()).toMatchObject({ error: { code: 'upgrade_required' } });
      }
    },
  );
});

describe('R48 origins', () => {
  it('R48 are refused with 403 unless they are the gateway’s own or listed', async () => {
    expectRefusal(await refused('/ws', { origin: 'https://evil.example' }, narrow), 403, 'forbidden');
    expectRefusal(await refused('/ws', { origin: 'https://app.example:8443' }, narrow), 403, 'forbidden');
    expectRefusal(await refused('/ws', { origin: 'null' }, narrow), 403, 'forbidden');
    await open('/ws', { origin: 'https://app.example' }, [], narrow);
    await open('/ws', { origin: narrow.url.replace('ws:', 'http:') }, [], narrow);
  });

  it('R48 do not matter to clients that send none', async () => {
    await open('/ws', {}, [], narrow);
  });
});

describe('R20 limits', () => {
  it('R20 answers 503 with Retry-After at WS_MAX_CONNECTIONS, and admits again when one has left', async () => {
    const first = await open('/ws', {}, [], narrow);
    await open('/ws', {}, [], narrow);
    const answer = await refused('/ws', {}, narrow);
    expectRefusal(answer, 503, 'unavailable');
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    await first.close();
    await until(async () => (await narrow.metric('millrace_connections_open')) === 1);
    await open('/ws', {}, [], narrow);
  });

  it('R20 gives a refused client’s place back', async () => {
    for (let i = 0; i < 5; i++) expectRefusal(await refused('/ws/quotes?symbols=A', {}, narrow), 401, 'unauthorized');
    await open('/ws', {}, [], narrow);
    await open('/ws', {}, [], narrow);
  });

  it('R20 answers 400 to more symbols than WS_MAX_SUBSCRIPTIONS', async () => {
    const answer = await refused(`/ws/quotes?symbols=A,B,C&token=${token}`, {}, narrow);
    expectRefusal(answer, 400, 'too_many_subscriptions');
  });

  it('R20 keeps every connection that it has accepted', async () => {
    // uWS closed some sockets right after their upgrade when it was corked: see GatewayServer.
    const paths = [`/ws/quotes?symbols=AAPL&token=${token}`, '/ws/trades?format=msgpack', '/ws/markets/AAPL', '/ws'];
    const opened: TestClient[] = [];
    for (let round = 0; round < 10; round++) {
      opened.push(...(await Promise.all([...paths, ...paths, ...paths, ...paths, ...paths].map(path => open(path)))));
    }
    for (const client of opened) client.send({ action: 'ping' });
    await until(() => opened.every(client => client.closed !== undefined || client.ofType('pong').length === 1));
    expect(opened.filter(client => client.closed !== undefined)).toEqual([]);
  });

  it('R60 counts refusals by their status', async () => {
    const before = await gateway.metric('millrace_connections_refused_total{status="404"}');
    await refused('/nowhere');
    expect(await gateway.metric('millrace_connections_refused_total{status="404"}')).toBe(before + 1);
  });
});

describe('R62 standard error', () => {
  it('R62 is not filled with a warning of uWebSockets for each token that is verified', async () => {
    const one = await startGateway({ NATS_URL: nats.url, SYMBOLS: 'A', WORKERS: '1' });
    try {
      for (const sub of ['alice', 'bob', 'carol']) {
        const client = await open(`/ws/quotes?symbols=A&token=${await testToken({ sub })}`, {}, [], one);
        await client.next('the snapshot', frame => frame.type === 'quotes_patch');
      }
      expect(one.log()).not.toContain('corked');
    } finally {
      await one.stop();
    }
  });
});
