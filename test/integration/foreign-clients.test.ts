/**
 * Clients that were not written here: ws, Node's own WebSocket, a browser's, Python's websockets.
 *
 * @module-tag slow
 * @module-tag bulk
 */
import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TestClient } from '../support/client.js';
import {
  ChromiumRuntime,
  type ForeignClient,
  type ForeignRequest,
  type ForeignRuntime,
  nodeRuntime,
  pythonRuntime,
  WsRuntime,
} from '../support/foreign/clients.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { until } from '../support/until.js';

/** A browser's page takes its time. */
const CLIENT_TIMEOUT_MS = 30_000;
/** Beyond the time that a client may leave them unanswered. */
const PINGS = 10;
const KEEPALIVE = { WS_PING_INTERVAL: '200ms', WS_PONG_TIMEOUT: '1s' };

const chromium = new ChromiumRuntime();
const runtimes: readonly ForeignRuntime[] = [new WsRuntime(), nodeRuntime(), chromium, pythonRuntime()];

let nats: NatsServer;
let gateway: TestGateway;
let deflating: TestGateway;
let publisher: TestPublisher;
const clients: ForeignClient[] = [];

beforeAll(async () => {
  await chromium.open();
  nats = await startNatsServer();
  publisher = await TestPublisher.connect(nats.url);
  const env = { NATS_URL: nats.url, SYMBOLS: 'F/*', WORKERS: '1', ALLOWED_ORIGINS: chromium.origin, ...KEEPALIVE };
  gateway = await startGateway(env);
  deflating = await startGateway({ ...env, WS_COMPRESSION: 'on' });
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map(client => client.end()));
});

afterAll(async () => {
  await publisher?.close();
  await Promise.all([gateway?.stop(), deflating?.stop(), chromium.close()]);
  await nats?.stop();
});

const quote = (symbol: string, n: number) => ({
  symbol,
  current_price: 100 + n / 100,
  bid: `${n}.50`,
  volume: 2 ** 33 + n,
  venue: { name: 'Börse ✓', open: n % 2 === 0, tags: [null, -1] },
});

/** One side of ten levels and more, of which some go and some come with every number. */
const levels = (from: number, n: number) =>
  Array.from({ length: 12 }, (_, i) => [`${from + ((i + n) % 15)}.00`, String(n + 1)]);

let users = 0;
let symbols = 0;

describe.each(runtimes.map(runtime => [runtime.name, runtime] as const))('R20 R27 %s client', (_name, runtime) => {
  async function connect(url: string, request: Partial<ForeignRequest> = {}): Promise<ForeignClient> {
    const client = await runtime.connect({ url, protocols: [], format: 'json', commands: [], ...request });
    clients.push(client);
    return client;
  }

  /** Waits for what the client is to come to; the error says what it has come to. */
  async function comes(client: ForeignClient, what: string, condition: () => boolean): Promise<void> {
    try {
      await until(condition, CLIENT_TIMEOUT_MS);
    } catch (cause) {
      const { opened, held, closed, complaint } = client;
      throw new Error(`${what}: ${JSON.stringify({ opened, held, closed, complaint }).slice(0, 2_000)}`, { cause });
    }
  }

  const newSymbol = () => `F/${++symbols}`;

  it.each(['json', 'msgpack'])('R20 R27 holds the publisher’s quotes on /ws/quotes, in %s', async format => {
    const [a, b] = [newSymbol(), newSymbol()];
    for (const symbol of [a, b]) publisher.put(`md.quotes.${symbol}`, quote(symbol, 0));
    const query = `symbols=${encodeURIComponent(`${a},${b}`)}&token=${await testToken()}`;
    // One way to ask for the format is as good as the other.
    const client = await connect(`${gateway.url}/ws/quotes?${query}&format=${format}`, { format });
    const expected = (n: number) => ({ [a]: quote(a, n), [b]: { ...quote(b, 0), current_price: n } });
    await comes(client, 'the snapshot', () => Object.keys(client.held.quotes).length === 2);
    for (let n = 1; n <= 30; n++) {
      publisher.put(`md.quotes.${a}`, quote(a, n), n % 2 === 0 ? 'json' : 'msgpack');
      publisher.put(`md.quotes.${b}`, { symbol: b, current_price: n, partial: true });
    }
    await comes(client, 'the last quotes', () => isDeepStrictEqual(client.held.quotes, expected(30)));
    expect(client.held.deltas).toBeGreaterThan(2);
    expect([client.held.broken, client.complaint]).toEqual([[], '']);
  });

  it.each(['json', 'msgpack'])('R20 R23 R27 R28 takes commands on /ws, in %s, compressed', async format => {
    const symbol = newSymbol();
    const subscribe = { action: 'subscribe', symbol };
    const client = await connect(`${deflating.url}/ws?token=${await testToken()}`, {
      format,
      protocols: [`millrace.${format}`],
      commands: [
        { ...subscribe, stream: 'quotes' },
        { ...subscribe, stream: 'depth', depth: 10 },
        { ...subscribe, stream: 'trades' },
        { action: 'ping', id: 7 },
        { ...subscribe, stream: 'nonsense' },
      ],
    });
    await comes(client, 'the answers', () => client.held.answers.length === 5);
    expect(client.held.answers).toEqual(['subscribed', 'subscribed', 'subscribed', 'pong', 'error']);
    expect(client.opened).toMatchObject({ protocol: `millrace.${format}` });
    expect(client.opened?.extensions).toContain('permessage-deflate');
    for (let n = 0; n <= 20; n++) {
      const [bids, asks] = [levels(1, n), levels(101, n)];
      publisher.put(`md.books.${symbol}`, { symbol, bids, asks, snapshot: true });
      publisher.put(`md.quotes.${symbol}`, quote(symbol, n));
      publisher.put(`md.trades.${symbol}`, { symbol, trade_id: n, price: '1.5', quantity: '2' });
    }
    const best = (side: string[][], sign: 1 | -1) =>
      Object.fromEntries(side.sort(([x], [y]) => (Number(x) - Number(y)) * sign).slice(0, 10));
    const expected = { bids: best(levels(1, 20), -1), asks: best(levels(101, 20), 1) };
    await comes(client, 'the last book', () => isDeepStrictEqual(client.held.books[symbol], expected));
    await comes(client, 'the last trade', () => client.held.trades.length === 21);
    await comes(client, 'the last quote', () => isDeepStrictEqual(client.held.quotes, { [symbol]: quote(symbol, 20) }));
    expect(client.held.trades).toEqual([...Array(21).keys()]);
    expect([client.held.broken, client.complaint]).toEqual([[], '']);
  });

  it('R33 R42 answers pings, so that it stays, and is told by 4500 when its credential is revoked', async () => {
    const symbol = newSymbol();
    const sub = `foreign-${++users}`;
    const url = `${gateway.url}/ws/trades?symbols=${encodeURIComponent(symbol)}&token=${await testToken({ sub })}`;
    const client = await connect(url);
    await comes(client, 'the connection', () => client.opened !== undefined);
    const pings = () => gateway.metric('millrace_pings_total');
    const before = await pings();
    await until(async () => (await pings()) >= before + PINGS, CLIENT_TIMEOUT_MS);
    publisher.put(`md.trades.${symbol}`, { symbol, trade_id: 'still here', price: '1', quantity: '1' });
    await comes(client, 'the trade', () => client.held.trades.length === 1);
    expect(client.closed).toBeUndefined();
    publisher.nats.publish('control.revoke', JSON.stringify({ sub }));
    await comes(client, 'the close', () => client.closed !== undefined);
    expect(client.closed?.code).toBe(4500);
  });
});

describe('R42 a client that leaves pings unanswered', () => {
  it('R42 is closed within the time that the others stayed', async () => {
    const before = await gateway.metric('millrace_pings_total');
    const client = await TestClient.connect(`${gateway.url}/ws`, { autoPong: false });
    await until(() => client.closed !== undefined);
    expect(client.closed?.code).toBe(4009);
    expect((await gateway.metric('millrace_pings_total')) - before).toBeLessThan(PINGS);
  });
});

describe('R48 a page of an origin that is not listed', () => {
  it('R48 is refused, which a browser shows as 1006', async () => {
    const narrow = await startGateway({ NATS_URL: nats.url, ALLOWED_ORIGINS: 'https://app.example', WORKERS: '1' });
    try {
      const client = await chromium.connect({ url: `${narrow.url}/ws`, protocols: [], format: 'json', commands: [] });
      clients.push(client);
      await until(() => client.closed !== undefined, CLIENT_TIMEOUT_MS);
      expect([client.opened, client.closed?.code]).toEqual([undefined, 1006]);
      expect(await narrow.metric('millrace_connections_refused_total{status="403"}')).toBe(1);
    } finally {
      await narrow.stop();
    }
  });
});
