/** What a gateway says of itself: where silent topics stand, how the feed is doing, and that it goes away. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type WebSocket from 'ws';
import { type Frame, refusedUpgrade, TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { TcpGate } from '../support/tcp-gate.js';
import { until } from '../support/until.js';

const INTERVAL_MS = 200;
const RECONNECT_TIMEOUT_MS = 30_000;
const WORKER_DEATH = new URL('../support/worker-death.mjs', import.meta.url).href;

/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

async function open(url: string): Promise<TestClient> {
  const client = await TestClient.connect(url);
  ends.push(() => client.close());
  return client;
}

async function connect(gateway: TestGateway, path = '/ws', sub = 'alice'): Promise<TestClient> {
  const separator = path.includes('?') ? '&' : '?';
  return open(`${gateway.url}${path}${separator}token=${await testToken({ sub })}`);
}

async function ask(client: TestClient, command: object, id: string): Promise<Frame> {
  client.send({ ...command, id });
  return client.next(`answer ${id}`, frame => frame.id === id);
}

const quote = (symbol: string, n: number) => ({ symbol, current_price: n });
const trade = (symbol: string, n: number) => ({ symbol, trade_id: n, price: '1.5', quantity: '2' });
const book = (symbol: string, n: number) => ({ symbol, bids: [[`${n}`, '1']], asks: [], snapshot: true });

const heartbeatsOf = (client: TestClient, topic: string) => client.heartbeats.filter(frame => frame.topic === topic);

describe.each([
  ['core NATS', 'off'],
  ['JetStream', 'on'],
])('R6 R29 R43 heartbeats over %s', (_name, jetstream) => {
  let nats: NatsServer;
  let publisher: TestPublisher;
  let gateway: TestGateway;

  beforeAll(async () => {
    nats = await startNatsServer({ jetstream: jetstream === 'on' });
    const env = { NATS_URL: nats.url, JETSTREAM: jetstream, SYMBOLS: '*', WORKERS: '2' };
    gateway = await startGateway({
      ...env,
      HEARTBEAT_INTERVAL: `${INTERVAL_MS}ms`,
      HEARTBEAT_INTERVAL_MAX: `${INTERVAL_MS}ms`,
    });
    publisher = await TestPublisher.connect(nats.url);
  });

  afterAll(async () => {
    await publisher.close();
    await gateway.stop();
    await nats.stop();
  });

  it.each(['realtime', '16ms', '100ms', '1000ms'])(
    'R6 R29 R43 a silent state topic of class %s says where its last frame left it',
    async rateClass => {
      const symbol = `S-${rateClass}`;
      publisher.put(`md.quotes.${symbol}`, quote(symbol, 0));
      publisher.put(`md.books.${symbol}`, book(symbol, 1));
      await publisher.settled(gateway);
      const client = await connect(gateway, `/ws?class=${rateClass}`);
      const topics = ['quotes', 'orderbook', 'depth'].map(stream => `${stream}:${symbol}`);
      const places = heldPlaces(client);
      for (const stream of ['quotes', 'orderbook', 'depth']) {
        await ask(client, { action: 'subscribe', stream, symbol }, stream);
      }
      const twoOfEach = () => until(() => topics.every(topic => heartbeatsOf(client, topic).length >= 2));
      await twoOfEach();
      for (let n = 2; n < 12; n++) {
        publisher.put(`md.quotes.${symbol}`, quote(symbol, n));
        publisher.put(`md.books.${symbol}`, book(symbol, n));
      }
      // The last of them has come; with it, what heartbeats are to say.
      await client.next('last price', frame => JSON.stringify(frame).includes('"value":11'));
      await client.next('last book', frame => frame.best_bid === '11');
      client.heartbeats.length = 0;
      await twoOfEach();
      expect(places.wrong).toEqual([]);
      expect(places.checked).toBeGreaterThanOrEqual(12);
      const [last] = heartbeatsOf(client, `quotes:${symbol}`).slice(-1);
      expect(last).toEqual({ type: 'heartbeat', topic: `quotes:${symbol}`, epoch: last?.epoch, seq: last?.seq });
      // With JetStream seq is the stream's, which leaves numbers out.
      if (jetstream === 'off') expect(last?.seq).toBe(11);
    },
  );

  it('R6 R29 R43 silent event topics say where they stand, in each format', async () => {
    publisher.put('md.trades.EV', trade('EV', 0));
    await publisher.settled(gateway);
    for (const format of ['json', 'msgpack']) {
      const sub = `user-${format}`;
      const client = await connect(gateway, `/ws?format=${format}`, sub);
      const subscribed = [
        await ask(client, { action: 'subscribe', stream: 'trades', symbol: 'EV' }, 't'),
        await ask(client, { action: 'subscribe', stream: 'orders' }, 'o'),
        await ask(client, { action: 'subscribe', channels: ['alerts'] }, 'a'),
        await ask(client, { action: 'subscribe', stream: 'rooms', room: format }, 'r'),
      ];
      const topics = ['trades:EV', `orders:${sub}`, 'analytics:alerts', `rooms:${format}`];
      const positions = Object.assign({}, ...subscribed.map(frame => frame.positions)) as Record<string, object>;
      // Before anything is published, they stand where `subscribed` said.
      const told = Object.keys(positions);
      expect(told).toContain('trades:EV');
      await until(() => told.every(topic => heartbeatsOf(client, topic).length >= 2));
      for (const topic of told) expect(heartbeatsOf(client, topic)[0]).toMatchObject(positions[topic] as object);

      publisher.put('md.trades.EV', trade('EV', 1));
      publisher.put(`orders.${sub}`, { action: 'created', order_id: 'o1' });
      publisher.put('analytics.alerts', { data: 'x', timestamp: '2026-11-20T22:50:02.316Z' });
      client.send({ action: 'publish', stream: 'rooms', room: format, data: 1, id: 'm' });
      const frames = [
        await client.next('trade', frame => frame.trade_id === 1),
        await client.next('order', frame => frame.order_id === 'o1'),
        await client.next('alert', frame => frame.channel === 'alerts'),
        await client.next('room message', frame => frame.type === 'room_message'),
      ];
      client.heartbeats.length = 0;
      await until(() => topics.every(topic => heartbeatsOf(client, topic).length >= 2));
      topics.forEach((topic, i) => {
        const { epoch, seq } = frames[i] as Frame;
        for (const heartbeat of heartbeatsOf(client, topic)) expect(heartbeat).toMatchObject({ epoch, seq });
      });
    }
  });

  it('R6 R29 R43 a busy topic, one without data and the trades of all symbols have none', async () => {
    for (const symbol of ['BUSY', 'IDLE']) {
      publisher.put(`md.quotes.${symbol}`, quote(symbol, 0));
      publisher.put(`md.trades.${symbol}`, trade(symbol, 0));
    }
    await publisher.settled(gateway);
    const client = await connect(gateway);
    const all = await connect(gateway, '/ws/trades');
    let n = 0;
    const timer = setInterval(() => {
      publisher.put('md.quotes.BUSY', quote('BUSY', ++n));
      publisher.put('md.trades.BUSY', trade('BUSY', n));
    }, INTERVAL_MS / 10);
    ends.push(async () => clearInterval(timer));
    await until(() => n > 2);
    await ask(client, { action: 'subscribe', stream: 'quotes', symbols: ['BUSY', 'IDLE', 'NODATA'] }, 'q');
    await ask(client, { action: 'subscribe', stream: 'depth', symbol: 'NODATA' }, 'd');
    await ask(client, { action: 'subscribe', stream: 'trades', symbols: ['BUSY', 'IDLE'] }, 't');
    // On a busy machine the market may itself fall silent for an interval: then another eight are looked at.
    const topics = await until(
      async () => {
        client.heartbeats.length = 0;
        all.heartbeats.length = 0;
        await until(() => heartbeatsOf(client, 'quotes:IDLE').length >= 8);
        const seen = [...new Set(client.heartbeats.map(frame => frame.topic))].toSorted();
        return seen.join() === 'quotes:IDLE,trades:IDLE' && all.heartbeats.length === 0 ? seen : undefined;
      },
      45_000,
      'eight heartbeats of what is idle, and none of what is busy',
    );
    expect(topics).toEqual(['quotes:IDLE', 'trades:IDLE']);
    clearInterval(timer);
    await until(() => heartbeatsOf(client, 'trades:BUSY').length >= 2);
    expect(all.ofType('trade_executed').length).toBeGreaterThan(8);
  });

  it('R6 R29 R43 they come once an interval, and end with the topic', async () => {
    publisher.put('md.quotes.RATE', quote('RATE', 0));
    await publisher.settled(gateway);
    const startMs = performance.now();
    const client = await connect(gateway, '/ws/quotes?symbols=RATE');
    await until(() => client.heartbeats.length >= 11);
    // The first comes within an interval, the others each an interval later; `until` bounds how much later.
    expect((performance.now() - startMs) / 10).toBeGreaterThan(0.9 * INTERVAL_MS);
    const other = await connect(gateway, '/ws/quotes?symbols=RATE');
    await ask(client, { action: 'unsubscribe', stream: 'quotes', symbol: 'RATE' }, 'u');
    client.heartbeats.length = 0;
    await until(() => other.heartbeats.length >= 4);
    expect(client.heartbeats).toEqual([]);
  });
});

/** Compares every heartbeat with the newest data frame of its topic that came before it. */
function heldPlaces(client: TestClient): { checked: number; readonly wrong: Frame[] } {
  const held = new Map<string, { epoch: unknown; seq: unknown }>();
  const result = { checked: 0, wrong: [] as Frame[] };
  const streams: Record<string, string> = {
    orderbook_update: 'orderbook',
    depth_patch: 'depth',
    quotes_patch: 'quotes',
  };
  client.socket.on('message', (data: WebSocket.RawData) => {
    const frame = JSON.parse(data.toString()) as Frame;
    const stream = streams[frame.type as string];
    if (frame.type === 'heartbeat') {
      const { epoch, seq } = held.get(frame.topic as string) ?? {};
      result.checked++;
      if (frame.epoch !== epoch || frame.seq !== seq) result.wrong.push(frame);
    } else if (frame.seqs !== undefined) {
      for (const [symbol, seq] of Object.entries(frame.seqs as object))
        held.set(`quotes:${symbol}`, { epoch: frame.epoch, seq });
    } else if (stream !== undefined) {
      held.set(`${stream}:${frame.symbol}`, { epoch: frame.epoch, seq: frame.seq });
    }
  });
  return result;
}

describe.each([
  ['core NATS', 'off'],
  ['JetStream', 'on'],
])('R43 status over %s', (_name, jetstream) => {
  it('R43 stale and live are told on every change, and stale to who connects meanwhile, behind the first answer', async () => {
    const storeDir = await mkdtemp(join(tmpdir(), 'millrace-status-'));
    ends.push(() => rm(storeDir, { recursive: true }));
    const nats = await startNatsServer({ jetstream: jetstream === 'on', storeDir });
    ends.push(() => nats.stop());
    const env = { NATS_URL: nats.url, JETSTREAM: jetstream, SYMBOLS: '*', WORKERS: '2' };
    const gateway = await startGateway(env);
    ends.push(() => gateway.stop());
    const publisher = await TestPublisher.connect(nats.url);
    for (const symbol of ['A', 'B', 'C']) {
      publisher.put(`md.quotes.${symbol}`, quote(symbol, 1));
      publisher.put(`md.books.${symbol}`, book(symbol, 1));
    }
    await publisher.settled(gateway);
    await publisher.close();
    const before = [
      await connect(gateway, '/ws/quotes?symbols=A'),
      await connect(gateway, '/ws?format=msgpack'),
      await open(`${gateway.url}/ws/trades`),
    ];
    await before[0]?.arrived('quotes_patch');
    const stoppedAtMs = Date.now();
    await nats.kill();
    for (const client of before) {
      const [status] = await client.arrived('status');
      expect(status).toMatchObject({ feed: 'stale' });
      expect(Date.parse(status?.since as string)).toBeGreaterThanOrEqual(stoppedAtMs - 1_000);
      expect(Date.parse(status?.since as string)).toBeLessThanOrEqual(Date.now());
    }
    const [stale] = (before[0] as TestClient).ofType('status');

    // Lanes that are there already, and lanes that have to be made first.
    const meanwhile = [
      await connect(gateway, '/ws/quotes?symbols=A'),
      await connect(gateway, '/ws/quotes?symbols=B,C,NOBODY&format=msgpack'),
      await connect(gateway, '/ws/markets/B'),
      await connect(gateway, '/ws/markets/C?depth=10'),
      await connect(gateway, '/ws/markets/NODATA'),
      await connect(gateway),
    ];
    const first = [['quotes_patch'], ['quotes_patch'], ['orderbook_update'], ['depth_patch'], [], []];
    const expected = first.map(types => [...types, 'status']);
    await until(() => meanwhile.every(({ frames }, i) => frames.length >= (expected[i] as string[]).length));
    expect(meanwhile.map(({ frames }) => frames.map(frame => frame.type))).toEqual(expected);
    for (const client of meanwhile) expect(client.ofType('status')).toEqual([stale]);

    const again = await startNatsServer({ port: nats.port, jetstream: jetstream === 'on', storeDir });
    ends.push(() => again.stop());
    for (const client of [...before, ...meanwhile]) {
      const [, live, ...more] = await client.arrived('status', 2, RECONNECT_TIMEOUT_MS);
      expect(live).toMatchObject({ feed: 'live' });
      expect(Date.parse(live?.since as string)).toBeGreaterThanOrEqual(Date.parse(stale?.since as string));
      expect(more).toEqual([]);
    }
    const after = await connect(gateway, '/ws/quotes?symbols=A');
    await ask(after, { action: 'ping' }, 'p');
    expect(after.ofType('status')).toEqual([]);
  });
});

describe('R46 going away', () => {
  const DRAIN_TIMEOUT_MS = 20_000;
  /** Where the closes are spread, no client waits longer. */
  const RECONNECT_JITTER_MS = 1_000;

  async function pairOfGateways(env: Record<string, string> = {}) {
    const nats = await startNatsServer();
    ends.push(() => nats.stop());
    const all = { NATS_URL: nats.url, WORKERS: '2', SYMBOLS: '*', DRAIN_TIMEOUT: '20s', ...env };
    const [first, second] = await Promise.all([
      startGateway({ ...all, NODE_NAME: 'first' }),
      startGateway({ ...all, NODE_NAME: 'second' }),
    ]);
    ends.push(() => first.stop());
    ends.push(() => second.stop());
    const publisher = await TestPublisher.connect(nats.url);
    ends.push(() => publisher.close());
    const order = async (payload: string) => {
      publisher.nats.publish('control.drain', payload);
      await publisher.nats.flush();
    };
    return { nats, first, second, order };
  }

  /** Each is told when to come back, within that time and not all at the same time, and then closed. */
  async function expectToldAndClosed(clients: readonly TestClient[], withinMs: number): Promise<void> {
    await until(() => clients.every(client => client.closed !== undefined));
    expect(clients.map(client => client.closed?.code)).toEqual(clients.map(() => 1001));
    const delays = clients.map(client => {
      const last = client.frames.at(-1);
      expect(last).toEqual({ type: 'going_away', reconnect_after_ms: expect.any(Number) });
      return last?.reconnect_after_ms as number;
    });
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...delays)).toBeLessThanOrEqual(withinMs);
    expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan(withinMs / 4);
    expect(new Set(delays).size).toBeGreaterThan(delays.length / 2);
  }

  const ready = async (gateway: TestGateway) => {
    const response = await fetch(`${gateway.adminUrl}/readyz`);
    return { status: response.status, ...((await response.json()) as object) };
  };

  it.each([
    ['SIGTERM', RECONNECT_JITTER_MS],
    ['SIGINT', DRAIN_TIMEOUT_MS],
  ] as const)(
    'R46 %s tells each client when to come back, within %i ms, and closes with 1001',
    async (signal, withinMs) => {
      const gateway = await startGateway({ WORKERS: '2', DRAIN_TIMEOUT: '20s', SIM_RATE: '100' });
      const clients = await Promise.all(
        Array.from({ length: 30 }, (_, i) =>
          connect(gateway, `/ws/quotes?symbols=AAPL&format=${i % 2 === 0 ? 'json' : 'msgpack'}`),
        ),
      );
      const exitCode = gateway.stop(signal);
      await expectToldAndClosed(clients, withinMs);
      expect(await exitCode).toBe(0);
    },
  );

  it('R46 control.drain empties the node that it names, and no other', async () => {
    const { first, second, order } = await pairOfGateways();
    const clients = await Promise.all(Array.from({ length: 30 }, () => connect(first)));
    const other = await connect(second);
    await order('{"node":"first"}');
    await expectToldAndClosed(clients, RECONNECT_JITTER_MS);
    expect(await ready(first)).toEqual({ status: 503, ready: false, missing: ['draining'] });
    expect((await fetch(`${first.adminUrl}/healthz`)).status).toBe(200);
    for (let i = 0; i < 6; i++) {
      const refused = await refusedUpgrade(`${first.url}/ws`);
      expect(refused).toMatchObject({ status: 503, body: { error: { code: 'unavailable' } } });
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    }
    expect(await first.metric('millrace_connections_open')).toBe(0);
    expect(await first.metric('millrace_closes_total{code="1001"}')).toBe(30);
    expect(await ready(second)).toMatchObject({ status: 200, ready: true });
    expect(await ask(other, { action: 'ping' }, 'p')).toMatchObject({ type: 'pong' });
    await connect(second);
  });

  it('R46 an order to drain that is none, or names another node, changes nothing', async () => {
    const { first, second, order } = await pairOfGateways();
    const clients = [await connect(first), await connect(second)];
    for (const payload of ['', 'first', '{}', '{"node":"third"}', '{"node":["first"]}', '["first"]', 'null']) {
      await order(payload);
    }
    const ignored = (gateway: TestGateway) => gateway.log().match(/order ignored/g)?.length ?? 0;
    await until(() => ignored(first) >= 3 && ignored(second) >= 3);
    for (const client of clients) expect(await ask(client, { action: 'ping' }, 'p')).toMatchObject({ type: 'pong' });
    for (const gateway of [first, second]) expect(await ready(gateway)).toMatchObject({ status: 200 });
  });

  it('R45 R46 a worker that is replaced while its node drains lets nobody in', async () => {
    const { first, order } = await pairOfGateways({ WORKERS: '1', NODE_OPTIONS: `--import ${WORKER_DEATH}` });
    const client = await connect(first);
    await order('{"node":"first"}');
    await until(() => client.closed !== undefined);
    process.kill(first.pid, 'SIGUSR2');
    // From its first moment on.
    const answers: string[] = [];
    await until(async () => {
      const answer = await refusedUpgrade(`${first.url}/ws`).then(
        ({ status }) => String(status),
        (cause: Error) => cause.message,
      );
      if (!/ECONN|socket hang up/.test(answer)) answers.push(answer);
      return answers.length >= 20 && (await first.metric('millrace_worker_restarts_total')) === 1;
    });
    expect(new Set(answers)).toEqual(new Set(['503']));
    expect(await ready(first)).toMatchObject({ status: 503 });
  });

  it('R46 who is being let in when the order comes is sent elsewhere', async () => {
    const nats = await startNatsServer();
    ends.push(() => nats.stop());
    // Behind the gate the gateway hears of the order, and waits in vain for the server to confirm its subscription.
    const gate = await TcpGate.open(nats.port);
    ends.push(() => gate.close());
    const gateway = await startGateway({ NATS_URL: `nats://127.0.0.1:${gate.port}`, WORKERS: '1', NODE_NAME: 'gated' });
    ends.push(() => gateway.stop());
    const publisher = await TestPublisher.connect(nats.url);
    ends.push(() => publisher.close());
    gate.holdClients();
    const attempt = refusedUpgrade(`${gateway.url}/ws/orders?token=${await testToken()}`);
    await until(async () => (await gateway.metric('millrace_views')) === 1);
    publisher.nats.publish('control.drain', '{"node":"gated"}');
    expect((await attempt).status).toBe(503);
    expect(await gateway.metric('millrace_connections_open')).toBe(0);
  });
});
