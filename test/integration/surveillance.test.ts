/** Surveillance at real gateways and a real NATS server: one of them watches, and its alerts reach everybody they should. R72. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTo, type Msg, type NatsConnection } from 'nats';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectPublisher, type Publisher } from '../../src/publisher/index.js';
import { AdminClient } from '../support/admin-client.js';
import { type Frame, TestClient } from '../support/client.js';
import { MessageValidator, readAsyncApi } from '../support/frame-validator.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { JournalFolder } from '../support/journal/folder.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { PATIENCE_MS, until } from '../support/until.js';

interface Alert {
  readonly id: string;
  readonly node: string;
  readonly detector: string;
  readonly users: readonly string[];
  readonly evidence: readonly string[];
  readonly figures: Readonly<Record<string, number>>;
}

const WATCH = { WORKERS: '1', ENCODERS: '1', SURVEILLANCE: 'on' };

const stateOf = async (gateway: TestGateway): Promise<string> => (await alertsOf(gateway)).state as string;
const alertsOf = async (gateway: TestGateway) => (await new AdminClient(gateway.adminUrl).get('/alerts')).body;
const becomes = (gateway: TestGateway, state: string) =>
  until(async () => (await stateOf(gateway)) === state, PATIENCE_MS, `surveillance is ${state}`);

/** Five sell orders that were never meant to trade, and a fill on the other side. */
async function layering(publisher: Publisher, user: string, symbol = 'ACME'): Promise<void> {
  const order = (n: number, action: 'created' | 'cancelled') =>
    publisher.order(user, {
      action,
      order_id: `${user}-${n}`,
      symbol,
      side: 'sell',
      status: action,
      quantity: 500,
      filled_quantity: 0,
      price: 10 + n / 100,
      ...(action === 'cancelled' ? { cancelled_by: 'user' } : { order_type: 'limit' }),
    });
  for (let n = 1; n <= 5; n++) await order(n, 'created');
  const bought = { symbol, order_id: `${user}-b`, side: 'buy', quantity: 10, price: 10 } as const;
  await publisher.order(user, { ...bought, action: 'created', status: 'open', filled_quantity: 0 });
  await publisher.order(user, { ...bought, action: 'filled', status: 'filled', filled_quantity: 10 });
  for (let n = 1; n <= 5; n++) await order(n, 'cancelled');
  await publisher.flush();
}

describe('surveillance at two gateways (R72)', () => {
  let server: NatsServer;
  let gateways: TestGateway[];
  let publisher: Publisher;
  let compliance: NatsConnection;
  let client: TestClient;
  let watching: TestGateway;
  let standby: TestGateway;
  const published: Alert[] = [];

  beforeAll(async () => {
    server = await startNatsServer({ jetstream: true });
    const start = (node: string) =>
      startGateway({ ...WATCH, NATS_URL: server.url, NODE_NAME: node, NATS_SUBJECT_PREFIX: 'test' });
    gateways = await Promise.all([start('one'), start('two')]);
    compliance = await connectTo({ servers: server.url });
    compliance.subscribe('test.surveillance.alerts', {
      callback: (_error, message) => void published.push(message.json<Alert>()),
    });
    publisher = await connectPublisher({ servers: server.url }, { subjectPrefix: 'test' });
    await until(async () => {
      const states = await Promise.all(gateways.map(stateOf));
      const order = states[0] === 'watching' ? gateways : gateways.toReversed();
      [watching, standby] = order as [TestGateway, TestGateway];
      return states.includes('watching') && states.includes('standby');
    });
    const token = await testToken({ sub: 'carol' });
    client = await TestClient.connect(`${standby.url}/ws?token=${token}`);
    client.send({ action: 'subscribe', channels: ['alerts'] });
    await client.arrived('subscribed', 1);
  });
  afterAll(async () => {
    await Promise.all([client?.close(), publisher?.close(), compliance?.close()]);
    await Promise.all(gateways?.map(gateway => gateway.stop()));
    await server?.stop();
  });

  const shown = (): Frame[] => client.ofType('alert');

  it('R72 exactly one watches, and one alert reaches compliance and the clients of the other', async () => {
    expect(await standby.metric('millrace_surveillance_state{state="watching"}')).toBe(0);
    await layering(publisher, 'mallory');
    await until(() => published.length > 0 && shown().length > 0);
    const [alert] = published;
    expect(alert).toMatchObject({ detector: 'layering', symbol: 'ACME', users: ['mallory'] });
    expect(alert?.evidence).toEqual(['mallory-b', 'mallory-1', 'mallory-2', 'mallory-3', 'mallory-4']);
    expect(alert?.figures.levels).toBe(5);
    const validator = new MessageValidator(readAsyncApi(), ['surveillance_alert']);
    expect(validator.check(alert)).toEqual({ message: 'surveillance_alert' });
    // Once more: the same pattern of the same user is reported once.
    await layering(publisher, 'mallory');
    await layering(publisher, 'trudy');
    await until(() => published.some(({ users }) => users.includes('trudy')));
    await until(() => shown().length === published.length);
    expect(published.map(({ users }) => users)).toEqual([['mallory'], ['trudy']]);
    expect(await standby.metric('millrace_surveillance_events_total')).toBe(0);
  });

  it('R72 the clients’ channel has figures and message ids, and names no user', async () => {
    const [frame] = shown();
    expect(frame).toMatchObject({ type: 'alert', channel: 'alerts' });
    expect(frame?.data).toMatchObject({
      source: 'surveillance',
      detector: 'layering',
      symbol: 'ACME',
      users: 1,
      figures: { levels: 5 },
    });
    expect((frame?.data as Alert).id).toBe(published[0]?.id);
    expect(JSON.stringify({ ...(frame?.data as Alert), evidence: [] })).not.toContain('mallory');
  });

  it('R72 operators see the alerts at every gateway', async () => {
    for (const gateway of gateways) {
      let alerts: readonly Alert[] = [];
      await until(async () => {
        alerts = (await alertsOf(gateway)).alerts as Alert[];
        return alerts.length === 2;
      });
      expect(alerts.map(({ users }) => users[0])).toEqual(['trudy', 'mallory']);
    }
  });

  it('R72 a client that subscribes and leaves again and again is reported by its own gateway', async () => {
    const token = await testToken({ sub: 'nervous' });
    const churning = await TestClient.connect(`${standby.url}/ws?token=${token}`);
    for (let n = 0; n < 8; n++) {
      churning.send({ action: 'subscribe', stream: 'rooms', room: 'desk' });
      churning.send({ action: 'unsubscribe', stream: 'rooms', room: 'desk' });
    }
    await until(() => published.some(({ detector }) => detector === 'client_churn'));
    const alert = published.find(({ detector }) => detector === 'client_churn');
    expect(alert).toMatchObject({ users: ['nervous'], symbol: null });
    expect(alert?.evidence).toContain('rooms:desk');
    await until(() => shown().length === published.length);
    const data = shown().at(-1)?.data as Alert;
    expect(data).toMatchObject({ detector: 'client_churn', users: 1, evidence: [] });
    await churning.close();
  });

  it('R72 when the one that watches is killed, the other takes over, and repeats nothing', async () => {
    const before = published.length;
    await watching.stop('SIGKILL');
    await becomes(standby, 'watching');
    await layering(publisher, 'mallory');
    await layering(publisher, 'sybil');
    await until(() => published.length > before);
    expect(published.slice(before).map(({ users }) => users)).toEqual([['sybil']]);
    expect(published.at(-1)?.node).not.toBe(published[0]?.node);
  });
});

describe('surveillance of an embedded feed, with a journal (R72)', () => {
  it('R72 puts alerts on the channel and into the journal, where a user is a pseudonym', async () => {
    const folder = new JournalFolder();
    const env = { ...folder.env, FEED: 'simulator', SYMBOLS: 'AAPL', ...WATCH };
    const gateway = await startGateway(env);
    try {
      const token = await testToken({ sub: 'nervous-nellie' });
      const client = await TestClient.connect(`${gateway.url}/ws?token=${token}`);
      client.send({ action: 'subscribe', channels: ['alerts'] });
      await client.arrived('subscribed', 1);
      for (let n = 0; n < 8; n++) {
        client.send({ action: 'subscribe', stream: 'orders' });
        client.send({ action: 'unsubscribe', stream: 'orders', symbol: 'nervous-nellie' });
      }
      await client.arrived('alert', 1);
      const recorded = () => folder.records().find(({ k }) => k === 'alert')?.alert as Alert | undefined;
      await until(() => recorded() !== undefined);
      const alert = recorded();
      expect(alert).toMatchObject({ detector: 'client_churn', users: [expect.stringMatching(/^u_/)] });
      expect(alert?.evidence).toContain(`orders:${alert?.users[0]}`);
      await until(() => gateway.log().includes('surveillance alert'));
      await until(() => gateway.log().includes(`"users":["${alert?.users[0]}"]`));
      expect(JSON.stringify(alert)).not.toContain('nervous-nellie');
      expect(gateway.log()).not.toContain('nervous-nellie');
      await client.close();
    } finally {
      await gateway.stop();
      folder.remove();
    }
  });
});

describe('surveillance that cannot watch (R72)', () => {
  const ends: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
  });

  async function gatewayAt(url: string, settings: Readonly<Record<string, string>> = {}): Promise<TestGateway> {
    const gateway = await startGateway({ ...WATCH, NATS_URL: url, ...settings });
    ends.push(() => gateway.stop());
    return gateway;
  }

  it('R72 says without JetStream what to do, and serves on', async () => {
    const server = await startNatsServer();
    ends.push(() => server.stop());
    const gateway = await gatewayAt(server.url);
    await becomes(gateway, 'unavailable');
    expect((await alertsOf(gateway)).detail).toContain('no JetStream; without it, set SURVEILLANCE_LEASE=off');
    await until(() => gateway.log().includes('set SURVEILLANCE_LEASE=off on one gateway only'));
    expect((await fetch(`${gateway.adminUrl}/readyz`)).status).toBe(200);
  });

  it('R72 names the right that is missing, and watches once it is given', async () => {
    const configure = await configuration();
    await configure('publish: ">", subscribe: { allow: [">"], deny: ["orders.>"] }');
    const { gateway, server } = await gatewayAs(configure.file, { SURVEILLANCE_LEASE: 'off' });
    await becomes(gateway, 'unavailable');
    expect((await alertsOf(gateway)).detail).toBe('this NATS user may not subscribe orders.>');
    expect((await fetch(`${gateway.adminUrl}/readyz`)).status).toBe(200);
    await configure('publish: ">", subscribe: ">"');
    process.kill(server.pid, 'SIGHUP');
    await becomes(gateway, 'watching');
  });

  it('R72 publishes an alert that it may not publish yet once it may, and once on each subject', async () => {
    const configure = await configuration();
    await configure('publish: { allow: [">"], deny: ["surveillance.alerts"] }, subscribe: ">"');
    const { gateway, server } = await gatewayAs(configure.file, { SURVEILLANCE_LEASE: 'off' });
    await becomes(gateway, 'watching');
    const compliance = await connectTo({ servers: server.url, user: 'compliance', pass: 'c' });
    ends.push(() => compliance.close());
    const found: string[] = [];
    const callback = (_error: unknown, message: Msg) => void found.push(message.subject);
    for (const subject of ['surveillance.alerts', 'analytics.alerts']) compliance.subscribe(subject, { callback });
    const trade = { symbol: 'A', trade_id: 1, price: 1, quantity: 1, buyer_id: 'mallory', seller_id: 'mallory' };
    compliance.publish('md.trades.A', JSON.stringify(trade));
    await compliance.flush();
    await becomes(gateway, 'unavailable');
    expect((await alertsOf(gateway)).detail).toBe('this NATS user may not publish surveillance.alerts');
    await configure('publish: ">", subscribe: ">"');
    process.kill(server.pid, 'SIGHUP');
    await becomes(gateway, 'watching');
    await until(() => found.includes('surveillance.alerts'));
    expect(found.toSorted()).toEqual(['analytics.alerts', 'surveillance.alerts']);
  });

  it('R72 needs no other rights than those of the document', async () => {
    const document = await readFile(new URL('../../ops/surveillance.md', import.meta.url), 'utf8');
    const rights = (what: string) =>
      [...document.matchAll(new RegExp(`^\\| ${what} \\| (.*) \\|$`, 'gm'))]
        .flatMap(([, subjects = '']) => [...subjects.matchAll(/`([^`]+)`/g)].map(([, subject]) => subject))
        .join('", "');
    const configure = await configuration();
    await configure(
      `subscribe: ["md.>", "_INBOX.>", "control.*", "${rights('subscribe')}"], publish: ["${rights('publish')}"]`,
    );
    const { gateway, server } = await gatewayAs(configure.file, {}, true);
    await becomes(gateway, 'watching');
    const compliance = await connectTo({ servers: server.url, user: 'compliance', pass: 'c' });
    const found: string[] = [];
    const callback = (_error: unknown, message: Msg) => void found.push(message.subject);
    for (const subject of ['surveillance.alerts', 'analytics.alerts']) compliance.subscribe(subject, { callback });
    await compliance.flush();
    const trade = { symbol: 'A', trade_id: 1, price: 1, quantity: 1, buyer_id: 'mallory', seller_id: 'mallory' };
    compliance.publish('md.trades.A', JSON.stringify(trade));
    await until(() => found.length === 2);
    expect(await gateway.metric('millrace_surveillance_unpublished_total')).toBe(0);
    await compliance.close();
  });

  /** Writes a server's configuration, with these permissions of the gateway. */
  async function configuration() {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-surveillance-'));
    ends.push(() => rm(folder, { recursive: true }));
    const file = join(folder, 'nats.conf');
    const users = (permissions: string) =>
      `{ user: compliance, password: c }, { user: gateway, password: g, permissions: { ${permissions} } }`;
    const write = (permissions: string) => writeFile(file, `authorization { users: [${users(permissions)}] }`);
    return Object.assign(write, { file });
  }

  async function gatewayAs(file: string, settings: Readonly<Record<string, string>>, jetstream = false) {
    const server = await startNatsServer({ args: ['-c', file], jetstream });
    ends.push(() => server.stop());
    const gateway = await gatewayAt(server.url, { NATS_USER: 'gateway', NATS_PASSWORD: 'g', ...settings });
    return { gateway, server };
  }
});
