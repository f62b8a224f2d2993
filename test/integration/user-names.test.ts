/** Users as identity providers call them: each gets the orders of his own, from any publisher that escapes as documented. */
import { connect, type NatsConnection } from 'nats';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectPublisher, type Publisher } from '../../src/publisher/index.js';
import { refusedUpgrade, TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';

/** With the subject that a publisher without the library writes. */
const USERS: readonly (readonly [user: string, token: string])[] = [
  ['José', 'José'],
  ['Jose', 'Jose'],
  ['CN=John Smith,O=Foo', 'CN=John%20Smith,O=Foo'],
  ['CN=John%20Smith,O=Foo', 'CN=John%2520Smith,O=Foo'],
  ['spiffe://example.org/ns/x', 'spiffe://example.org/ns/x'],
  ['*', '%2A'],
  ['>', '%3E'],
  ['a.b', 'a.b'],
  ['a..b', 'a.%2Eb'],
  ['.a.b.', '%2Ea.b%2E'],
  ['tab\tand\u00a0nbsp', 'tab%09and%C2%A0nbsp'],
  ['x'.repeat(65), 'x'.repeat(65)],
  ['ü'.repeat(256), 'ü'.repeat(256)],
];

let nats: NatsServer;
let gateway: TestGateway;
let raw: NatsConnection;
let publisher: Publisher;
const clients = new Map<string, TestClient>();

beforeAll(async () => {
  nats = await startNatsServer();
  gateway = await startGateway({ NATS_URL: nats.url, WORKERS: '2' });
  raw = await connect({ servers: nats.url });
  publisher = await connectPublisher({ servers: nats.url });
  for (const [index, [sub]] of USERS.entries()) {
    const format = index % 2 === 0 ? 'json' : 'msgpack';
    const token = await testToken({ sub });
    // Half of them at the endpoint, half by command.
    const client = await TestClient.connect(
      `${gateway.url}/ws${index % 3 === 0 ? '/orders' : ''}?format=${format}&token=${token}`,
    );
    clients.set(sub, client);
    client.send({ action: 'subscribe', stream: 'orders', id: 's', ...(index % 3 === 1 ? { symbol: sub } : {}) });
    const subscribed = await client.next('answer', frame => frame.id === 's');
    expect(subscribed).toMatchObject({ type: 'subscribed', topics: [`orders:${sub}`] });
  }
});

afterAll(async () => {
  for (const client of clients.values()) await client.close();
  await publisher.close();
  await raw.close();
  await gateway.stop();
  await nats.stop();
});

it('K12: whatever a user is called, he gets his orders and nobody else’s, from the library and from any publisher', async () => {
  const order = {
    action: 'created',
    symbol: 'A',
    side: 'buy',
    status: 'open',
    quantity: '1',
    filled_quantity: '0',
  } as const;
  for (const [sub, token] of USERS) {
    await publisher.order(sub, { ...order, order_id: `library ${sub}` });
    raw.publish(`orders.${token}`, JSON.stringify({ ...order, order_id: `raw ${sub}` }));
  }
  await publisher.flush();
  await raw.flush();
  for (const client of clients.values()) await client.arrived('order_update', 2);
  for (const [sub, client] of clients) {
    const ids = client.ofType('order_update').map(({ user_id, order_id }) => `${user_id}: ${order_id}`);
    expect(ids.sort()).toEqual([`${sub}: library ${sub}`, `${sub}: raw ${sub}`]);
  }
});

it('K12: nobody gets the orders of somebody who is called nearly as he is', async () => {
  const jose = clients.get('José') as TestClient;
  jose.send({ action: 'subscribe', stream: 'orders', symbol: 'Jose', id: 'other' });
  expect(await jose.next('answer', frame => frame.id === 'other')).toMatchObject({ code: 'forbidden' });
});

it('K12: a sub that is none is refused with the rule', async () => {
  for (const sub of ['', 'x'.repeat(513)]) {
    const { status, body } = await refusedUpgrade(`${gateway.url}/ws/orders?token=${await testToken({ sub })}`);
    expect(status).toBe(401);
    expect(body.error?.message).toContain('sub must be 1 to 512 bytes of UTF-8');
  }
});
