/** The scenarios of the trading-updates document, by their names there (3 of 3): errors and operation. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Frame, refusedUpgrade } from '../support/client.js';
import { startNatsServer } from '../support/nats-server.js';
import { OneThreadGateway } from '../support/one-thread.js';
import { OneThreadFeed } from '../support/one-thread-feed.js';
import { TestPublisher } from '../support/publisher.js';
import { TradingDesk, trade } from '../support/trading-desk.js';
import { until } from '../support/until.js';

let desk: TradingDesk;

beforeAll(async () => {
  desk = await TradingDesk.open();
});

afterEach(() => desk.endTest());

afterAll(() => desk?.close());

describe('errors', () => {
  it('R37 InvalidSubscriptionMessage: each is answered by what is wrong with it, and the connection lives on', async () => {
    const symbol = desk.newSymbol();
    const client = await desk.connect('/ws');
    await desk.subscribe(client, 'trades', { symbol });
    client.socket.send('{"action":"subscribe",');
    client.socket.send('["subscribe"]');
    client.socket.send('{"action":7}');
    await client.arrived('error', 3);
    expect(client.ofType('error').map(({ code }) => code)).toEqual([
      'invalid_json',
      'invalid_message',
      'invalid_message',
    ]);
    const subscribe = { action: 'subscribe', stream: 'trades' };
    for (const [command, code] of [
      [{ action: 'subscribed' }, 'unknown_action'],
      [{ ...subscribe, stream: 'news' }, 'unknown_stream'],
      [{ ...subscribe, symbols: 'A,B' }, 'invalid_message'],
      [{ ...subscribe, symbol: 'NOBODY-KNOWS' }, 'invalid_symbol'],
      [{ ...subscribe, stream: 'analytics', channel: 'gossip' }, 'unknown_channel'],
      [{ ...subscribe, stream: 'depth', symbol, depth: 7 }, 'invalid_message'],
      [{ ...subscribe, stream: 'orderbook', symbol, class: 'now' }, 'invalid_message'],
    ] as const) {
      expect(await desk.ask(client, command)).toMatchObject({ type: 'error', code, message: expect.any(String) });
    }
    desk.trade(symbol, 'still here');
    await client.arrived('trade_executed');
    expect(client.closed).toBeUndefined();
  });

  it('R37 SubscribeOrderBookWithoutSymbol: is told that a symbol is missing, and may say it then', async () => {
    const symbol = desk.newSymbol();
    const client = await desk.connect('/ws');
    for (const members of [{}, { symbols: [] }, { depth: 10, stream: 'depth' }]) {
      const answer = await desk.ask(client, { action: 'subscribe', stream: 'orderbook', ...members });
      expect(answer).toMatchObject({ type: 'error', code: 'missing_symbol' });
    }
    for (const path of ['/ws/markets', '/ws/markets/?depth=10']) {
      const { status, body } = await refusedUpgrade(`${desk.gateway.url}${path}`);
      expect([status, body.error?.code]).toEqual([400, 'missing_symbol']);
    }
    expect(await desk.subscribe(client, 'orderbook', { symbol })).toMatchObject({ topics: [`orderbook:${symbol}`] });
  });
});

describe('operation', () => {
  it('R37 GetStats: connections, messages, topics, feed and threads are counted, all threads together', async () => {
    const nats = await startNatsServer();
    desk.atEnd(() => nats.stop());
    const gateway = await desk.gatewayWith({ NATS_URL: nats.url });
    const publisher = await TestPublisher.connect(nats.url);
    desk.atEnd(() => publisher.close());
    const symbol = desk.newSymbol();
    const path = `/ws/trades?symbols=${symbol}`;
    const clients = [await desk.connect(path, {}, gateway), await desk.connect(path, {}, gateway)];
    const leaver = await desk.connect('/ws', {}, gateway);
    await desk.ask(leaver, { action: 'ping' });
    await leaver.close();
    await refusedUpgrade(`${gateway.url}/ws/orders`);
    for (let n = 0; n < 5; n++) publisher.put(`md.trades.${symbol}`, trade(symbol, n));
    publisher.raw(`md.trades.${symbol}`, 'nothing that can be read');
    for (const client of clients) await client.arrived('trade_executed', 5);
    await until(async () => (await desk.stats(gateway)).connections.open === 2);
    await until(async () => (await desk.stats(gateway)).feed.rejected === 1);
    const stats = await desk.stats(gateway);
    expect(stats).toMatchObject({
      feed: { name: 'nats', status: 'live', messages: 6 },
      connections: { open: 2, opened: 3, closed: 1, refused: 1 },
      messages: { received: 1, sent: 10 },
      topics: { followed: 1 },
      workers: { listening: 2, restarts: 0 },
      encoders: { threads: 2, restarts: 0 },
    });
    expect(stats.messages.sent_bytes).toBeGreaterThan(10 * JSON.stringify(trade(symbol, 0)).length);
    expect(stats.topics.views).toBeGreaterThanOrEqual(1);
    expect(stats.uptime_seconds).toBeGreaterThanOrEqual(0);
    await nats.kill();
    await until(async () => (await desk.stats(gateway)).feed.status === 'stale');
  });

  it('R37 PublishChannelFull: beyond the bound nothing grows, lost events are announced, states keep the newest', async () => {
    const { shard, put, fill, received, faults } = await newPipeline();
    let n = 0;
    const putBoth = (count: number) => {
      for (const end = n + count; n < end; ) {
        put('md.trades.A', trade('A', ++n));
        put('md.quotes.A', { symbol: 'A', current_price: n });
      }
    };
    putBoth(1);
    expect(await received()).toEqual({ trades: ['trade_executed 0 to 1'], quotes: ['snapshot at 1'] });

    putBoth(1);
    await fill();
    const { queuedBytes } = shard;
    putBoth(1000);
    expect([shard.eventsDropped, shard.statesSkipped, shard.queuedBytes]).toEqual([1000, 1000, queuedBytes]);
    expect(await received()).toEqual({
      trades: ['trade_executed 1 to 2', 'gap 3 to 1002 overload'],
      quotes: ['quotes_patch 1 to 2 at 2', 'quotes_patch 2 to 1002 at 1002'],
    });

    putBoth(1);
    expect(await received()).toEqual({
      trades: ['trade_executed 1002 to 1003'],
      quotes: ['quotes_patch 1002 to 1003 at 1003'],
    });
    expect([shard.eventsDropped, shard.queuedBytes, faults]).toEqual([1000, 0, []]);
  });

  it('R37 PublishChannelFull: what was held back of changes does not fill the queue beyond its bound', async () => {
    const { shard, put, fill, received, turn } = await newPipeline();
    const change = (n: number, note = '') => put('md.quotes.A', { symbol: 'A', current_price: n, note, partial: true });
    put('md.quotes.A', { symbol: 'A', current_price: 0 });
    // So many that the encoder asks for the changes to be kept.
    for (let n = 1; n <= 200; n++) change(n);
    await received();
    change(201);
    await fill();
    const { queuedBytes } = shard;
    const note = 'x'.repeat(20_000);
    for (let n = 202; n <= 3000; n++) change(n, note);
    expect(shard.queuedBytes).toBe(queuedBytes);
    // The batch at work is done, the full one is begun, and what it had no room for is next.
    await turn();
    expect(shard.queuedBytes).toBeLessThanOrEqual(queuedBytes);
  });
});

/** The real hub, encoder and gateway, with a client that follows trades and quotes of A; the encoder works when told to. */
async function newPipeline() {
  const feed = new OneThreadFeed(false);
  const put = (subject: string, value: object) => feed.put(subject, value);
  const gateway = new OneThreadGateway({
    encoders: 1,
    symbols: ['A'],
    feed,
    historyBytes: 1024,
    backpressureBytes: 1024 * 1024,
    isRefused: () => false,
  });
  desk.atEnd(() => gateway.hub.close());
  const [shard] = gateway.hub.shards;
  if (shard === undefined) throw new Error('there is an encoder');
  const frames: Frame[] = [];
  const socket = gateway.connect({ sub: 'alice', format: 'json', tier: 'institutional' }, bytes => {
    frames.push(JSON.parse(Buffer.from(bytes).toString()) as Frame);
  });
  const loopTurn = () => new Promise(resolve => setImmediate(resolve));
  /** The encoder does a batch, and what it encoded is sent. */
  const turn = async () => {
    gateway.deliverInterest();
    await loopTurn();
    gateway.encode(0);
    await loopTurn();
    gateway.turn();
    gateway.flush();
  };
  /** What came of trades and of quotes, once nothing is on its way any more. */
  const received = async () => {
    for (let quiet = 0; quiet < 3; quiet = gateway.isBusy ? 0 : quiet + 1) await turn();
    const data = frames.splice(0).filter(frame => frame.type !== 'subscribed');
    const [quotes, trades] = [data.filter(isQuote), data.filter(frame => !isQuote(frame))];
    return { trades: trades.map(inShort), quotes: quotes.map(inShort) };
  };
  /** The encoder is at work on what was put last, and comes to no end; what nobody reads fills the queue behind it. */
  const fill = async () => {
    await loopTurn();
    const bulk = { ...trade('BULK', 0), note: 'x'.repeat(200_000) };
    while (!shard.isFull) put('md.trades.BULK', bulk);
  };
  for (const stream of ['trades', 'quotes']) gateway.command(socket, { action: 'subscribe', stream, symbol: 'A' });
  await until(async () => {
    await turn();
    return [...socket.session.subscriptions.values()].filter(({ state }) => state === 'live').length === 2;
  });
  await received();
  return { shard, put, turn, received, fill, faults: gateway.faults };
}

const isQuote = (frame: Frame) => frame.type === 'quotes_patch';

/** Type, place and, of a gap, its reason, of a quote, its price. */
function inShort(frame: Frame): string {
  const { type, from, prev_seq: before = from, to, seq = to, reason = '' } = frame;
  if (!isQuote(frame)) return `${type} ${before} to ${seq} ${reason}`.trimEnd();
  const [operation] = frame.operations as { value: unknown }[];
  if (frame.snapshot === true)
    return `snapshot at ${(operation?.value as { current_price?: unknown } | undefined)?.current_price}`;
  return `${type} ${before} to ${seq} at ${operation?.value}`;
}
