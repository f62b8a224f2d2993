/** The private and the analytical streams, over a real NATS. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { refusedUpgrade, TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { until } from '../support/until.js';

let nats: NatsServer;
let gateway: TestGateway;
let publisher: TestPublisher;
let folder: string;
const clients: TestClient[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-policy-'));
  const policy = join(folder, 'policy.json');
  await writeFile(policy, JSON.stringify({ roles: { 'analytics:exposure-updates': ['risk', 'admin'] } }));
  // Its monitoring port says who is subscribed to what.
  nats = await startNatsServer({ args: ['-m', '-1'] });
  gateway = await startGateway({ NATS_URL: nats.url, POLICY_FILE: policy, WORKERS: '2', ENCODERS: '2' });
  publisher = await TestPublisher.connect(nats.url);
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map(client => client.close()));
});

afterAll(async () => {
  await publisher.close();
  await gateway.stop();
  await nats.stop();
  await rm(folder, { recursive: true });
});

async function connect(path: string, claims: Parameters<typeof testToken>[0] = {}): Promise<TestClient> {
  const separator = path.includes('?') ? '&' : '?';
  const client = await TestClient.connect(`${gateway.url}${path}${separator}token=${await testToken(claims)}`);
  clients.push(client);
  return client;
}

const order = (id: string, action = 'created') => ({
  action,
  order_id: id,
  symbol: 'BTC/USDT',
  side: 'buy',
  status: 'open',
  quantity: '2.0',
  filled_quantity: '0',
  price: '49999.00',
  timestamp: '2026-11-20T10:00:00.000Z',
});

describe('R22 orders', () => {
  it('R22 reach their user, and nobody else', async () => {
    const [alice, bob] = [await connect('/ws/orders', { sub: 'alice' }), await connect('/ws/orders', { sub: 'bob' })];
    publisher.put('orders.alice', order('a1'));
    publisher.put('orders.bob', order('b1'));
    publisher.put('orders.alice', order('a2', 'filled'));
    await alice.arrived('order_update', 2);
    await bob.arrived('order_update', 1);
    expect(alice.ofType('order_update').map(frame => frame.order_id)).toEqual(['a1', 'a2']);
    expect(bob.ofType('order_update').map(frame => frame.order_id)).toEqual(['b1']);
    const [first, second] = alice.ofType('order_update');
    expect(first).toEqual({
      type: 'order_update',
      ...order('a1'),
      user_id: 'alice',
      epoch: first?.epoch,
      prev_seq: 0,
      seq: 1,
    });
    expect(second).toMatchObject({ action: 'filled', prev_seq: 1, seq: 2, epoch: first?.epoch });
  });

  it('R22 take the user from the credential: a name in the query or the command changes nothing', async () => {
    const alice = await connect('/ws/orders?user=bob&symbols=bob&sub=bob', { sub: 'alice' });
    alice.send({ action: 'subscribe', stream: 'orders', symbol: 'bob', id: 'x' });
    const refused = await alice.next('refusal', frame => frame.id === 'x');
    expect(refused).toMatchObject({ type: 'error', code: 'forbidden' });
    publisher.put('orders.bob', order('b2'));
    publisher.put('orders.alice', order('a3'));
    await alice.arrived('order_update');
    expect(alice.ofType('order_update').map(frame => frame.user_id)).toEqual(['alice']);
  });

  it('R20 R22 need a credential, at the upgrade and by command', async () => {
    const refused = await refusedUpgrade(`${gateway.url}/ws/orders`);
    expect(refused.status).toBe(401);
    const anonymous = await TestClient.connect(`${gateway.url}/ws`);
    clients.push(anonymous);
    anonymous.send({ action: 'subscribe', stream: 'orders', id: 1 });
    expect(await anonymous.next('refusal', frame => frame.id === 1)).toMatchObject({ code: 'unauthorized' });
    const barred = await refusedUpgrade(
      `${gateway.url}/ws/orders?token=${await testToken({ sub: 'carol', entitlements: ['quotes:*'] })}`,
    );
    expect(barred.status).toBe(403);
  });

  it('R22 an order that names another user than its subject is dead-lettered', async () => {
    const alice = await connect('/ws/orders', { sub: 'alice' });
    const letters: string[] = [];
    publisher.nats.subscribe('deadletter.orders.alice', {
      callback: (_error, message) => letters.push(message.headers?.get('Reason') ?? ''),
    });
    await publisher.nats.flush();
    publisher.put('orders.alice', { ...order('evil'), user_id: 'bob' });
    publisher.put('orders.alice', { ...order('good'), user_id: 'alice' });
    await alice.arrived('order_update');
    await until(() => letters.length === 1);
    expect(letters).toEqual(['wrong_symbol']);
    expect(alice.ofType('order_update').map(frame => frame.order_id)).toEqual(['good']);
  });

  it('R13 R22 are followed at NATS while their user is connected, and no longer', async () => {
    const followed = async () => {
      const subscriptions = (await (await fetch(`${nats.monitorUrl}/connz?subs=1`)).json()) as {
        connections: { subscriptions_list?: string[] }[];
      };
      return subscriptions.connections.flatMap(connection => connection.subscriptions_list ?? []);
    };
    expect(await followed()).not.toContain('orders.dave');
    const dave = await connect('/ws/orders', { sub: 'dave' });
    expect(await followed()).toContain('orders.dave');
    await dave.close();
    await until(async () => !(await followed()).includes('orders.dave'), 30_000);
  });

  it('R27 come as MessagePack too', async () => {
    const erin = await connect('/ws/orders?format=msgpack&timestamps=1', { sub: 'erin' });
    publisher.put('orders.erin', order('e1'), 'msgpack', { tsEvent: 1_700_000_000_000_001 });
    const [frame] = await erin.arrived('order_update');
    expect(frame).toMatchObject({ order_id: 'e1', user_id: 'erin', ts_event: 1_700_000_000_000_001 });
    expect(Number(frame?.ts_sent) / 1000).toBeGreaterThan(Date.now() - 60_000);
    expect(erin.received.text).toBe(0);
  });
});

describe('R25 analytics', () => {
  const decision = (n: number) => ({
    type: 'routing-decision',
    timestamp: '2026-11-20T10:00:00.000Z',
    data: { order: n },
  });

  it('R25 come as arrays, each message with its channel and its place', async () => {
    const client = await connect('/ws/analytics?channels=routing-metrics');
    publisher.put('analytics.routing-metrics', decision(1));
    const [frame] = await client.arrived('routing-decision');
    expect(frame).toEqual({ ...decision(1), channel: 'routing-metrics', epoch: frame?.epoch, prev_seq: 0, seq: 1 });
    expect(client.batches).toEqual([1]);
  });

  it('R25 are sent in batches of at most 50, in order, soon after the first', async () => {
    const client = await connect('/ws/analytics');
    client.send({ action: 'subscribe', channels: ['lp-performance'], id: 's' });
    const subscribed = await client.next('answer', frame => frame.id === 's');
    expect(subscribed).toMatchObject({ type: 'subscribed', stream: 'analytics', topics: ['analytics:lp-performance'] });
    for (let n = 0; n < 220; n++)
      publisher.put('analytics.lp-performance', { data: { n }, timestamp: '2026-11-20T22:50:02.316Z' });
    const frames = await client.arrived('lp-metrics', 220);
    expect(frames.map(frame => (frame.data as { n: number }).n)).toEqual(Array.from({ length: 220 }, (_, n) => n));
    expect(Math.max(...client.batches)).toBeLessThanOrEqual(50);
    expect(client.batches.length).toBeLessThan(220);
    frames.slice(1).forEach((frame, i) => {
      expect(frame.prev_seq).toBe(frames[i]?.seq);
    });
  });

  it('R25 R32 a channel that needs a role is closed to others, at the upgrade and by command', async () => {
    const plain = await refusedUpgrade(
      `${gateway.url}/ws/analytics?channels=exposure-updates&token=${await testToken()}`,
    );
    expect(plain.status).toBe(403);
    const trader = await connect('/ws/analytics', { roles: ['trader'] });
    trader.send({ action: 'subscribe', channels: ['exposure-updates', 'alerts'], id: 'e' });
    expect(await trader.next('refusal', frame => frame.type === 'error')).toMatchObject({ code: 'forbidden' });
    const risk = await connect('/ws/analytics?channels=exposure-updates', { roles: ['risk'] });
    publisher.put('analytics.exposure-updates', { data: { net: '5' }, timestamp: '2026-11-20T22:50:02.316Z' });
    expect((await risk.arrived('exposure-update'))[0]).toMatchObject({ data: { net: '5' } });
  });

  it('R20 R25 a channel that is not there is 400 before and an error after the upgrade', async () => {
    const refused = await refusedUpgrade(`${gateway.url}/ws/analytics?channels=gossip&token=${await testToken()}`);
    expect(refused).toMatchObject({ status: 400, body: { error: { code: 'unknown_channel' } } });
    expect((await refusedUpgrade(`${gateway.url}/ws/analytics`)).status).toBe(401);
    const client = await connect('/ws/analytics');
    client.send({ action: 'subscribe', channels: ['gossip'], id: 'g' });
    expect(await client.next('refusal', frame => frame.id === 'g')).toMatchObject({ code: 'unknown_channel' });
  });

  it('R25 with timestamps every message of an array has them', async () => {
    const client = await connect('/ws/analytics?channels=alerts&timestamps=1');
    for (let n = 0; n < 3; n++)
      publisher.put('analytics.alerts', { data: n }, 'json', { tsEvent: 1_700_000_000_000_000 + n });
    const frames = await client.arrived('alert', 3);
    expect(frames.map(frame => frame.ts_event)).toEqual([0, 1, 2].map(n => 1_700_000_000_000_000 + n));
    for (const { ts_sent: sent } of frames) expect(Number(sent) / 1000).toBeGreaterThan(Date.now() - 60_000);
  });
});
