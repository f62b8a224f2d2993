/** JETSTREAM=on: the stream numbers, so that every gateway says the same, and what was published is there after a start. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type JetStreamManager, type NatsConnection } from 'nats';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/environment.js';
import { JetStreamFeed } from '../../src/feed/jetstream.js';
import { TestClient } from '../support/client.js';
import { Documents } from '../support/documents.js';
import { feedOptions } from '../support/feed-options.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { until } from '../support/until.js';

const RECOVERY_TIMEOUT_MS = 30_000;
/** More than the feed can have taken by the time it has begun to read. */
const MANY_SUBJECTS = 3_000;

let storeDir: string;
let nats: NatsServer;
let one: TestGateway;
let publisher: TestPublisher;
let admin: NatsConnection;
let manager: JetStreamManager;
let token: string;
/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  storeDir = await mkdtemp(join(tmpdir(), 'millrace-jetstream-'));
  nats = await startNatsServer({ jetstream: true, storeDir });
  one = await startGateway({ NATS_URL: nats.url, JETSTREAM: 'on', NATS_STREAM: 'MARKET' });
  publisher = await TestPublisher.connect(nats.url);
  admin = await connect({ servers: nats.url });
  manager = await admin.jetstreamManager();
  token = await testToken();
});

afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

afterAll(async () => {
  await publisher?.close();
  await admin?.close();
  await one?.stop();
  await nats?.stop();
  await rm(storeDir, { recursive: true, force: true });
});

async function another(): Promise<TestGateway> {
  const gateway = await startGateway({ NATS_URL: nats.url, JETSTREAM: 'on', NATS_STREAM: 'MARKET' });
  ends.push(() => gateway.stop());
  return gateway;
}

async function open(gateway: TestGateway, path: string): Promise<TestClient> {
  const client = await TestClient.connect(`${gateway.url}${path}${path.includes('?') ? '&' : '?'}token=${token}`);
  ends.push(() => client.close());
  return client;
}

let symbols = 0;
const newSymbol = (): string => `J${++symbols}`;
const quote = (symbol: string, n: number) => ({ symbol, current_price: n });
const trade = (symbol: string, n: number) => ({ symbol, trade_id: n, price: '1', quantity: '1' });

/** The stream's sequence of the last message on a subject. */
async function streamSeq(subject: string): Promise<number> {
  return (await manager.streams.getMessage('MARKET', { last_by_subj: subject })).seq;
}

describe('R3 the stream', () => {
  it('R3 is created under the name of NATS_STREAM with the subjects of the contract', async () => {
    const { config } = await manager.streams.info('MARKET');
    expect(config.subjects).toEqual(['md.>', 'orders.>', 'analytics.>', 'rooms.>']);
  });

  it('R3 R6 numbers what clients get, whatever the publisher’s headers say', async () => {
    const [a, b] = [newSymbol(), newSymbol()];
    publisher.put(`md.quotes.${a}`, quote(a, 1), 'json', { seq: 7, epoch: 'own' });
    publisher.put(`md.trades.${b}`, trade(b, 1), 'msgpack');
    await publisher.settled(one);
    const client = await open(one, `/ws/quotes?symbols=${a}`);
    client.send({ action: 'subscribe', stream: 'trades', symbol: b });
    await client.arrived('subscribed');
    await client.arrived('quotes_patch');
    const first = await streamSeq(`md.quotes.${a}`);
    const before = await streamSeq(`md.trades.${b}`);
    publisher.put(`md.trades.${b}`, trade(b, 2));
    publisher.put(`md.quotes.${a}`, quote(a, 2), 'msgpack', { seq: 7, epoch: 'own' });
    const [snapshot, delta] = await client.arrived('quotes_patch', 2);
    const [executed] = await client.arrived('trade_executed');
    expect(snapshot).toMatchObject({ seqs: { [a]: first } });
    expect(delta).toMatchObject({ prev_seq: first, seq: await streamSeq(`md.quotes.${a}`) });
    expect(executed).toMatchObject({ prev_seq: before, seq: await streamSeq(`md.trades.${b}`) });
    expect(executed?.epoch).toBe(delta?.epoch);
    expect(executed?.epoch).not.toBe('own');
  });

  it('R31 does not stop at an invalid message', async () => {
    const symbol = newSymbol();
    const letters: string[] = [];
    admin.subscribe('deadletter.>', { callback: (_error, message) => letters.push(message.subject) });
    await admin.flush();
    publisher.put(`md.trades.${symbol}`, trade(symbol, 1));
    await publisher.settled(one);
    const client = await open(one, `/ws/trades?symbols=${symbol}`);
    publisher.raw(`md.trades.${symbol}`, 'garbage');
    publisher.put(`md.trades.${symbol}`, trade(symbol, 2));
    expect((await client.arrived('trade_executed'))[0]).toMatchObject({ trade_id: 2 });
    await until(() => letters.includes(`deadletter.md.trades.${symbol}`));
  });
});

describe('R29 two gateways', () => {
  it('R29 say the same: epoch, sequences, messages', async () => {
    const symbol = newSymbol();
    for (let n = 1; n <= 5; n++) {
      publisher.put(`md.quotes.${symbol}`, quote(symbol, n));
      publisher.put(`md.trades.${symbol}`, trade(symbol, n));
    }
    await publisher.settled(one);
    const two = await another();
    const clients = await Promise.all([one, two].map(gateway => open(gateway, `/ws/quotes?symbols=${symbol}`)));
    for (const client of clients) {
      client.send({ action: 'subscribe', stream: 'trades' });
      await client.arrived('subscribed');
      await client.arrived('quotes_patch');
    }
    for (let n = 6; n <= 25; n++) {
      publisher.put(`md.quotes.${symbol}`, quote(symbol, n));
      publisher.put(`md.trades.${symbol}`, trade(symbol, n));
      publisher.put(`md.books.${symbol}`, { symbol, bids: [['1', String(n)]], asks: [], snapshot: true });
    }
    const [first, second] = await Promise.all(
      clients.map(async client => {
        await client.arrived('trade_executed', 20);
        await client.arrived('quotes_patch', 21);
        return { quotes: client.ofType('quotes_patch'), trades: client.ofType('trade_executed') };
      }),
    );
    expect(second).toEqual(first);
    for (const client of clients) expect(new Documents().follow(client).chained).toBe(20 + 19);
  });

  it('R43 have the last values of all subjects when they say that they are ready', async () => {
    const prefix = newSymbol();
    for (let i = 0; i < MANY_SUBJECTS; i++) {
      const symbol = `${prefix}-${i}`;
      publisher.put(`md.quotes.${symbol}`, quote(symbol, 1));
      publisher.put(`md.quotes.${symbol}`, quote(symbol, 2));
    }
    await publisher.settled(one);
    const last = `${prefix}-${MANY_SUBJECTS - 1}`;
    const two = await another();
    const client = await open(two, `/ws/quotes?symbols=${prefix}-0,${last}`);
    const [snapshot] = await client.arrived('quotes_patch');
    expect(client.ofType('warning')).toEqual([]);
    const seqs = {
      [`${prefix}-0`]: await streamSeq(`md.quotes.${prefix}-0`),
      [last]: await streamSeq(`md.quotes.${last}`),
    };
    expect(snapshot).toMatchObject({ snapshot: true, seqs });
    expect(new Documents().follow(client).document.quotes[last]).toEqual(quote(last, 2));
  });

  it('R43 are started by a feed that has brought the last message of every subject', async () => {
    // The program lets nobody in before its feed has started; here is what that promises, without the time it takes.
    const prefix = newSymbol();
    for (let i = 0; i < MANY_SUBJECTS; i++) publisher.put(`md.quotes.${prefix}-${i}`, quote(`${prefix}-${i}`, 1));
    await publisher.settled(one);
    const config = readConfig({ FEED: 'nats', NATS_URL: nats.url, NATS_STREAM: 'MARKET' }).nats;
    const feed = new JetStreamFeed({ config, ...feedOptions('test') });
    ends.push(() => feed.stop());
    const brought = new Set<string>();
    await feed.start({ message: ({ subject }) => brought.add(subject), status: () => {} });
    const missing = Array.from({ length: MANY_SUBJECTS }, (_, i) => `md.quotes.${prefix}-${i}`).filter(
      subject => !brought.has(subject),
    );
    expect(missing).toEqual([]);
  });

  it('R6 take no change for a document: one that starts behind it waits for a whole one', async () => {
    const symbol = newSymbol();
    publisher.put(`md.books.${symbol}`, { symbol, bids: [['1', '1']], asks: [], snapshot: true });
    publisher.put(`md.books.${symbol}`, { symbol, bids: [['2', '2']] });
    await publisher.settled(one);
    const two = await another();
    const client = await open(two, `/ws/markets/${symbol}?depth=10`);
    publisher.put(`md.books.${symbol}`, { symbol, bids: [['3', '3']] });
    publisher.put(`md.books.${symbol}`, { symbol, bids: [['4', '4']], asks: [], snapshot: true });
    const [snapshot] = await client.arrived('depth_patch');
    expect(snapshot).toMatchObject({ snapshot: true, seq: await streamSeq(`md.books.${symbol}`) });
    expect(new Documents().follow(client).books.get(symbol)).toEqual({ bids: { '4': '4' }, asks: {} });
  });
});

describe('R43 an outage', () => {
  it('R43 of the server loses nothing: clients stay, the chain goes on where it was', async () => {
    const symbol = newSymbol();
    publisher.put(`md.trades.${symbol}`, trade(symbol, 0));
    publisher.put(`md.quotes.${symbol}`, quote(symbol, 0));
    await publisher.settled(one);
    const client = await open(one, `/ws/quotes?symbols=${symbol}`);
    client.send({ action: 'subscribe', stream: 'trades', symbol });
    await client.arrived('subscribed');
    await client.arrived('quotes_patch');
    const js = admin.jetstream();
    const put = async (n: number) => {
      await js.publish(`md.trades.${symbol}`, JSON.stringify(trade(symbol, n)));
      await js.publish(`md.quotes.${symbol}`, JSON.stringify({ symbol, current_price: n, partial: true }));
    };
    for (let n = 1; n <= 5; n++) await put(n);
    await client.arrived('trade_executed', 5);
    await nats.kill();
    await until(async () => (await one.metric('millrace_feed_live')) === 0);
    nats = await startNatsServer({ jetstream: true, storeDir, port: nats.port });
    // What is published before the gateway has come back is what must not be missed.
    await until(() => put(6).then(() => true), RECOVERY_TIMEOUT_MS);
    for (let n = 7; n <= 10; n++) await put(n);
    await client.next('last trade', frame => frame.trade_id === 10, RECOVERY_TIMEOUT_MS);
    await client.next('last price', () => {
      return new Documents().follow(client).document.quotes[symbol]?.current_price === 10;
    });
    expect(client.closed).toBeUndefined();
    expect(await one.metric('millrace_feed_reconnects_total')).toBe(1);
    expect(await one.metric('millrace_feed_consumer_recreations_total')).toBe(1);
    const trades = client.ofType('trade_executed');
    expect([...new Set(trades.map(frame => frame.trade_id))]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(new Set(trades.map(frame => frame.epoch)).size).toBe(1);
    expect(client.ofType('gap')).toEqual([]);
    expect(new Documents().follow(client).chained).toBeGreaterThanOrEqual(19);
  });
});
