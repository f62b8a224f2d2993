/**
 * What NATS does not let the gateway do is told to clients, counted and logged; what it allows again is used again.
 * @module-tag slow
 * @module-tag bulk
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type NatsConnection } from 'nats';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ownFreePort } from '../../src/cli/free-port.js';
import { refusedUpgrade, TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';

/** What the gateway's user may not do; it may do everything else. */
interface Denied {
  readonly subscribe?: readonly string[];
  readonly publish?: readonly string[];
}

/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

let file: string;
let port: number;
let nats: NatsServer;

beforeEach(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-permissions-'));
  ends.push(() => rm(directory, { recursive: true }));
  file = join(directory, 'nats.conf');
  port = await ownFreePort('127.0.0.1');
});

function configOf({ subscribe = [], publish = [] }: Denied, jetstream: boolean): string {
  const list = (subjects: readonly string[]) => subjects.map(subject => JSON.stringify(subject)).join(', ');
  return `
    ${jetstream ? `jetstream { store_dir: ${JSON.stringify(join(file, '..', 'store'))} }` : ''}
    authorization {
      users: [
        { user: operator, password: o }
        { user: gateway, password: g, permissions: {
          subscribe: { allow: [">"], deny: [${list(subscribe)}] }
          publish: { allow: [">"], deny: [${list(publish)}] }
        } }
      ]
    }`;
}

async function server(denied: Denied, jetstream = false): Promise<void> {
  await writeFile(file, configOf(denied, jetstream));
  nats = await startNatsServer({ port, args: ['-c', file] });
  ends.push(() => nats.kill());
}

/** The connection is kept. */
async function reload(denied: Denied, jetstream = false): Promise<void> {
  await writeFile(file, configOf(denied, jetstream));
  process.kill(nats.pid, 'SIGHUP');
}

async function gateway(env: Record<string, string> = {}): Promise<TestGateway> {
  const credentials = { NATS_USER: 'gateway', NATS_PASSWORD: 'g' };
  const started = await startGateway({ NATS_URL: nats.url, ...credentials, WORKERS: '1', ENCODERS: '1', ...env });
  ends.push(() => started.stop('SIGINT'));
  return started;
}

async function operator(): Promise<NatsConnection> {
  const connection = await connect({ servers: nats.url, user: 'operator', pass: 'o' });
  ends.push(() => connection.close());
  return connection;
}

async function client(of: TestGateway, path: string): Promise<TestClient> {
  const opened = await TestClient.connect(`${of.url}${path}?token=${await testToken()}`);
  ends.push(() => opened.close());
  return opened;
}

const errors = (of: TestGateway, kind: string) => of.metric(`millrace_feed_errors_total{kind="${kind}"}`);

const message = { type: 'room_message', room: 'desk', from: 'bob', data: { n: 1 }, timestamp: '2024-01-02T03:04:05Z' };
const quote = (n: number) => JSON.stringify({ symbol: 'A', current_price: `${n}` });

describe('N3 a subject that NATS does not let the gateway subscribe to', () => {
  it('N3: a subscription to a room, and to analytics, is refused as unavailable, counted and logged', async () => {
    await server({ subscribe: ['rooms.>', 'analytics.>'] });
    const it = await gateway();
    const at = await client(it, '/ws');
    at.send({ action: 'subscribe', stream: 'rooms', room: 'desk', id: 'r' });
    const refused = await at.next('the refusal', frame => frame.type === 'error');
    expect(refused).toMatchObject({ code: 'unavailable', topics: ['rooms:desk'] });
    at.send({ action: 'subscribe', stream: 'analytics', channel: 'routing-metrics', id: 'a' });
    await at.next(
      'the refusal',
      frame => frame.type === 'error' && String(frame.topics) === 'analytics:routing-metrics',
    );
    expect(at.ofType('subscribed')).toEqual([]);
    expect(await errors(it, 'subscribe_refused')).toBeGreaterThanOrEqual(2);
    expect(await it.metric('millrace_topics_unavailable_total')).toBeGreaterThanOrEqual(2);
    expect(it.log()).toContain('this NATS user may not subscribe rooms.desk');
    expect(it.log()).toContain('this NATS user may not subscribe analytics.*');
  });

  it('N3: /ws/orders is refused with 503 and unavailable', async () => {
    await server({ subscribe: ['orders.>'] });
    const it = await gateway();
    const refused = await refusedUpgrade(`${it.url}/ws/orders?token=${await testToken()}`);
    expect(refused).toMatchObject({ status: 503, body: { error: { code: 'unavailable' } } });
    expect(await errors(it, 'subscribe_refused')).toBeGreaterThan(0);
  });

  it('N3: once it is allowed, the next subscription is served', async () => {
    await server({ subscribe: ['rooms.>'] });
    const it = await gateway();
    const at = await client(it, '/ws');
    at.send({ action: 'subscribe', stream: 'rooms', room: 'desk' });
    await at.next('the refusal', frame => frame.code === 'unavailable');
    await reload({});
    await until(async () => {
      at.send({ action: 'subscribe', stream: 'rooms', room: 'desk' });
      at.send({ action: 'ping' });
      await at.next('the pong', frame => frame.type === 'pong');
      return at.ofType('subscribed').length > 0;
    });
    (await operator()).publish('rooms.desk', JSON.stringify(message));
    await at.arrived('room_message', 1);
  });
});

describe('N4 a consumer that delivers nothing', () => {
  it('N4: a JetStream user who may not ask for messages gets no readiness; the log has the server’s reason', async () => {
    await server({ publish: ['$JS.API.CONSUMER.MSG.NEXT.>'] }, true);
    const adminPort = String(await ownFreePort('127.0.0.1'));
    const starting = gateway({ JETSTREAM: 'on', ADMIN_PORT: adminPort });
    const readyz = async () =>
      (await fetch(`http://127.0.0.1:${adminPort}/readyz`, { headers: { connection: 'close' } }).catch(() => undefined))
        ?.status;
    await until(async () => (await readyz()) === 503);
    const metrics = async () => (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
    await until(async () => /kind="publish_refused"\} [3-9]/.test(await metrics()));
    expect(await readyz()).toBe(503);
    await reload({}, true);
    const it = await starting;
    expect(await readyz()).toBe(200);
    expect(it.log()).toContain('not ready: waiting for NATS');
    expect(it.log()).toContain('$JS.API.CONSUMER.MSG.NEXT.MILLRACE.*');
    expect(it.log().match(/"status":"live"/g)).toHaveLength(1);
  });
});

describe('N5 permissions that a reload takes and gives back on a kept connection', () => {
  it('N5: market data, orders, rooms and control orders are heard again', async () => {
    await server({});
    const it = await gateway();
    const control = await operator();
    const all = await client(it, '/ws');
    all.send({ action: 'subscribe', stream: 'quotes', symbols: ['A'] });
    all.send({ action: 'subscribe', stream: 'rooms', room: 'desk' });
    control.publish('md.quotes.A', quote(1));
    await until(() => {
      all.send({ action: 'subscribe', stream: 'quotes', symbols: ['A'] });
      return all.ofType('subscribed').length >= 2;
    });
    await reload({ subscribe: ['md.>', 'rooms.>', 'control.>'] });
    await all.next('stale', frame => frame.type === 'status' && frame.feed === 'stale');
    expect(it.log()).toMatch(/subscription to md\.> refused/);
    await until(async () => (await errors(it, 'subscribe_refused')) >= 4);
    await reload({});
    await all.next('live', frame => frame.type === 'status' && frame.feed === 'live');
    await until(() => {
      control.publish('md.quotes.A', quote(2));
      return all.frames.some(frame => JSON.stringify(frame).includes('"2"'));
    });
    await until(() => {
      control.publish('rooms.desk', JSON.stringify(message));
      return all.ofType('room_message').length > 0;
    });
    // What was published while it was refused is lost, and clients are told.
    expect(all.ofType('gap').some(({ topic, reason }) => topic === 'rooms:desk' && reason === 'new_epoch')).toBe(true);
    const answered = await until(() =>
      control.request('control.revoke', JSON.stringify({ sub: 'mallory' })).catch(() => undefined),
    );
    expect(JSON.parse(new TextDecoder().decode(answered?.data))).toMatchObject({ ok: true });
  });

  it('N5: a consumer that may not be asked for a while is read again', async () => {
    await server({}, true);
    const it = await gateway({ JETSTREAM: 'on', SYMBOLS: 'A' });
    const at = await client(it, '/ws/markets/A');
    await reload({ publish: ['$JS.API.CONSUMER.MSG.NEXT.>'] }, true);
    await at.next('stale', frame => frame.type === 'status' && frame.feed === 'stale');
    await until(() => it.log().includes('this NATS user may not publish $JS.API.CONSUMER.MSG.NEXT.MILLRACE.*'));
    await reload({}, true);
    await at.next('live', frame => frame.type === 'status' && frame.feed === 'live');
    expect(await errors(it, 'jetstream')).toBeGreaterThan(0);
  });
});

describe('N6 what NATS does not let the gateway publish', () => {
  it('N6: dead letters are counted and logged once', async () => {
    await server({ publish: ['deadletter.>'] });
    const it = await gateway();
    const control = await operator();
    for (let n = 0; n < 20; n++) control.publish('md.quotes.A', 'not JSON');
    await until(async () => (await errors(it, 'dead_letter_refused')) >= 20);
    expect(it.log().match(/an invalid message is lost/g)).toHaveLength(1);
    expect(it.log()).toMatch(/deadletter\.md\.quotes\.A/);
    const stats = (await (await fetch(`${it.adminUrl}/api/v1/stats`)).json()) as { feed: { errors: object } };
    expect(stats.feed.errors).toEqual({ dead_letter_refused: 20 });
  });

  it('N6: a client’s room message is refused at once, and the client may try again', async () => {
    await server({ publish: ['rooms.>'] });
    const it = await gateway();
    const at = await client(it, '/ws');
    at.send({ action: 'publish', stream: 'rooms', room: 'desk', data: { text: 'hi' }, id: 'm1' });
    const refused = await at.next('the refusal', frame => frame.type === 'error' && frame.id === 'm1');
    expect(refused).toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/^not published: .*rooms\.desk/),
    });
    expect(await errors(it, 'publish_refused')).toBe(1);
    await reload({});
    await until(() => {
      at.send({ action: 'publish', stream: 'rooms', room: 'desk', data: { text: 'hi' }, id: 'm1' });
      return at.ofType('ack').length > 0;
    });
  });
});
