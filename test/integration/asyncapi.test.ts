/** R36: what the real gateway sends and takes, held against the AsyncAPI document, frame by frame. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FORMATS, type Format } from '../../src/protocol/view-options.js';
import { CheckedClient, Sightings } from '../support/checked-client.js';
import { CheckedPublisher } from '../support/checked-publisher.js';
import { type Refused, refusedUpgrade } from '../support/client.js';
import { frameValidator, MessageValidator, readAsyncApi } from '../support/frame-validator.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { ThrottledGate } from '../support/throttled-gate.js';
import { until } from '../support/until.js';

const ROLES = ['trader', 'risk', 'admin'];
const SUBSCRIPTIONS_MAX = 20;
const TIME = '2026-11-20T22:50:02.316Z';
const document = readAsyncApi();

let server: NatsServer;
let gateway: TestGateway;
let publisher: CheckedPublisher;
let token: string;
let fullToken: string;
const sightings = new Sightings();
const clients: CheckedClient[] = [];

beforeAll(async () => {
  server = await startNatsServer();
  gateway = await startGateway({
    NATS_URL: server.url,
    SYMBOLS: 'NEW-*',
    WORKERS: '1',
    ENCODERS: '2',
    HEARTBEAT_INTERVAL: '200ms',
    WS_MAX_SUBSCRIPTIONS: String(SUBSCRIPTIONS_MAX),
  });
  publisher = await CheckedPublisher.connect(server.url);
  token = await testToken({ roles: ROLES });
  fullToken = await testToken({ roles: ROLES, entitlements: ['trades:*', 'trades:full'] });
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map(client => client.close()));
  expect(sightings.violations.splice(0)).toEqual([]);
});

afterAll(async () => {
  await publisher?.close();
  await gateway?.stop();
  await server?.stop();
});

async function open(path: string, format: Format, query: Record<string, string> = {}, to = gateway) {
  const client = await CheckedClient.connect(`${to.url}${path}?${new URLSearchParams(query)}`, format, sightings);
  clients.push(client);
  return client;
}

const publish: CheckedPublisher['publish'] = (...message) => publisher.publish(...message);

let symbols = 0;
/** Known by its pattern before it has data. */
const newSymbol = (): string => `NEW-${++symbols}`;

const quote = (symbol: string, price: number | string) => ({
  symbol,
  current_price: price,
  base_price: '150.00',
  change: 0.25,
  change_percent: -0.17,
  bid: '150.20',
  ask: 150.3,
  volume: 1_000_000,
  last_updated: TIME,
  venue: { mic: 'XNAS', tags: ['a', null] },
});

const levels = (from: number, count: number, quantity: string | number) =>
  Array.from({ length: count }, (_, i) => [String(from + i), quantity]);

const trade = (symbol: string, n: number) => ({
  trade_id: `${symbol}-${n}`,
  symbol,
  price: '50000.10',
  quantity: 0.5,
  buyer_id: 'bob',
  seller_id: 'sue',
  buyer_fee: '0.10',
  seller_fee: 0.2,
  executed_at: TIME,
  aggressor_side: 'buy',
  venue: 'XNAS',
});

describe.each(FORMATS)('R36 in %s', format => {
  it('R36 quotes: snapshot, warning, deltas, another class, resync, end', async () => {
    const symbol = newSymbol();
    publish('publishedQuotes.send', `md.quotes.${symbol}`, quote(symbol, 150), format, {
      'Ts-Event': 1_700_000_000_000_000,
    });
    const client = await open('/ws/quotes', format, { symbols: `${symbol},NOPE`, token, timestamps: '1' });
    await client.arrived('warning');
    await until(() => client.frames.some(({ message }) => message === 'quotes_snapshot'));
    // As often as it takes: the subscription may begin before the first quote or behind it.
    await until(() => {
      publish('publishedQuotes.send', `md.quotes.${symbol}`, { symbol, bid: Date.now(), partial: true }, format);
      return client.frames.some(({ message }) => message === 'quotes_delta');
    });
    // A change of much is sent as the whole; one of little, as the members that changed.
    const note = 'x'.repeat(500);
    publish('publishedQuotes.send', `md.quotes.${symbol}`, { symbol, current_price: 1, note, bid: 1 }, format);
    publish('publishedQuotes.send', `md.quotes.${symbol}`, { symbol, current_price: 1, note }, format);
    await until(() => JSON.stringify(client.frames).includes('"op":"remove"'));
    publish('publishedQuotes.send', `md.quotes.${symbol}`, { symbol, bid: 1e-7, ask: 2, volume: 3 }, format);
    await until(() => JSON.stringify(client.frames).includes(`"path":"/quotes/${symbol}","value"`));
    publisher.nats.publish(`md.quotes.${symbol}`, 'not JSON');
    await client.arrived('stale');
    const topic = { stream: 'quotes', symbol };
    expect(await client.ask({ action: 'subscribe', ...topic, class: '100ms' })).toMatchObject({ class: '100ms' });
    const snapshots = () => client.frames.filter(({ message }) => message === 'quotes_snapshot').length;
    await until(() => snapshots() >= 2);
    client.send({ action: 'resync', ...topic });
    await until(() => snapshots() >= 3);
    expect(await client.ask({ action: 'unsubscribe', ...topic })).toMatchObject({ type: 'unsubscribed' });
    const since = { epoch: 'e', seq: 1 };
    expect(await client.ask({ action: 'subscribe', ...topic, since })).toMatchObject({ recovered: false });
    const own = await testToken({ entitlements: [`quotes:${symbol}`] });
    const narrow = await open('/ws/quotes', format, { symbols: `${symbol},${newSymbol()}`, token: own });
    expect(await narrow.arrived('warning')).toMatchObject({ code: 'forbidden' });
  });

  it.each(['0', '1'])(
    'R36 books with timestamps=%s: best level, also of one side; depth, also as whole sides',
    async timestamps => {
      const symbol = newSymbol();
      const put = (book: object) => publish('publishedBooks.send', `md.books.${symbol}`, { symbol, ...book }, format);
      const best = await open(`/ws/markets/${symbol}`, format, { timestamps });
      const deep = await open(`/ws/markets/${symbol}`, format, { timestamps, depth: '25', class: '100ms' });
      put({ bids: levels(100, 30, '1.50'), snapshot: true });
      expect(await best.arrived('orderbook_update')).toMatchObject({ best_ask: null, spread: null });
      await deep.arrived('depth_snapshot');
      put({ asks: [['200.5', '1']], bids: [['129', 2]], timestamp: TIME });
      expect(await best.arrived('orderbook_update', 2)).toMatchObject({ best_ask: '200.5', spread: '71.5' });
      await deep.arrived('depth_delta');
      put({ bids: [['129', '0']] });
      await deep.arrived('depth_delta', 2);
      put({ bids: levels(300, 30, 7), asks: levels(50, 30, '2'), snapshot: true });
      await deep.arrived('depth_delta', 3);
      // Crossed.
      expect(await best.next('orderbook_update', { best_bid: '329' })).toMatchObject({ spread: '-279' });
      for (const [client, stream] of [
        [best, 'orderbook'],
        [deep, 'depth'],
      ] as const) {
        client.send({ action: 'resync', stream, symbol });
      }
      await deep.arrived('depth_snapshot', 2);
      expect(await deep.ask({ action: 'subscribe', stream: 'depth', symbol, depth: 100 })).toMatchObject({
        stream: 'depth',
      });
      await deep.arrived('depth_snapshot', 3);
    },
  );

  it('R36 trades: of all and of one, with parties and without, a hole in the publisher’s numbers, a new epoch', async () => {
    const symbol = newSymbol();
    const put = (n: number, given = {}) => {
      publish('publishedTrades.send', `md.trades.${symbol}`, trade(symbol, n), format, given);
    };
    const all = await open('/ws/trades', format, { timestamps: '1' });
    const one = await open('/ws/trades', format, { symbols: symbol, token: fullToken });
    put(1, { Seq: 1, Epoch: 'p1', 'Ts-Event': 1_700_000_000_000_000 });
    expect(await all.next('trade_executed', { symbol })).not.toHaveProperty('buyer_id');
    expect(await one.arrived('trade_executed')).toMatchObject({ buyer_id: 'bob', venue: 'XNAS' });
    put(2, { Seq: 5, Epoch: 'p1' });
    expect(await one.arrived('gap')).toMatchObject({ from: 2, to: 4, reason: 'publisher' });
    put(3, { Seq: 1, Epoch: 'p2' });
    expect(await one.arrived('gap', 2)).toMatchObject({ from: 0, to: 0, reason: 'new_epoch', epoch: 'p2' });
    await all.arrived('gap', 2);
    put(4, { Seq: 2, Epoch: 'p2' });
    await one.arrived('trade_executed', 4);
  });

  it('R36 trades are resumed behind a since, and begun anew where that cannot be', async () => {
    const symbol = newSymbol();
    const topic = `trades:${symbol}`;
    const client = await open('/ws', format, { timestamps: '1' });
    const subscribe = { action: 'subscribe', stream: 'trades', symbol };
    publish('publishedTrades.send', `md.trades.${symbol}`, trade(symbol, 0));
    await until(async () => {
      publish('publishedTrades.send', `md.trades.${symbol}`, trade(symbol, 1), format);
      await client.ask(subscribe);
      return client.frames.some(({ message }) => message === 'trade_executed');
    });
    const { epoch, seq } = await client.arrived('trade_executed');
    await client.ask({ action: 'unsubscribe', stream: 'trades', symbol });
    expect(await client.ask(subscribe)).toMatchObject({ positions: { [topic]: { epoch, seq: expect.any(Number) } } });
    await client.ask({ action: 'unsubscribe', stream: 'trades', symbol });
    const mark = client.frames.length;
    const resumed = await client.ask({ ...subscribe, since: { epoch, seq: Number(seq) - 1 } });
    expect(resumed).toMatchObject({ recovered: true });
    expect(resumed).not.toHaveProperty('positions');
    await until(() => client.frames.slice(mark).some(({ frame }) => frame.prev_seq === Number(seq) - 1));
    await client.ask({ action: 'unsubscribe', stream: 'trades', symbol });
    const anew = await client.ask({ ...subscribe, since: { epoch: 'long-gone', seq: 1 } });
    expect(anew).toMatchObject({ recovered: false, positions: { [topic]: { epoch } } });
    expect(await client.ask({ action: 'subscribe', stream: 'trades' })).not.toHaveProperty('positions');
  });

  it('R36 orders of the own user', async () => {
    const put = (order: object) => publish('publishedOrders.send', 'orders.alice', order, format);
    const client = await open('/ws/orders', format, { token, timestamps: '1' });
    put({ action: 'created', order_id: 17, order_type: 'limit' });
    put({ action: 'replaced', order_id: 17, price: '1.5', quantity: 3 });
    put({ action: 'cancelled', order_id: 17, cancelled_by: 'exchange' });
    put({ action: 'partially_filled', order_id: 'o-17', symbol: 'AAPL', side: 'buy', status: 'open', quantity: 100 });
    put({ action: 'filled', order_id: 'o-17', filled_quantity: '100', price: null, timestamp: TIME, account: 'x1' });
    await client.arrived('order_update', 5);
    const general = await open('/ws', format, { token });
    expect(await general.ask({ action: 'subscribe', stream: 'orders' })).toMatchObject({ topics: ['orders:alice'] });
  });

  it('R36 analytics: arrays of messages of one channel', async () => {
    const client = await open('/ws/analytics', format, { token, channels: 'alerts', timestamps: '1' });
    expect(await client.ask({ action: 'subscribe', channels: ['routing-metrics', 'lp-performance'] })).toMatchObject({
      topics: ['analytics:routing-metrics', 'analytics:lp-performance'],
    });
    await client.ask({ action: 'subscribe', stream: 'analytics', channel: 'exposure-updates' });
    for (const channel of ['alerts', 'routing-metrics', 'lp-performance', 'exposure-updates']) {
      const put = (message: object) => publish('publishedAnalytics.send', `analytics.${channel}`, message, format);
      for (let i = 0; i < 60; i++) put({ data: { i }, timestamp: TIME });
    }
    await until(() => client.frames.flatMap(({ frame }) => frame).length >= 242);
    expect(client.frames.filter(({ message }) => message === 'analytics').length).toBeLessThan(240);
  });

  it('R36 rooms: what clients and publishers say, acknowledged', async () => {
    const room = `desk-${format}`;
    const client = await open('/ws', format, { token });
    expect(await client.ask({ action: 'subscribe', stream: 'rooms', room })).toMatchObject({
      topics: [`rooms:${room}`],
    });
    const ack = await client.ask({ action: 'publish', stream: 'rooms', room, data: { text: 'hello', n: [1, null] } });
    expect(ack).toMatchObject({ type: 'ack', topic: `rooms:${room}` });
    expect(await client.arrived('room_message')).toMatchObject({ room, from: 'alice', seq: ack.seq, epoch: ack.epoch });
    publish('publishedRooms.send', `rooms.${room}`, { from: 'bot', data: 'beep', timestamp: TIME }, format);
    const { epoch, seq } = await client.arrived('room_message', 2);
    const late = await open('/ws', format, { token });
    expect(await late.ask({ action: 'subscribe', stream: 'rooms', rooms: [room] })).toMatchObject({
      positions: { [`rooms:${room}`]: { epoch, seq } },
    });
  });

  it('R36 a credential that is about to end, its successor, and what that one does not allow', async () => {
    const symbol = newSymbol();
    const short = await testToken({ ttlMs: 3_000, roles: ROLES });
    const client = await open('/ws', format, { token: short });
    await client.ask({ action: 'subscribe', stream: 'quotes', symbol });
    expect(await client.arrived('warning')).toMatchObject({ code: 'token_expiring', expires_at: expect.any(String) });
    expect(await client.ask({ action: 'auth', token: 'x' })).toMatchObject({ type: 'error', code: 'unauthorized' });
    const narrow = await testToken({ entitlements: ['trades:*'] });
    expect(await client.ask({ action: 'auth', token: narrow })).toMatchObject({ type: 'ack' });
    expect(await client.arrived('warning', 2)).toMatchObject({ code: 'forbidden', topics: [`quotes:${symbol}`] });
  });

  it('R36 heartbeats of silent topics', async () => {
    const symbol = newSymbol();
    publish('publishedQuotes.send', `md.quotes.${symbol}`, quote(symbol, 1), format);
    publish('publishedBooks.send', `md.books.${symbol}`, { symbol, bids: [], asks: [], snapshot: true }, format);
    const client = await open('/ws/quotes', format, { symbols: symbol, token, timestamps: '1' });
    for (const stream of ['orderbook', 'depth', 'trades']) await client.ask({ action: 'subscribe', stream, symbol });
    await client.ask({ action: 'subscribe', stream: 'rooms', room: 'silent' });
    for (const topic of [`quotes:${symbol}`, `orderbook:${symbol}`, `depth:${symbol}`])
      await client.next('heartbeat', { topic });
  });

  it('R36 answers every kind of wrong command with an error of the document', async () => {
    const client = await open('/ws', format, { token });
    const anonymous = await open('/ws', format);
    const subscribe = { action: 'subscribe', stream: 'quotes' };
    const codes = [];
    for (const wrong of [
      [],
      { action: 'dance' },
      { action: 'subscribe', stream: 'weather', symbol: 'A' },
      { action: 'subscribe', channels: ['gossip'] },
      { ...subscribe },
      { ...subscribe, symbol: 'NOPE' },
      { ...subscribe, symbols: Array.from({ length: SUBSCRIPTIONS_MAX + 1 }, newSymbol) },
      { action: 'resync', stream: 'quotes', symbol: 'NEW-none' },
    ]) {
      const before = client.frames.length;
      client.sendRaw(wrong);
      await until(() => client.frames.length > before);
      codes.push(client.frames[before]?.frame.code);
    }
    client.sendText('{');
    await client.next('error', { code: 'invalid_json' });
    anonymous.send({ ...subscribe, symbol: newSymbol() });
    await anonymous.next('error', { code: 'unauthorized' });
    anonymous.send({ action: 'subscribe', stream: 'trades', symbol: newSymbol(), class: 'realtime' });
    await anonymous.next('error', { code: 'forbidden' });
    anonymous.send({ action: 'publish', stream: 'rooms', room: 'desk', data: 1 });
    await until(() => anonymous.frames.filter(({ frame }) => frame.code === 'unauthorized').length >= 2);
    expect(codes).toEqual(
      ['invalid_message', 'unknown_action', 'unknown_stream', 'unknown_channel', 'missing_symbol'].concat([
        'invalid_symbol',
        'too_many_subscriptions',
        'not_subscribed',
      ]),
    );
    expect(await client.ask({ action: 'ping' })).toMatchObject({ type: 'pong' });
  });
});

describe('R36 over HTTP', () => {
  function expectDocumented({ status, headers: got, body }: Refused, expected: number): void {
    expect(status).toBe(expected);
    const key = `refused_${status}`;
    expect(new MessageValidator(document, [key]).check(body)).toEqual({ message: key });
    if (status === 429 || status === 503) expect(got['retry-after']).toMatch(/^\d+$/);
  }

  const plain = async (path: string): Promise<Refused> => {
    const response = await fetch(`${gateway.url.replace('ws:', 'http:')}${path}`);
    return { status: response.status, headers: {}, body: (await response.json()) as Refused['body'] };
  };

  it('R36 refuses as the document says', async () => {
    const refused = (path: string) => refusedUpgrade(`${gateway.url}${path}`);
    expectDocumented(await refused(`/ws/quotes?token=${token}`), 400);
    expectDocumented(await refused('/ws/markets/NOPE'), 400);
    expectDocumented(await refused('/ws?format=xml'), 400);
    expectDocumented(await refused(`/ws/analytics?channels=gossip&token=${token}`), 400);
    for (const path of ['/ws/quotes?symbols=NEW-1', '/ws/orders', '/ws/analytics', '/ws?token=x', '/ws?api_key=x']) {
      expectDocumented(await refused(path), 401);
    }
    expectDocumented(await refused('/ws?class=realtime'), 403);
    expectDocumented(await refused(`/ws/quotes?symbols=NEW-1&token=${fullToken}`), 403);
    expectDocumented(await refused('/nowhere'), 404);
    expectDocumented(await plain('/nowhere'), 404);
    for (const path of ['/ws', '/ws/orders', '/ws/analytics']) expectDocumented(await plain(path), 426);
  });

  it('R36 refuses with 429 one user’s surplus, and with 503 everybody’s, as the document says', async () => {
    const limits = { WS_MAX_CONNECTIONS: '2', WS_MAX_CONNECTIONS_PER_USER: '1' };
    const narrow = await startGateway({ FEED: 'simulator', WORKERS: '1', ENCODERS: '1', ...limits });
    try {
      await open('/ws', 'json', { token }, narrow);
      expectDocumented(await refusedUpgrade(`${narrow.url}/ws?token=${token}`), 429);
      await open('/ws', 'json', {}, narrow);
      expectDocumented(await refusedUpgrade(`${narrow.url}/ws`), 503);
    } finally {
      await narrow.stop();
    }
  });
});

describe('R36 at NATS', () => {
  it('R36 puts what it refuses where the document says, as it says', async () => {
    const validator = new MessageValidator(document, ['dead_letter'], 'headers');
    const reasons: unknown[] = [];
    const { nats } = publisher;
    const subscription = nats.subscribe('deadletter.>', {
      callback: (_error, { headers: given }) => {
        const value = Object.fromEntries([...(given ?? [])].map(([name, [first]]) => [name, first]));
        reasons.push({ ...validator.check(value), reason: value.Reason });
      },
    });
    nats.publish('md.quotes.NEW-bad', '{"symbol":');
    nats.publish('md.trades.NEW-bad', JSON.stringify({ symbol: 'OTHER' }));
    await until(() => reasons.length >= 2);
    subscription.unsubscribe();
    expect(reasons).toEqual(
      expect.arrayContaining([
        { message: 'dead_letter', reason: 'invalid_json' },
        { message: 'dead_letter', reason: 'wrong_symbol' },
      ]),
    );
  });
});

describe('R36 with the simulator', () => {
  it.each(FORMATS)('R36 sends nothing else than the document says, in %s', async format => {
    const env = { FEED: 'simulator', SYMBOLS: 'AAPL,BTC/USDT', SIM_RATE: '400', WORKERS: '1', ENCODERS: '1' };
    const simulated = await startGateway(env);
    try {
      const stamped = { token, timestamps: '1' };
      const quotes = await open('/ws/quotes', format, { ...stamped, symbols: 'AAPL,BTC/USDT' }, simulated);
      const trades = await open('/ws/trades', format, { timestamps: '1' }, simulated);
      const best = await open('/ws/markets/BTC%2FUSDT', format, { token }, simulated);
      const depth = await open('/ws/markets/AAPL', format, { ...stamped, depth: '10', class: '16ms' }, simulated);
      await quotes.arrived('quotes_delta', 30, 30_000);
      await trades.arrived('trade_executed', 30, 30_000);
      await best.arrived('orderbook_update', 30, 30_000);
      await depth.arrived('depth_delta', 30, 30_000);
      await Promise.all(clients.splice(0).map(client => client.close()));
    } finally {
      await simulated.stop();
    }
  });
});

describe('R36 R16 with a client that reads slowly', () => {
  it.each(FORMATS)('R36 R16 says how old its data is, and when it is not, in %s', async format => {
    const env = { FEED: 'simulator', SIM_RATE: '1000', WORKERS: '1', ENCODERS: '1', WS_MAX_AGE: '500ms' };
    const simulated = await startGateway(env);
    const gate = await ThrottledGate.open(Number(new URL(simulated.url).port));
    try {
      const client = await open('/ws', format, { token }, { ...simulated, url: `ws://127.0.0.1:${gate.port}` });
      const symbols = ['AAPL', 'MSFT', 'GOOGL', 'AMZN', 'TSLA', 'NVDA', 'META', 'JPM', 'V', 'MA'];
      client.send({ action: 'subscribe', stream: 'depth', depth: 100, symbols });
      await client.arrived('depth_delta', 10, 30_000);
      gate.bytesPerSecond = 10_000;
      // It is told behind what the kernel and the gate hold for it: at this rate, most of a minute.
      await until(async () => (await simulated.metric('millrace_clients_lagging')) === 1);
      gate.bytesPerSecond = undefined;
      await client.arrived('lagging');
      await client.arrived('fresh');
    } finally {
      await gate.close();
      await simulated.stop();
    }
  });
});

describe('R36 at the end', () => {
  it('R36 says how the feed is when NATS goes and comes', async () => {
    const present = await Promise.all(FORMATS.map(format => open('/ws', format)));
    await server.stop();
    for (const client of present) await client.next('status', { feed: 'stale' });
    const late = await Promise.all(FORMATS.map(format => open('/ws', format)));
    for (const client of late) await client.next('status', { feed: 'stale' });
    server = await startNatsServer({ port: server.port });
    for (const client of [...present, ...late]) await client.next('status', { feed: 'live' });
  });

  it('R36 R61 says what its operators have to say', async () => {
    const present = await Promise.all(FORMATS.map(format => open('/ws', format)));
    const notice = { message: 'Maintenance at 22:00 UTC', severity: 'warning', to: { all: true } };
    const answer = await fetch(`${gateway.adminUrl}/api/v1/broadcast`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', connection: 'close' },
      body: JSON.stringify(notice),
    });
    expect(answer.status).toBe(200);
    for (const client of present) await client.next('notice', { severity: 'warning', message: notice.message });
  });

  it('R36 says that it goes away, then closes with 1001', async () => {
    const present = await Promise.all(FORMATS.map(format => open('/ws', format)));
    await gateway.stop();
    for (const client of present) {
      expect((await client.arrived('going_away')).reconnect_after_ms).toEqual(expect.any(Number));
      await until(() => client.closed === 1001);
    }
  });

  it.each(FORMATS)('R36 has sent every frame of the document in %s, and no other', format => {
    expect([...sightings.seen[format]].sort()).toEqual([...frameValidator(document).keys].sort());
  });
});
