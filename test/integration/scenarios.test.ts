/** The scenarios of the trading-updates document, by their names there (1 of 3): connections, subscriptions, messages. */
import { get, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Frame, refusedUpgrade, type TestClient } from '../support/client.js';
import { TEST_SECRET } from '../support/gateway.js';
import { numbered, order, orderIds, TIME, TradingDesk, trade, tradeIds } from '../support/trading-desk.js';
import { until } from '../support/until.js';

const RFC_3339_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
/** An upgrade as RFC 6455 asks for it; the key is any 16 bytes in base64. */
const HANDSHAKE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'AAECAwQFBgcICQoLDA0ODw==',
};
/** How long the sources of clients that left are followed, and more. */
const CLEANUP_TIMEOUT_MS = 30_000;

let desk: TradingDesk;

beforeAll(async () => {
  desk = await TradingDesk.open();
});

afterEach(() => desk.endTest());

afterAll(() => desk?.close());

describe('connections', () => {
  it('R37 ConnectAndDisconnect: a client is answered, counted while it is there, and gone after its goodbye', async () => {
    const { open, opened, closed } = (await desk.stats()).connections;
    const client = await desk.connect('/ws');
    expect(await desk.ask(client, { action: 'ping' })).toMatchObject({ type: 'pong' });
    expect((await desk.stats()).connections).toMatchObject({ open: open + 1, opened: opened + 1, closed });
    client.socket.close(1000, 'done');
    await until(() => client.closed !== undefined);
    expect(client.closed).toEqual({ code: 1000, reason: 'done' });
    await until(async () => (await desk.stats()).connections.open === open);
    expect((await desk.stats()).connections).toMatchObject({ opened: opened + 1, closed: closed + 1 });
  });

  it('R37 MultipleClientsSimultaneous: sixty at once are all served, and half of them still when the others leave', async () => {
    const symbol = desk.newSymbol();
    const { open } = (await desk.stats()).connections;
    const paths = ['/ws', '/ws/orders', '/ws/analytics', `/ws/markets/${symbol}`, '/ws?format=msgpack', '/ws/trades'];
    const clients = await Promise.all(numbered(10).flatMap(() => paths.map(path => desk.connect(path))));
    await Promise.all(clients.map(client => desk.subscribe(client, 'trades', { symbol })));
    expect((await desk.stats()).connections.open).toBe(open + 60);
    desk.trade(symbol, 'first');
    await Promise.all(clients.map(client => client.arrived('trade_executed')));

    const stayers = clients.splice(30);
    await Promise.all(clients.map(client => client.close()));
    await until(async () => (await desk.stats()).connections.open === open + 30);
    desk.trade(symbol, 'second');
    await Promise.all(stayers.map(client => client.arrived('trade_executed', 2)));
    expect(stayers.map(tradeIds)).toEqual(stayers.map(() => ['first', 'second']));
  });

  it('R37 ClientDisconnectCleanup: of clients that left, with or without a goodbye, nothing is kept', async () => {
    const gateway = await desk.gatewayWith({ NODE_NAME: 'cleaned' });
    const followed = await desk.followedAtNats('cleaned');
    const { topics } = await desk.stats(gateway);
    const symbol = desk.newSymbol();
    const leavers = await Promise.all(numbered(6, 'leaver-').map(sub => desk.connect('/ws', { sub }, gateway)));
    for (const client of leavers) {
      await desk.subscribeToAll(client, symbol);
      await desk.subscribe(client, 'trades');
    }
    const during = await desk.stats(gateway);
    expect(during.connections.open).toBe(6);
    expect(during.topics.views).toBeGreaterThan(topics.views);
    expect(during.topics.followed).toBeGreaterThan(topics.followed);
    expect(await desk.followedAtNats('cleaned')).toEqual(
      expect.arrayContaining(['orders.leaver-0', `rooms.${symbol}`]),
    );

    leavers.forEach((client, i) => {
      if (i % 2 === 0) client.socket.close();
      else client.socket.terminate();
    });
    await until(async () => (await desk.stats(gateway)).connections.open === 0);
    await until(async () => (await desk.stats(gateway)).topics.views === 0);
    // What they followed is followed a little longer, for clients that come back.
    await until(async () => (await desk.stats(gateway)).topics.followed === topics.followed, CLEANUP_TIMEOUT_MS);
    await until(async () => (await desk.followedAtNats('cleaned')).length === followed.length);
    expect(await desk.followedAtNats('cleaned')).toEqual(followed);
    expect((await desk.stats(gateway)).connections).toMatchObject({ opened: 6, closed: 6 });
  });

  it('R37 ErrorOnInvalidUpgrade: what is no upgrade, or one to nowhere, is answered in HTTP and harms nobody', async () => {
    const witness = await desk.connect('/ws');
    const status = async (path: string, headers: OutgoingHttpHeaders) => (await answerTo(path, headers)).statusCode;
    expect(await status('/ws', {})).toBe(426);
    expect(await status('/ws/trades', { connection: 'Upgrade', upgrade: 'websocket' })).toBe(426);
    expect(await status('/ws', { ...HANDSHAKE, 'sec-websocket-key': 'short' })).toBe(426);
    expect(await status('/nowhere', HANDSHAKE)).toBe(404);
    expect(await status('/ws?format=xml', HANDSHAKE)).toBe(400);
    expect(await status('/ws', HANDSHAKE)).toBe(101);
    expect(await desk.ask(witness, { action: 'ping' })).toMatchObject({ type: 'pong' });
  });

  it('R37 ErrorOnInvalidUpgrade: another version of the protocol is 426, and the right one is named', async () => {
    // RFC 6455 section 4.2.2, item 4.
    const { statusCode, headers } = await answerTo('/ws', { ...HANDSHAKE, 'sec-websocket-version': '8' });
    expect([statusCode, headers['sec-websocket-version']]).toEqual([426, '13']);
  });

  it('R37 MissingUserID: orders need a credential that names a user, whatever the query says', async () => {
    const nameless = new SignJWT({}).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1h');
    const token = await nameless.sign(new TextEncoder().encode(TEST_SECRET));
    for (const query of ['', '?user_id=alice', '?sub=alice&user=alice', `?token=${token}`]) {
      const { status, body } = await refusedUpgrade(`${desk.gateway.url}/ws/orders${query}`);
      expect([query, status, body.error?.code]).toEqual([query, 401, 'unauthorized']);
    }
    const client = await desk.spectator('/ws');
    const answer = await desk.ask(client, { action: 'subscribe', stream: 'orders', user_id: 'alice' });
    expect(answer).toMatchObject({ type: 'error', code: 'unauthorized' });
  });
});

function answerTo(path: string, headers: OutgoingHttpHeaders): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = get(`${desk.gateway.url.replace('ws:', 'http:')}${path}`, { headers, agent: false });
    request.once('response', response => resolve(response.resume()));
    request.once('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response);
    });
    request.once('error', reject);
  });
}

describe('subscriptions', () => {
  it('R37 SubscribeToOrders: the user of the credential gets its orders from then on', async () => {
    const client = await desk.connect('/ws', { sub: 'ordering' });
    expect(await desk.subscribe(client, 'orders')).toMatchObject({ topics: ['orders:ordering'] });
    for (const id of ['o1', 'o2']) desk.order('ordering', id);
    await client.arrived('order_update', 2);
    expect(orderIds(client)).toEqual(['o1', 'o2']);
  });

  it('R37 SubscribeToTrades: of one symbol or of all, by the path or by command', async () => {
    const [symbol, other] = [desk.newSymbol(), desk.newSymbol()];
    const byPath = await desk.spectator(`/ws/trades?symbols=${symbol}`);
    const byCommand = await desk.spectator('/ws');
    const ofAll = await desk.spectator('/ws/trades');
    expect(await desk.subscribe(byCommand, 'trades', { symbol })).toMatchObject({ topics: [`trades:${symbol}`] });
    for (const [n, name] of [other, symbol, other, symbol].entries()) desk.trade(name, n);
    await ofAll.arrived('trade_executed', 4);
    expect(tradeIds(ofAll).sort()).toEqual([0, 1, 2, 3]);
    for (const client of [byPath, byCommand]) {
      await client.arrived('trade_executed', 2);
      expect(tradeIds(client)).toEqual([1, 3]);
    }
  });

  it('R37 SubscribeToOrderBook: the present best level comes first, then every change of it', async () => {
    const symbol = desk.newSymbol();
    const early = await desk.connect(`/ws/markets/${symbol}`);
    desk.book(symbol, [['10.00', '1']], [['10.10', '2']]);
    const late = await desk.connect('/ws');
    await early.arrived('orderbook_update');
    expect(await desk.subscribe(late, 'orderbook', { symbol })).toMatchObject({ topics: [`orderbook:${symbol}`] });
    await late.arrived('orderbook_update');
    desk.bookChange(symbol, [['10.05', '3']], []);
    for (const client of [early, late]) {
      const [first, change] = await client.arrived('orderbook_update', 2);
      expect(first).toMatchObject({ snapshot: true, best_bid: '10.00', best_ask: '10.10', spread: '0.10' });
      expect(change).toMatchObject({ best_bid: '10.05', best_ask: '10.10', spread: '0.05', prev_seq: first?.seq });
    }
  });

  it('R37 UnsubscribeFromStream: nothing of it comes any more, of others everything', async () => {
    const [left, kept] = [desk.newSymbol(), desk.newSymbol()];
    const client = await desk.spectator(`/ws/trades?symbols=${left},${kept}`);
    const witness = await desk.spectator(`/ws/trades?symbols=${left}`);
    desk.trade(left, 'before');
    await client.arrived('trade_executed');
    const answer = await desk.ask(client, { action: 'unsubscribe', stream: 'trades', symbol: left });
    expect(answer).toMatchObject({ type: 'unsubscribed', topics: [`trades:${left}`] });
    desk.trade(left, 'after');
    await witness.arrived('trade_executed', 2);
    desk.trade(kept, 'kept');
    await client.arrived('trade_executed', 2);
    expect(tradeIds(client)).toEqual(['before', 'kept']);
  });

  it('R37 MultipleSubscriptions: one connection has all streams at once, and every message of each once', async () => {
    const symbol = desk.newSymbol();
    const client = await desk.connect('/ws', { sub: 'many' });
    await desk.subscribeToAll(client, symbol);
    await desk.subscribe(client, 'trades');
    await desk.subscribe(client, 'orders');
    for (const n of [1, 2, 3]) desk.oneOfEach(symbol, 'many', n);
    const events = ['trade_executed', 'order_update', 'room_message', 'alert'];
    const states = ['quotes_patch', 'orderbook_update', 'depth_patch'];
    for (const type of [...events, ...states]) await client.arrived(type, 3);
    // Behind them on either encoder: what would be doubled has come when these have.
    const last = numbered(4).map(() => desk.newSymbol());
    for (const name of last) desk.trade(name, 'last');
    await until(() => tradeIds(client).filter(id => id === 'last').length === last.length);
    for (const type of events.slice(1)) expect([type, placesOf(client, type)]).toEqual([type, [1, 2, 3]]);
    expect(tradeIds(client).filter(id => id !== 'last')).toEqual([1, 2, 3]);
    for (const type of states.slice(1)) expect([type, placesOf(client, type)]).toEqual([type, [1, 2, 3]]);
  });
});

const placesOf = (client: TestClient, type: string) => client.ofType(type).map(frame => frame.seq);

describe('messages', () => {
  it('R37 OrderUpdateMessage: every action is told, with all that the order has and its place', async () => {
    const client = await desk.connect('/ws/orders', { sub: 'told' });
    const actions = ['created', 'partially_filled', 'filled', 'cancelled', 'rejected'];
    for (const [i, action] of actions.entries()) desk.order('told', `o${i}`, action);
    const updates = await client.arrived('order_update', actions.length);
    const { epoch } = updates[0] as Frame;
    const expected = actions.map((action, i) => {
      return { type: 'order_update', ...order(`o${i}`, action), user_id: 'told', epoch, prev_seq: i, seq: i + 1 };
    });
    expect(updates).toEqual(expected);
  });

  it('R37 TradeExecutedMessage: everybody sees the trade, and its parties only who is entitled to', async () => {
    const symbol = desk.newSymbol();
    const plain = await desk.spectator(`/ws/trades?symbols=${symbol}`);
    const full = await desk.connect(`/ws/trades?symbols=${symbol}`, { entitlements: ['trades:*', 'trades:full'] });
    const parties = { buyer_id: 'b', seller_id: 's', buyer_fee: '0.10', seller_fee: '0.20' };
    desk.trade(symbol, 't1', { ...parties, executed_at: TIME });
    const [seen] = await plain.arrived('trade_executed');
    const shown = { type: 'trade_executed', ...trade(symbol, 't1'), executed_at: TIME };
    expect(seen).toEqual({ ...shown, epoch: seen?.epoch, prev_seq: 0, seq: 1 });
    expect((await full.arrived('trade_executed'))[0]).toEqual({ ...seen, ...parties });
  });

  it('R37 OrderBookUpdateMessage: both best levels, exact in every digit, and null where a side is empty', async () => {
    const symbol = desk.newSymbol();
    const client = await desk.spectator(`/ws/markets/${symbol}`);
    const dearest = [['50001', '9']] as const;
    desk.book(
      symbol,
      [
        ['0.1', '1'],
        ['49999.90', '1.250'],
      ],
      [['50000.00', '3'], ...dearest],
    );
    const [first] = await client.arrived('orderbook_update');
    expect(first).toEqual({
      type: 'orderbook_update',
      snapshot: true,
      symbol,
      best_bid: '49999.90',
      best_ask: '50000.00',
      bid_quantity: '1.250',
      ask_quantity: '3',
      spread: '0.10',
      timestamp: expect.stringMatching(RFC_3339_UTC),
      epoch: expect.any(String),
      prev_seq: expect.any(Number),
      seq: expect.any(Number),
    });
    desk.bookChange(
      symbol,
      [],
      [
        ['50000.00', '0'],
        ['50001', '0'],
      ],
    );
    const empty = { best_bid: '49999.90', best_ask: null, ask_quantity: null, spread: null, prev_seq: first?.seq };
    expect((await client.arrived('orderbook_update', 2))[1]).toMatchObject(empty);
  });

  it('R37 MessageFormatting: JSON in text frames, the same in MessagePack, decimals and times as they were written', async () => {
    const symbol = desk.newSymbol();
    const claims = { sub: 'formal' };
    const [json, msgpack] = [await desk.connect('/ws', claims), await desk.connect('/ws?format=msgpack', claims)];
    const texts: string[] = [];
    json.socket.on('message', data => texts.push(String(data)));
    for (const client of [json, msgpack]) await desk.subscribeToAll(client, symbol);
    desk.oneOfEach(symbol, 'formal', 1);
    const types = ['depth_patch', 'order_update', 'orderbook_update', 'room_message', 'trade_executed', 'alert'];
    const dataOf = async (client: TestClient) => {
      for (const type of types) await client.arrived(type);
      const quote = await client.next('quote', frame => (frame.operations as object[] | undefined)?.length === 1);
      return [quote, ...types.map(type => client.ofType(type)[0])];
    };
    expect(await dataOf(msgpack)).toEqual(await dataOf(json));
    expect([json.received.binary, msgpack.received.text]).toEqual([0, 0]);

    const all = texts.join('\n');
    // One document in each text: an object, or an array of them where messages come in batches.
    for (const text of texts) expect(text[0]).toBe(text.includes('"type":"alert"') ? '[' : '{');
    for (const written of ['"price":"1.50"', '"quantity":"2.50"', '"best_ask":"100.10"', '"bid":"1.50"']) {
      expect(all).toContain(written);
    }
    const times = [...all.matchAll(/"(?:timestamp|executed_at|last_updated)":"([^"]*)"/g)].map(([, time]) => time);
    expect(times.length).toBeGreaterThanOrEqual(6);
    for (const time of times) expect(time).toMatch(RFC_3339_UTC);
  });
});
