/** What is shared among users: no kind of event, no user and nobody without a credential takes the places of others. */
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type Frame, refusedUpgrade, TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { until } from '../support/until.js';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

async function gatewayWith(env: Record<string, string>): Promise<TestGateway> {
  const gateway = await startGateway({ ENCODERS: '1', ...env });
  ends.push(async () => {
    expect(gateway.log()).not.toMatch(/"level":(50|60)/);
    expect(await gateway.stop()).toBe(0);
  });
  return gateway;
}

async function onNats(env: Record<string, string>): Promise<{ gateway: TestGateway; publisher: TestPublisher }> {
  const nats = await startNatsServer();
  ends.push(() => nats.stop());
  const gateway = await gatewayWith({ NATS_URL: nats.url, ...env });
  const publisher = await TestPublisher.connect(nats.url);
  ends.push(() => publisher.close());
  return { gateway, publisher };
}

async function open(gateway: TestGateway, sub = '', tier: 'retail' | 'institutional' = 'retail', more = '') {
  const token = sub === '' ? '' : `token=${await testToken({ sub, tier })}`;
  const client = await TestClient.connect(`${gateway.url}/ws?${token}${more}`);
  ends.push(() => client.close());
  return client;
}

const answer = (client: TestClient, id: string) => client.next(`answer ${id}`, frame => frame.id === id);

async function ask(client: TestClient, command: object, id: string): Promise<Frame> {
  client.send({ ...command, id });
  return answer(client, id);
}

const publish = (client: TestClient, room: string, data: unknown, id: string) =>
  client.send({ action: 'publish', stream: 'rooms', room, data, id });

describe('J6 history', () => {
  it('J6 R41 room messages push nobody’s trades out of the history, however many and long', async () => {
    const { gateway, publisher } = await onNats({
      WORKERS: '2',
      SYMBOLS: 'A',
      HISTORY_BYTES: '1MiB',
      ROOM_BYTES_RATE: '1GiB',
    });
    const trade = (n: number) => publisher.put('md.trades.A', { symbol: 'A', trade_id: n, price: '1', quantity: '1' });
    const victim = await open(gateway, 'victim');
    await ask(victim, { action: 'subscribe', stream: 'trades', symbol: 'A' }, 's');
    for (let n = 0; n < 20; n++) trade(n);
    const [first] = await victim.arrived('trade_executed', 20);
    const attacker = await open(gateway, 'mallory');
    await ask(attacker, { action: 'subscribe', stream: 'rooms', room: 'R' }, 'join');
    // Four times the whole history.
    for (let n = 0; n < 280; n++) publish(attacker, 'R', 'x'.repeat(15_000), `m${n}`);
    await attacker.arrived('ack', 280, 30_000);
    const since = { epoch: first?.epoch, seq: first?.seq };
    const back = await open(gateway, 'victim');
    const resumed = await ask(back, { action: 'subscribe', stream: 'trades', symbol: 'A', since }, 'r');
    expect(resumed).toMatchObject({ type: 'subscribed', recovered: true });
    const trades = await back.arrived('trade_executed', 19);
    expect(trades.map(({ trade_id }) => trade_id)).toEqual(Array.from({ length: 19 }, (_, n) => n + 1));
  });

  it('J6 a user publishes ROOM_BYTES_RATE a second over all its connections and threads; others publish as before', async () => {
    const { gateway } = await onNats({ WORKERS: '2', ROOM_BYTES_RATE: '64KiB' });
    const mallory = await Promise.all(Array.from({ length: 6 }, () => open(gateway, 'mallory')));
    mallory.forEach((client, c) => {
      for (let n = 0; n < 10; n++) publish(client, 'R', 'x'.repeat(8_000), `${c}-${n}`);
    });
    await until(() => mallory.every(client => client.frames.length === 10), 30_000);
    const frames = mallory.flatMap(client => client.frames);
    const refused = frames.filter(({ type }) => type === 'error');
    // 480 kB are seven times what a second takes: in whatever time a slow machine needs, most are refused.
    expect(refused.length).toBeGreaterThan(20);
    expect(frames.filter(({ type }) => type === 'ack').length).toBeGreaterThanOrEqual(8);
    for (const frame of refused) {
      expect(frame).toMatchObject({ code: 'rate_limited' });
      expect(frame.retry_after_ms).toBeGreaterThan(0);
      expect(frame.retry_after_ms).toBeLessThanOrEqual(2000);
    }
    const other = await open(gateway, 'bob');
    publish(other, 'R', 'hello', 'b');
    expect(await answer(other, 'b')).toMatchObject({ type: 'ack' });
    expect(await gateway.metric('millrace_publish_rate_refused_total')).toBe(refused.length);
    // Who waits as long as it was told may publish again.
    const [client] = mallory as [TestClient];
    await new Promise(resolve => setTimeout(resolve, Math.max(...refused.map(frame => Number(frame.retry_after_ms)))));
    publish(client, 'R', 'x'.repeat(8_000), 'again');
    expect(await answer(client, 'again')).toMatchObject({ type: 'ack' });
  });

  it('J6 a room message is at most ROOM_MESSAGE_BYTES_MAX long', async () => {
    const { gateway } = await onNats({ WORKERS: '1' });
    const client = await open(gateway, 'alice');
    publish(client, 'R', 'x'.repeat(16_000), 'fits');
    expect(await answer(client, 'fits')).toMatchObject({ type: 'ack' });
    publish(client, 'R', 'x'.repeat(16_384), 'long');
    expect(await answer(client, 'long')).toMatchObject({ code: 'payload_too_large', message: 'at most 16384 bytes' });
  });
});

describe('J7 topics that clients make', () => {
  it('J7 R41 publishing into new rooms takes no place of a topic that somebody follows, and leaves none behind', async () => {
    const { gateway } = await onNats({ WORKERS: '2', WS_MAX_CLIENT_TOPICS: '50' });
    const sourcesBefore = await gateway.metric('millrace_subjects');
    const flooders = [await open(gateway, 'mallory'), await open(gateway, 'eve')];
    const ROOMS = 300;
    flooders.forEach((client, c) => {
      for (let n = 0; n < ROOMS; n++) publish(client, `new-${c}-${n}`, 'x', `m${n}`);
    });
    const answered = (client: TestClient) => client.frames.filter(({ id }) => id !== undefined).length;
    await until(() => flooders.every(client => answered(client) === ROOMS), 30_000, 'every publication is answered');
    for (const frame of flooders.flatMap(client => client.frames)) {
      expect(['ack', 'error rate_limited']).toContain(
        frame.code === undefined ? frame.type : `${frame.type} ${frame.code}`,
      );
    }
    for (const client of flooders) expect(client.ofType('ack').length).toBeGreaterThanOrEqual(100);
    // At most 100 rooms of each wait for another message.
    expect(await gateway.metric('millrace_subjects')).toBeLessThanOrEqual(sourcesBefore + 200);
    const victim = await open(gateway, 'victim');
    for (let n = 0; n < 5; n++) {
      const joined = await ask(victim, { action: 'subscribe', stream: 'rooms', room: `own-${n}` }, `j${n}`);
      expect(joined).toMatchObject({ type: 'subscribed' });
    }
    publish(victim, 'own-0', 'hello', 'p');
    await victim.arrived('room_message');
    await until(async () => (await gateway.metric('millrace_subjects')) === sourcesBefore + 5, 30_000, 'the rooms go');
  });

  it('J7 R41 a user makes at most its share of topics over all connections; others make theirs, and join its rooms', async () => {
    const { gateway } = await onNats({ WORKERS: '2', WS_MAX_CLIENT_TOPICS: '100' });
    const [first, second, victim] = [
      await open(gateway, 'mallory'),
      await open(gateway, 'mallory'),
      await open(gateway, 'victim'),
    ];
    const rooms = (from: number, count: number) => Array.from({ length: count }, (_, n) => `r${from + n}`);
    first.send({ action: 'subscribe', stream: 'rooms', rooms: rooms(0, 6), id: 'a' });
    await answer(first, 'a');
    second.send({ action: 'subscribe', stream: 'rooms', rooms: rooms(6, 6), id: 'b' });
    // A tenth of all: the eleventh and twelfth are refused, by name.
    await second.arrived('error', 2);
    expect(second.ofType('error').every(({ code }) => code === 'too_many_subscriptions')).toBe(true);
    expect(await gateway.metric('millrace_topic_shares_refused_total')).toBe(2);
    const joined = await ask(victim, { action: 'subscribe', stream: 'rooms', rooms: rooms(0, 4) }, 'join');
    expect(joined).toMatchObject({ type: 'subscribed', topics: rooms(0, 4).map(room => `rooms:${room}`) });
    const made = await ask(victim, { action: 'subscribe', stream: 'rooms', rooms: rooms(100, 6) }, 'make');
    expect(made).toMatchObject({ type: 'subscribed' });
    expect(victim.ofType('error')).toEqual([]);
    // Rooms that it leaves to others are no longer its own: it may make as many again.
    await ask(first, { action: 'unsubscribe', stream: 'rooms', rooms: rooms(0, 4) }, 'leave');
    await until(async () => {
      const id = `again ${second.frames.length}`;
      return (
        (await ask(second, { action: 'subscribe', stream: 'rooms', rooms: rooms(200, 4) }, id)).type === 'subscribed'
      );
    });
    publish(second, 'r200', 'hello', 'p');
    await second.next('own message', frame => frame.type === 'room_message' && frame.room === 'r200');
  });
});

describe('P3 J7 a user whose share of topics is used up', () => {
  it('P3 J7 R41 gets 429 from an endpoint, at which a proxy takes no gateway away from others', async () => {
    const limits = { WS_MAX_CLIENT_TOPICS: '4', WS_MAX_CLIENT_TOPICS_PER_USER: '2' };
    const { gateway } = await onNats({ WORKERS: '1', SYMBOLS: 'S/*', ...limits });
    const trades = async (sub: string, ...symbols: string[]) => {
      const token = await testToken({ sub });
      return `${gateway.url}/ws/trades?symbols=${symbols.join(',')}&token=${token}`;
    };
    const full = await TestClient.connect(await trades('mallory', 'S/1', 'S/2'));
    ends.push(() => full.close());
    const refused = await refusedUpgrade(await trades('mallory', 'S/3'));
    expect(refused).toMatchObject({ status: 429, body: { error: { code: 'too_many_subscriptions' } } });
    expect(refused.body.error?.message).toContain('your share of topics is used up');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    const other = await TestClient.connect(await trades('victim', 'S/4', 'S/5'));
    ends.push(() => other.close());
    // Beyond what all users may have, another gateway may have room.
    const beyond = await refusedUpgrade(await trades('eve', 'S/6'));
    expect(beyond).toMatchObject({ status: 503, body: { error: { code: 'unavailable' } } });
  });
});

describe('J8 connections without a credential', () => {
  it('J8 R41 are refused with 401 where a source of credentials is set, unless AUTH_ANONYMOUS=on', async () => {
    const gateway = await gatewayWith({ WORKERS: '1', AUTH_ANONYMOUS: '' });
    for (const path of ['/ws', '/ws/trades', '/ws/markets/SIM-1']) {
      const refused = await refusedUpgrade(`${gateway.url}${path}`);
      expect(refused).toMatchObject({ status: 401, body: { error: { code: 'unauthorized' } } });
      expect(refused.body.error?.message).toMatch(/credential|token or an API key is required/);
    }
    await open(gateway, 'alice');
    const open2 = await gatewayWith({ WORKERS: '1', AUTH_ANONYMOUS: 'on' });
    await open(open2);
    const dev = await gatewayWith({ WORKERS: '1', AUTH_ANONYMOUS: '', AUTH_JWT_SECRET: '' });
    await open(dev);
    const closed = await gatewayWith({ WORKERS: '1', AUTH_ANONYMOUS: 'off', AUTH_JWT_SECRET: '' });
    expect((await refusedUpgrade(`${closed.url}/ws`)).status).toBe(401);
  });

  it('J8 R41 take no places that are kept: for credentials, and of these for institutional users', async () => {
    const gateway = await gatewayWith({
      WORKERS: '2',
      WS_MAX_CONNECTIONS: '10',
      WS_RESERVED_CREDENTIALS: '4',
      WS_RESERVED_INSTITUTIONAL: '2',
    });
    const refused = async (sub: string, tier: 'retail' | 'institutional') => {
      const token = sub === '' ? '' : `token=${await testToken({ sub, tier })}`;
      return refusedUpgrade(`${gateway.url}/ws?${token}`);
    };
    for (let n = 0; n < 6; n++) await open(gateway);
    const anonymous = await refused('', 'retail');
    expect(anonymous).toMatchObject({ status: 503, body: { error: { code: 'unavailable' } } });
    expect(Number(anonymous.headers['retry-after'])).toBeGreaterThan(0);
    const retail = [await open(gateway, 'r1'), await open(gateway, 'r2')];
    expect((await refused('r3', 'retail')).status).toBe(503);
    await open(gateway, 'i1', 'institutional');
    await open(gateway, 'i2', 'institutional');
    expect((await refused('i3', 'institutional')).status).toBe(503);
    expect(await gateway.metric('millrace_connections_limited_total{limit="reserved"}')).toBe(2);
    expect(await gateway.metric('millrace_connections_limited_total{limit="connections"}')).toBe(1);
    // A place that is given back is taken by whom it may be.
    await retail[0]?.close();
    await until(async () => (await gateway.metric('millrace_connections_open')) === 9);
    expect((await refused('', 'retail')).status).toBe(503);
    await open(gateway, 'r3');
  });

  it('J8 are at most WS_MAX_ANONYMOUS; one that gives a credential is none any more', async () => {
    const gateway = await gatewayWith({ WORKERS: '2', WS_MAX_ANONYMOUS: '2' });
    const first = await open(gateway);
    await open(gateway);
    expect((await refusedUpgrade(`${gateway.url}/ws`)).status).toBe(503);
    await open(gateway, 'alice');
    expect(await gateway.metric('millrace_connections_limited_total{limit="anonymous"}')).toBe(1);
    expect(await ask(first, { action: 'auth', token: await testToken({ sub: 'bob' }) }, 'a')).toMatchObject({
      type: 'ack',
    });
    await open(gateway);
    expect((await refusedUpgrade(`${gateway.url}/ws`)).status).toBe(503);
  });
});

describe('J8 what waits for all sockets together', () => {
  /** A client that subscribes to a flood and never reads again. */
  async function silent(gateway: TestGateway, query: string): Promise<{ readonly isEnded: () => boolean }> {
    const { port, hostname } = new URL(gateway.url);
    const socket = connectTcp({ port: Number(port), host: hostname });
    let isEnded = false;
    socket.on('error', () => {});
    socket.on('close', () => {
      isEnded = true;
    });
    ends.push(async () => socket.destroy());
    await once(socket, 'connect');
    const head = ['Host: a', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
    socket.write(
      `GET /ws/trades?${query} HTTP/1.1\r\n${head.join('\r\n')}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    );
    await once(socket, 'data');
    socket.pause();
    return { isEnded: () => isEnded };
  }

  it('J8 R41 is bounded by WS_MAX_BUFFERED_TOTAL: the worst and anonymous go first, and who reads misses nothing', async () => {
    const LIMIT_BYTES = 4 * 1024 * 1024;
    const { gateway, publisher } = await onNats({
      WORKERS: '1',
      SYMBOLS: 'A',
      WS_MAX_BUFFERED_TOTAL: String(LIMIT_BYTES),
      WS_MAX_BACKPRESSURE: '1MiB',
      WS_CIRCUIT_BREAKER_RECOVERY: '10m',
    });
    const victim = await open(gateway, 'victim', 'institutional');
    await ask(victim, { action: 'subscribe', stream: 'trades', symbol: 'A' }, 's');
    const stuck: { readonly isEnded: () => boolean }[] = [];
    for (let n = 0; n < 8; n++) stuck.push(await silent(gateway, ''));
    await silent(gateway, `token=${await testToken({ sub: 'slow', tier: 'institutional' })}`);
    const tail = 'x'.repeat(15_000);
    let published = 0;
    await until(
      async () => {
        for (let n = 0; n < 50; n++) {
          const trade_id = `${published++} ${tail}`;
          publisher.put('md.trades.A', { symbol: 'A', trade_id, price: '1', quantity: '1' });
        }
        await publisher.settled(gateway);
        await victim.arrived('trade_executed', published, 30_000);
        return (await gateway.metric('millrace_buffered_closes_total{rank="anonymous"}')) > 0;
      },
      60_000,
      'sockets are closed',
    );
    await until(async () => (await gateway.metric('millrace_buffered_bytes')) <= LIMIT_BYTES, 30_000, 'the bytes go');
    expect(await gateway.metric('millrace_buffered_closes_total{rank="institutional"}')).toBe(0);
    const closed = await gateway.metric('millrace_buffered_closes_total{rank="anonymous"}');
    expect(await gateway.metric('millrace_closes_total{code="4008"}')).toBeGreaterThanOrEqual(closed);
    expect(gateway.log()).toContain('WS_MAX_BUFFERED_TOTAL');
    const trades = victim.ofType('trade_executed');
    const numbers = trades.map(({ trade_id }) => Number.parseInt(trade_id as string, 10));
    expect(numbers).toEqual(Array.from({ length: published }, (_, n) => n));
    expect(victim.closed).toBeUndefined();
  });
});
