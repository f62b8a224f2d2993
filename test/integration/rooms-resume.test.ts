/** Rooms, and clients that come back: over two gateways on one NATS, with and without JetStream. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Frame, TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { until } from '../support/until.js';

const clients: TestClient[] = [];

afterEach(async () => {
  await Promise.all(clients.splice(0).map(client => client.close()));
});

async function connect(gateway: TestGateway, path = '/ws', sub = 'alice'): Promise<TestClient> {
  const separator = path.includes('?') ? '&' : '?';
  const client = await TestClient.connect(`${gateway.url}${path}${separator}token=${await testToken({ sub })}`);
  clients.push(client);
  return client;
}

const answer = (client: TestClient, id: string, timeoutMs?: number) =>
  client.next(`answer ${id}`, frame => frame.id === id, timeoutMs);

const trade = (n: number, symbol = 'BTC/USDT') => ({ trade_id: `t${n}`, symbol, price: '1.5', quantity: '2' });

/** Sequences chain without a hole, and everything after the first is there once. */
function expectChained(frames: readonly Frame[], from: number): void {
  let held = from;
  for (const frame of frames) {
    expect(frame.prev_seq).toBe(held);
    held = frame.seq as number;
  }
}

describe.each([
  ['core NATS', 'off'],
  ['JetStream', 'on'],
])('over %s', (_name, jetstream) => {
  let nats: NatsServer;
  let publisher: TestPublisher;
  let first: TestGateway;
  let second: TestGateway;

  beforeAll(async () => {
    nats = await startNatsServer({ jetstream: jetstream === 'on' });
    const env = { NATS_URL: nats.url, JETSTREAM: jetstream, SYMBOLS: '*', WORKERS: '2' };
    first = await startGateway({ ...env, NODE_NAME: 'first' });
    second = await startGateway({ ...env, NODE_NAME: 'second' });
    publisher = await TestPublisher.connect(nats.url);
  });

  afterAll(async () => {
    await publisher.close();
    await Promise.all([first.stop(), second.stop()]);
    await nats.stop();
  });

  it('R26 a room carries messages across gateways, and the publisher is told their place', async () => {
    const [alice, bob] = [await connect(first, '/ws', 'alice'), await connect(second, '/ws', 'bob')];
    for (const client of [alice, bob]) client.send({ action: 'subscribe', stream: 'rooms', room: 'desk-7', id: 'j' });
    expect(await answer(alice, 'j')).toMatchObject({ type: 'subscribed', stream: 'rooms', topics: ['rooms:desk-7'] });
    await answer(bob, 'j');
    alice.send({ action: 'publish', stream: 'rooms', room: 'desk-7', data: { text: 'hello' }, id: 'm1' });
    bob.send({ action: 'publish', stream: 'rooms', room: 'desk-7', data: [1, 'two'], id: 'm2' });
    const ack = await answer(alice, 'm1');
    await Promise.all([alice.arrived('room_message', 2), bob.arrived('room_message', 2)]);
    const mine = alice.ofType('room_message').find(frame => frame.from === 'alice');
    expect(ack).toEqual({ type: 'ack', id: 'm1', topic: 'rooms:desk-7', epoch: mine?.epoch, seq: mine?.seq });
    expect(mine).toMatchObject({ room: 'desk-7', from: 'alice', data: { text: 'hello' } });
    expect(Date.parse(mine?.timestamp as string)).toBeGreaterThan(Date.now() - 60_000);
    const texts = (client: TestClient) => client.ofType('room_message').map(frame => JSON.stringify(frame.data));
    expect(texts(alice)).toEqual(texts(bob));
  });

  it('R26 leaving ends it; a message repeated with its id is published once', async () => {
    const [alice, bob] = [await connect(first), await connect(second, '/ws', 'bob')];
    for (const client of [alice, bob]) client.send({ action: 'subscribe', stream: 'rooms', room: 'lobby', id: 'j' });
    await Promise.all([answer(alice, 'j'), answer(bob, 'j')]);
    bob.send({ action: 'unsubscribe', stream: 'rooms', room: 'lobby', id: 'l' });
    expect(await answer(bob, 'l')).toMatchObject({ type: 'unsubscribed', topics: ['rooms:lobby'] });
    alice.send({ action: 'publish', stream: 'rooms', room: 'lobby', data: 1, id: 'once' });
    alice.send({ action: 'publish', stream: 'rooms', room: 'lobby', data: 1, id: 'once' });
    alice.send({ action: 'publish', stream: 'rooms', room: 'lobby', data: 2, id: 'other' });
    await answer(alice, 'other');
    await alice.arrived('ack', 3);
    const [ack, again] = alice.ofType('ack').filter(frame => frame.id === 'once');
    expect(again).toEqual(ack);
    await alice.arrived('room_message', 2);
    expect(alice.ofType('room_message').map(frame => frame.data)).toEqual([1, 2]);
    expect(bob.ofType('room_message')).toEqual([]);
  });

  it('R26 who may not publish is told so', async () => {
    const anonymous = await TestClient.connect(`${first.url}/ws`);
    clients.push(anonymous);
    anonymous.send({ action: 'publish', stream: 'rooms', room: 'desk-7', data: 1, id: 'a' });
    expect(await answer(anonymous, 'a')).toMatchObject({ type: 'error', code: 'unauthorized' });
    const alice = await connect(first);
    alice.send({ action: 'publish', stream: 'rooms', room: 'a b', data: 1, id: 'b' });
    expect(await answer(alice, 'b')).toMatchObject({ code: 'invalid_message' });
    alice.send({ action: 'publish', stream: 'quotes', room: 'x', data: 1, id: 'c' });
    expect(await answer(alice, 'c')).toMatchObject({ code: 'unknown_stream' });
    alice.send({ action: 'publish', stream: 'rooms', room: 'big', data: 'x'.repeat(300_000), id: 'd' });
    expect(await answer(alice, 'd')).toMatchObject({ code: 'payload_too_large' });
    alice.send({ action: 'publish', stream: 'rooms', room: 'deep', data: [[[[[[[[[1]]]]]]]]], id: 'e' });
    expect(await answer(alice, 'e')).toMatchObject({ code: 'invalid_message' });
  });

  it('R29 who says where it stood gets all that it missed, then goes on live, without hole or double', async () => {
    const before = await connect(first);
    before.send({ action: 'subscribe', stream: 'trades', symbol: 'BTC/USDT', id: 's' });
    const subscribed = await answer(before, 's');
    for (let n = 0; n < 10; n++) publisher.put('md.trades.BTC/USDT', trade(n));
    const seen = await before.arrived('trade_executed', 10);
    expect(subscribed.recovered).toBeUndefined();
    const at = seen[4] as Frame;
    await before.close();
    for (let n = 10; n < 500; n++) publisher.put('md.trades.BTC/USDT', trade(n));

    const back = await connect(first);
    const since = { epoch: at.epoch, seq: at.seq };
    back.send({ action: 'subscribe', stream: 'trades', symbol: 'BTC/USDT', since, id: 'r' });
    // While it is being replayed, more comes.
    for (let n = 500; n < 1500; n++) publisher.put('md.trades.BTC/USDT', trade(n));
    expect(await answer(back, 'r')).toMatchObject({ type: 'subscribed', recovered: true });
    const frames = await back.arrived('trade_executed', 1495, 30_000);
    expect(back.frames.indexOf(frames[0] as Frame)).toBeGreaterThan(back.frames.findIndex(f => f.id === 'r'));
    expect(frames.map(frame => frame.trade_id)).toEqual(Array.from({ length: 1495 }, (_, i) => `t${i + 5}`));
    expectChained(frames, at.seq as number);
  });

  it('R29 a place that cannot be is answered with recovered false, and nothing of the past', async () => {
    const client = await connect(first);
    publisher.put('md.trades.OLD', trade(1, 'OLD'));
    await publisher.settled(first);
    for (const since of [
      { epoch: 'other', seq: 0 },
      { epoch: 'x', seq: -1 },
    ]) {
      client.send({ action: 'subscribe', stream: 'trades', symbol: 'OLD', since, id: 'r' });
      expect(await answer(client, 'r')).toMatchObject({ type: 'subscribed', recovered: false });
      client.frames.length = 0;
    }
    const { epoch } = await position(first, 'OLD');
    client.send({ action: 'subscribe', stream: 'trades', symbol: 'OLD', since: { epoch, seq: 1e9 }, id: 'f' });
    expect(await answer(client, 'f')).toMatchObject({ recovered: false, positions: { 'trades:OLD': { epoch } } });
    publisher.put('md.trades.OLD', trade(2, 'OLD'));
    const [live] = await client.arrived('trade_executed');
    expect(live?.trade_id).toBe('t2');
  });

  it('R29 a snapshot stands for what was missed of a state topic', async () => {
    publisher.put('md.quotes.STATE', { symbol: 'STATE', current_price: 5 });
    await publisher.settled(first);
    const client = await connect(first);
    client.send({ action: 'subscribe', stream: 'quotes', symbol: 'STATE', since: { epoch: 'e', seq: 1 }, id: 'r' });
    expect(await answer(client, 'r')).toMatchObject({ recovered: false });
    expect((await client.arrived('quotes_patch'))[0]).toMatchObject({ snapshot: true });
  });

  it('R29 without since nothing of the past comes', async () => {
    publisher.put('md.trades.PAST', trade(1, 'PAST'));
    await publisher.settled(first);
    const client = await connect(first, '/ws/trades?symbols=PAST');
    publisher.put('md.trades.PAST', trade(2, 'PAST'));
    await client.arrived('trade_executed');
    expect(client.ofType('trade_executed').map(frame => frame.trade_id)).toEqual(['t2']);
  });

  it('R29 several topics of one command are recovered together, or none of them', async () => {
    const client = await connect(first);
    for (const symbol of ['M1', 'M2']) {
      for (let n = 1; n <= 3; n++) publisher.put(`md.trades.${symbol}`, trade(n, symbol));
    }
    await publisher.settled(first);
    const [one, two] = [await position(first, 'M1'), await position(first, 'M2')];
    const symbols = ['M1', 'M2'];
    client.send({ action: 'subscribe', stream: 'trades', symbols, since: { epoch: one.epoch, seq: 1e9 }, id: 'n' });
    expect(await answer(client, 'n')).toMatchObject({ recovered: false, topics: ['trades:M1', 'trades:M2'] });
    const seq = Math.max(one.seq, two.seq);
    client.send({ action: 'subscribe', stream: 'trades', symbols, since: { epoch: one.epoch, seq }, id: 'y' });
    expect(await answer(client, 'y')).toMatchObject({ recovered: true });
    expect(client.ofType('trade_executed')).toEqual([]);
  });

  it('R30 alerts that were missed are delivered after a reconnect, at the other gateway with JetStream', async () => {
    const before = await connect(first, '/ws/analytics');
    before.send({ action: 'subscribe', channels: ['alerts'], id: 's' });
    const { positions } = await answer(before, 's');
    publisher.put('analytics.alerts', { data: 'a1', timestamp: '2026-11-20T22:50:02.316Z' });
    const [seen] = await before.arrived('alert');
    await before.close();
    publisher.put('analytics.alerts', { data: 'a2', timestamp: '2026-11-20T22:50:02.316Z' });
    publisher.put('analytics.alerts', { data: 'a3', timestamp: '2026-11-20T22:50:02.316Z' });
    const gateway = jetstream === 'on' ? second : first;
    await publisher.settled(gateway);
    const back = await connect(gateway, '/ws/analytics');
    const since = { epoch: seen?.epoch, seq: seen?.seq };
    back.send({ action: 'subscribe', channels: ['alerts'], since, id: 'r' });
    expect(await answer(back, 'r')).toMatchObject({ recovered: true });
    const alerts = await back.arrived('alert', 2);
    expect(alerts.map(frame => frame.data)).toEqual(['a2', 'a3']);
    expectChained(alerts, seen?.seq as number);
    expect(positions === undefined || typeof positions === 'object').toBe(true);
  });

  /** Where a trades topic stands, as a newcomer is told. */
  async function position(gateway: TestGateway, symbol: string): Promise<{ epoch: string; seq: number }> {
    const client = await connect(gateway);
    client.send({ action: 'subscribe', stream: 'trades', symbol, id: 'p' });
    const { positions } = await answer(client, 'p');
    return (positions as Record<string, { epoch: string; seq: number }>)[`trades:${symbol}`] ?? { epoch: '', seq: 0 };
  }
});

describe('over JetStream', () => {
  it(
    'R29 R46 a client resumes at another gateway when its own was killed, under load and beyond its memory',
    {
      tags: ['slow'],
    },
    async () => {
      const nats = await startNatsServer({ jetstream: true });
      // The history of the second holds a few hundred messages only: the rest comes from the stream.
      const env = { NATS_URL: nats.url, JETSTREAM: 'on', SYMBOLS: '*', HISTORY_BYTES: '64KiB' };
      const [first, second] = [await startGateway(env), await startGateway(env)];
      const publisher = await TestPublisher.connect(nats.url);
      let published = 0;
      // So that a slow machine is not asked for more and more: each round may be this far ahead of its beginning.
      const AHEAD_MAX = 2000;
      let publishedMax = 0;
      const timer = setInterval(() => {
        for (let i = 0; i < 20 && published < publishedMax; i++) {
          publisher.put('md.trades.LOAD', trade(published, 'LOAD'));
          publisher.put('orders.alice', { action: 'created', order_id: `o${published++}` });
        }
      }, 5);
      const collected = { trades: [] as Frame[], orders: [] as Frame[] };
      try {
        let gateway = first;
        let since: { trades?: object; orders?: object } = {};
        for (let round = 0; round < 6; round++) {
          const client = await connect(gateway);
          publishedMax = published + AHEAD_MAX;
          client.send({ action: 'subscribe', stream: 'trades', symbol: 'LOAD', since: since.trades, id: 't' });
          client.send({ action: 'subscribe', stream: 'orders', since: since.orders, id: 'o' });
          for (const id of ['t', 'o']) {
            const subscribed = await answer(client, id, 20_000);
            if (round > 0) expect(subscribed).toMatchObject({ type: 'subscribed', recovered: true });
          }
          publishedMax = published + AHEAD_MAX;
          await client.arrived('trade_executed', 200, 30_000);
          await client.arrived('order_update', 200, 30_000);
          if (round === 2) await first.stop('SIGKILL');
          else client.socket.terminate();
          await until(() => client.closed !== undefined);
          collected.trades.push(...client.ofType('trade_executed'));
          collected.orders.push(...client.ofType('order_update'));
          const [trades, orders] = [collected.trades.at(-1), collected.orders.at(-1)];
          since = {
            trades: { epoch: trades?.epoch, seq: trades?.seq },
            orders: { epoch: orders?.epoch, seq: orders?.seq },
          };
          gateway = round >= 2 ? second : first;
          // So much more happens that the memory of the gateway does not reach back.
          const now = published;
          publishedMax = now + AHEAD_MAX;
          await until(() => published >= now + 300, 30_000);
        }
        const last = await connect(gateway);
        last.send({ action: 'subscribe', stream: 'trades', symbol: 'LOAD', since: since.trades, id: 't' });
        const now = published;
        publishedMax = now + AHEAD_MAX;
        await until(() => published >= now + 300, 30_000);
        clearInterval(timer);
        const missing =
          published - collected.trades.length - Number((collected.trades[0]?.trade_id as string).slice(1));
        await last.arrived('trade_executed', missing, 30_000);
        collected.trades.push(...last.ofType('trade_executed'));
      } finally {
        clearInterval(timer);
        await Promise.all([publisher.close(), second.stop(), first.stop()]);
        await nats.stop();
      }
      for (const [frames, name] of [
        [collected.trades, (frame: Frame) => Number((frame.trade_id as string).slice(1))],
        [collected.orders, (frame: Frame) => Number((frame.order_id as string).slice(1))],
      ] as const) {
        const numbers = frames.map(name);
        expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => (numbers[0] as number) + i));
        expectChained(frames.slice(1), frames[0]?.seq as number);
      }
      expect(collected.orders.length).toBeGreaterThan(1000);
    },
  );
});
