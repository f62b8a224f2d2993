/**
 * Publishers of several kinds, and what clients get from them: the examples as they are documented, and a matching
 * engine.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, promisify } from 'node:util';
import * as messagePack from 'msgpackr';
import { connect, type Msg, type NatsConnection } from 'nats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { MillraceClient } from '../../src/client/index.js';
import { connectPublisher } from '../../src/publisher/index.js';
import { TestClient } from '../support/client.js';
import { Documents } from '../support/documents.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { MatchingEngine } from '../support/matching-engine.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const EXAMPLES = join(ROOT, 'ops/examples/publishers');
const NATS_CLI_STAND_IN = join(ROOT, 'test/support/nats-cli.mjs');
const EXAMPLE_TIMEOUT_MS = 30_000;
/** 2001 in µs: times in any other unit are below it. */
const TS_EVENT_MICROS_MIN = 1e15;
/** What the examples give their trade: no JavaScript number holds it. */
const TRADE_ID = 8389766145050670869n;
/** `{`; what begins otherwise is MessagePack. */
const JSON_START = 0x7b;

const run = promisify(execFile);
const has = (program: string) => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;

let nats: NatsServer;
let gateway: TestGateway;
let listener: NatsConnection;
let token: string;
let toolsDir: string;
/** Everything that is published, dead letters included. */
const published: Msg[] = [];
const clients: TestClient[] = [];
const sdkClients: MillraceClient[] = [];
/** Ids of the trades that a client of the SDK got, by symbol and format. */
const trades = new Map<string, unknown[]>();

beforeAll(async () => {
  toolsDir = await mkdtemp(join(tmpdir(), 'millrace-tools-'));
  if (!has('nats')) await symlink(NATS_CLI_STAND_IN, join(toolsDir, 'nats'));
  nats = await startNatsServer({ jetstream: true });
  gateway = await startGateway({ NATS_URL: nats.url, SYMBOLS: 'EX-*,ACME', WORKERS: '1', ENCODERS: '1' });
  listener = await connect({ servers: nats.url });
  listener.subscribe('>', { callback: (_error, message) => published.push(message) });
  await listener.flush();
  token = await testToken();
});
afterAll(async () => {
  for (const client of clients) await client.close();
  for (const client of sdkClients) client.close();
  await listener?.close();
  await gateway?.stop();
  await nats?.stop();
  await rm(toolsDir, { recursive: true, force: true });
});

/** A client of the symbol’s quotes, trades and depth, of its user’s orders, of alerts and of a room. */
async function watch(symbol: string): Promise<TestClient> {
  const client = await TestClient.connect(`${gateway.url}/ws/quotes?symbols=${symbol}&token=${token}&class=realtime`);
  clients.push(client);
  client.send({ action: 'subscribe', stream: 'trades', symbol });
  client.send({ action: 'subscribe', stream: 'depth', symbol });
  client.send({ action: 'subscribe', stream: 'orders' });
  client.send({ action: 'subscribe', stream: 'analytics', channel: 'alerts' });
  client.send({ action: 'subscribe', stream: 'rooms', room: 'desk-7' });
  await client.arrived('subscribed', 5);
  return client;
}

/** Clients of the SDK that follow the symbol's trades, one in each format. */
async function followTrades(symbol: string): Promise<void> {
  for (const format of ['json', 'msgpack'] as const) {
    const client = new MillraceClient({ url: gateway.url, WebSocket, format, messagePack });
    sdkClients.push(client);
    const ids: unknown[] = [];
    trades.set(`${symbol} ${format}`, ids);
    const stream = client.trades([symbol]).on('event', ({ message }) => ids.push(message.trade_id));
    await stream.ready;
  }
}

/** Payloads that were published on the subject. */
function on(subject: string): Record<string, unknown>[] {
  const decode = ({ data }: Msg) =>
    data[0] === JSON_START ? JSON.parse(Buffer.from(data).toString()) : messagePack.unpack(data);
  return published.filter(message => message.subject === subject).map(decode);
}

describe('R38 the example', () => {
  const env = (symbol: string) => ({
    PATH: `${process.env.PATH}${delimiter}${toolsDir}`,
    HOME: toolsDir,
    NATS_URL: nats.url,
    SYMBOL: symbol,
  });

  const examples: [file: string, program: string, symbol: string][] = [
    ['publish.mjs', process.execPath, 'EX-NODE'],
    ['nats-cli.sh', 'bash', 'EX-CLI'],
    ['plain-protocol.sh', 'bash', 'EX-PLAIN'],
    ['publish.py', 'python3', 'EX-PYTHON'],
  ];

  describe.each(examples.filter(([, program]) => has(program)))('%s', (file, program, symbol) => {
    let client: TestClient;
    beforeAll(async () => {
      client = await watch(symbol);
      await followTrades(symbol);
      await run(program, [join(EXAMPLES, file)], { env: env(symbol), timeout: EXAMPLE_TIMEOUT_MS });
    });

    it('R38 brings its quotes, its book and its trade to a client', async () => {
      await client.next('changed book', frame => frame.type === 'depth_patch' && frame.snapshot !== true);
      await client.next('changed quote', frame => frame.type === 'quotes_patch' && frame.symbol === symbol);
      const held = new Documents().follow(client);
      const quote = { symbol, current_price: 10.5, bid: 10.49, ask: 10.51, volume: 1250 };
      expect(held.document.quotes[symbol]).toEqual(quote);
      expect(held.books.get(symbol)).toEqual({ bids: { '10.49': '300', '10.48': '150' }, asks: { '10.52': '75' } });
      const [trade] = await client.arrived('trade_executed');
      expect(trade).toMatchObject({ symbol, price: '10.51', quantity: '50' });
    });

    it.each(['json', 'msgpack'] as const)(
      'D4: brings the id of its trade to a client with all digits, in %s',
      async format => {
        const ids = () => trades.get(`${symbol} ${format}`) ?? [];
        await until(() => ids().length > 0);
        expect(ids()).toEqual([TRADE_ID]);
      },
    );

    it('R38 brings its order, its alert and what it says in a room to a client', async () => {
      const [order] = await client.arrived('order_update');
      expect(order).toMatchObject({
        action: 'filled',
        order_id: 'A-1',
        user_id: 'alice',
        symbol,
        filled_quantity: '50',
      });
      const [alert] = await client.arrived('alert');
      expect(alert).toMatchObject({ channel: 'alerts', data: { severity: 'info', text: `${symbol} is open` } });
      const [said] = await client.arrived('room_message');
      expect(said).toMatchObject({ room: 'desk-7', from: 'alice', data: { text: 'good morning' } });
    });

    it('R38 stamps its quotes with their time, and numbers them', async () => {
      const quotes = () => published.filter(({ subject }) => subject === `md.quotes.${symbol}`);
      await until(() => quotes().length === 2);
      const headers = quotes().map(message => message.headers);
      expect(headers.map(header => header?.get('Seq'))).toEqual(['1', '2']);
      expect(new Set(headers.map(header => header?.get('Epoch'))).size).toBe(1);
      for (const header of headers) expect(Number(header?.get('Ts-Event'))).toBeGreaterThan(TS_EVENT_MICROS_MIN);
    });
  });

  it('R38 leaves no dead letter', () => {
    expect(published.length).toBeGreaterThan(0);
    expect(published.map(({ subject }) => subject).filter(subject => subject.startsWith('deadletter.'))).toEqual([]);
  });
});

describe('R38 a matching engine that publishes through it', () => {
  it('R38 shows clients its book and its trades, and tells its users of their orders', async () => {
    const client = await watch('ACME');
    const publisher = await connectPublisher({ servers: nats.url }, { format: 'msgpack' });
    const engine = new MatchingEngine({ publisher, symbols: ['ACME'] });
    engine.publishBooks();
    engine.place({ userId: 'seller', symbol: 'ACME', side: 'sell', price: '10.02', quantity: '5' });
    const dear = engine.place({ userId: 'seller', symbol: 'ACME', side: 'sell', price: '10.05', quantity: '2' });
    engine.place({ userId: 'buyer', symbol: 'ACME', side: 'buy', price: '10.03', quantity: '7.5' });
    engine.cancel(dear.orderId);
    await publisher.close();

    const [trade] = await client.arrived('trade_executed');
    expect(trade).toMatchObject({ symbol: 'ACME', price: '10.02', quantity: '5' });
    const { bids, asks } = engine.book('ACME');
    await client.next('cancelled level', () => {
      const book = new Documents().follow(client).books.get('ACME');
      return isDeepStrictEqual(book, { bids: Object.fromEntries(bids), asks: Object.fromEntries(asks) });
    });
    const actions = (userId: string) => on(`orders.${userId}`).map(({ action }) => action);
    await until(() => actions('seller').length + actions('buyer').length >= 6);
    expect(actions('seller')).toEqual(['created', 'created', 'filled', 'cancelled']);
    expect(actions('buyer')).toEqual(['created', 'partially_filled']);
  });
});

describe('R38 a publisher that asks JetStream', () => {
  it('R38 knows the sequence that clients get', async () => {
    const stored = await startGateway({ NATS_URL: nats.url, JETSTREAM: 'on', SYMBOLS: 'STORED', WORKERS: '1' });
    try {
      const client = await TestClient.connect(`${stored.url}/ws/trades?symbols=STORED`);
      clients.push(client);
      const publisher = await connectPublisher({ servers: nats.url }, { jetstream: true });
      const trade = {
        symbol: 'STORED',
        trade_id: 'T1',
        price: '1.50',
        quantity: '2',
        executed_at: '2026-01-01T00:00:00Z',
      };
      const { seq } = await publisher.trade(trade);
      await publisher.close();
      expect((await client.arrived('trade_executed'))[0]).toMatchObject({ ...trade, seq });
    } finally {
      await stored.stop();
    }
  });
});
