/**
 * NATS breaks while the gateway has asked it for something: the gateway lives, and asks again.
 * @module-tag slow
 * @module-tag bulk
 */
import { connect, type NatsConnection } from 'nats';
import { afterEach, describe, expect, it } from 'vitest';
import { startBreakingNats } from '../support/breaking-nats.js';
import { TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, type NatsServerOptions, startNatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';

const TIMEOUT_MS = 30_000;

/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

async function server(options: NatsServerOptions = {}): Promise<NatsServer> {
  const started = await startNatsServer(options);
  ends.push(() => started.kill());
  return started;
}

async function gateway(env: Record<string, string>): Promise<TestGateway> {
  const started = await startGateway({ WORKERS: '1', ENCODERS: '1', ...env });
  ends.push(() => started.stop());
  return started;
}

async function client(of: TestGateway, path: string): Promise<TestClient> {
  const opened = await TestClient.connect(`${of.url}${path}?token=${await testToken()}`);
  ends.push(() => opened.close());
  return opened;
}

async function publisher(url: string): Promise<NatsConnection> {
  const nats = await connect({ servers: url });
  ends.push(() => nats.close());
  return nats;
}

const order = { action: 'created', order_id: '1', symbol: 'A', side: 'buy', status: 'new', quantity: '1', price: '1' };

/** Rooms and orders work: what is published comes. */
async function expectWorking(nats: NatsConnection, inRoom: TestClient, withOrders: TestClient): Promise<void> {
  let n = 0;
  await until(
    () => {
      nats.publish('orders.alice', JSON.stringify({ ...order, user_id: 'alice', order_id: String(++n) }));
      return withOrders.ofType('order_update').length > 0;
    },
    TIMEOUT_MS,
    'an order',
  );
  inRoom.send({ action: 'publish', stream: 'rooms', room: 'desk', data: { text: 'hi' }, id: 'm1' });
  await inRoom.next('the ack', frame => frame.type === 'ack' && frame.id === 'm1', TIMEOUT_MS);
  await inRoom.arrived('room_message', 1, TIMEOUT_MS);
  expect([inRoom.closed, withOrders.closed]).toEqual([undefined, undefined]);
}

describe.each([{ jetstream: false }, { jetstream: true }])('N1 with JetStream $jetstream', ({ jetstream }) => {
  const env: Record<string, string> = jetstream ? { JETSTREAM: 'on' } : {};

  it('N1: NATS is killed while a client joins a room and /ws/orders connects: all stay, and work when it is back', async () => {
    const nats = await server({ jetstream });
    // The stream has no subjects of these kinds, so that they are followed at core NATS in both cases.
    if (jetstream) {
      const manager = await (await publisher(nats.url)).jetstreamManager();
      await manager.streams.add({ name: 'MILLRACE', subjects: ['md.>'] });
    }
    const it = await gateway({ NATS_URL: nats.url, ...env });
    process.kill(nats.pid, 'SIGSTOP');
    const inRoom = await client(it, '/ws');
    const withOrders = await client(it, '/ws/orders');
    inRoom.send({ action: 'subscribe', stream: 'rooms', room: 'desk', id: 'room' });
    // The requests are on their way to NATS, which stands still: the gateway waits for its answer for two seconds.
    inRoom.send({ action: 'ping', id: 'p' });
    await inRoom.arrived('pong', 1, TIMEOUT_MS);
    await nats.kill();
    await inRoom.next('stale', frame => frame.type === 'status' && frame.feed === 'stale', TIMEOUT_MS);
    const again = await server({ jetstream, port: nats.port });
    if (jetstream) {
      const manager = await (await publisher(again.url)).jetstreamManager();
      await manager.streams.add({ name: 'MILLRACE', subjects: ['md.>'] });
    }
    await inRoom.next('live', frame => frame.type === 'status' && frame.feed === 'live', TIMEOUT_MS);
    await expectWorking(await publisher(again.url), inRoom, withOrders);
    expect(it.log()).toContain('subscribes again on reconnect');
    expect(await it.stop()).toBe(0);
  });
});

describe('N1 with a backup', () => {
  it('N1: the standby is killed while a room is opened at both: nobody notices', async () => {
    const [primary, backup] = [await server(), await server()];
    const it = await gateway({ NATS_URL: primary.url, NATS_BACKUP_URL: backup.url });
    process.kill(backup.pid, 'SIGSTOP');
    const inRoom = await client(it, '/ws');
    inRoom.send({ action: 'subscribe', stream: 'rooms', room: 'desk', id: 'room' });
    await inRoom.arrived('subscribed', 1, TIMEOUT_MS);
    await backup.kill();
    await until(() => it.log().includes('the backup upstream is lost'), TIMEOUT_MS);
    await server({ port: backup.port });
    // It has reconnected, so that whatever the break did to calls is done.
    await until(() => it.log().includes('the backup upstream is live'), TIMEOUT_MS);
    await expectWorking(await publisher(primary.url), inRoom, await client(it, '/ws/orders'));
    expect(await it.stop()).toBe(0);
  });

  it('N1: a backup that breaks whenever it is asked for something does not end the start, nor the gateway', async () => {
    const primary = await server();
    const backup = await startBreakingNats();
    ends.push(() => backup.close());
    const it = await gateway({ NATS_URL: primary.url, NATS_BACKUP_URL: backup.url });
    await until(() => backup.broken() > 1, TIMEOUT_MS);
    const inRoom = await client(it, '/ws');
    inRoom.send({ action: 'subscribe', stream: 'rooms', room: 'desk', id: 'room' });
    await inRoom.arrived('subscribed', 1, TIMEOUT_MS);
    await expectWorking(await publisher(primary.url), inRoom, await client(it, '/ws/orders'));
    expect(it.log()).toContain('the backup upstream cannot be read');
    expect(await it.stop()).toBe(0);
  });
});
