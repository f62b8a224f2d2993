/** Surveillance that moves from gateway to gateway, and from server to server, with what was seen before. R72. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTo, type NatsConnection } from 'nats';
import { afterEach, describe, expect, it } from 'vitest';
import { AdminClient } from '../support/admin-client.js';
import { FixSocket, fixPortOf } from '../support/fix-socket.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, type NatsServerOptions, startNatsServer } from '../support/nats-server.js';
import { PATIENCE_MS, until } from '../support/until.js';

interface Alert {
  readonly node: string;
  readonly detector: string;
  readonly users: readonly string[];
  readonly figures: Readonly<Record<string, number>>;
}

const WATCH = { WORKERS: '1', ENCODERS: '1', SURVEILLANCE: 'on' };
const ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

async function server(options: NatsServerOptions = { jetstream: true }): Promise<NatsServer> {
  const nats = await startNatsServer(options);
  ends.push(() => nats.stop());
  return nats;
}

async function gatewayAt(url: string, env: Readonly<Record<string, string>>): Promise<TestGateway> {
  const gateway = await startGateway({ ...WATCH, NATS_URL: url, ...env });
  ends.push(() => gateway.stop());
  return gateway;
}

async function surveillanceOf(gateway: TestGateway) {
  return (await new AdminClient(gateway.adminUrl).get('/alerts')).body as { state: string; detail: string };
}

const becomes = (gateway: TestGateway, state: string) =>
  until(async () => (await surveillanceOf(gateway)).state === state, PATIENCE_MS, `surveillance is ${state}`);

/** Publishes at a server, and keeps the alerts that come there. */
async function compliance(nats: NatsServer) {
  const connection: NatsConnection = await connectTo({ servers: nats.url });
  ends.push(() => connection.close());
  const alerts: Alert[] = [];
  connection.subscribe('surveillance.alerts', { callback: (_error, message) => void alerts.push(message.json()) });
  let trades = 0;
  const trade = (buyer_id: string, seller_id: string) =>
    connection.publish(
      'md.trades.ACME',
      JSON.stringify({ symbol: 'ACME', trade_id: ++trades, price: '1', quantity: '1', buyer_id, seller_id }),
    );
  /** So many trades of two users with each other, back and forth. */
  const wash = async (count: number) => {
    for (let n = 0; n < count; n++) trade(n % 2 === 0 ? 'x' : 'y', n % 2 === 0 ? 'y' : 'x');
    await connection.flush();
  };
  return { alerts, trade, wash, connection };
}

describe('surveillance that another gateway takes over (R72)', () => {
  it('R72 knows the last minutes from JetStream, and a holder that hung judges nothing more', async () => {
    const nats = await server();
    const start = (node: string) => gatewayAt(nats.url, { NODE_NAME: node, JETSTREAM: 'on' });
    const [first, second] = [await start('one'), await start('two')];
    const { alerts, trade, wash, connection } = await compliance(nats);
    await becomes(first, 'watching');
    await becomes(second, 'standby');
    trade('early', 'early');
    await wash(4);
    await until(() => alerts.length === 1);
    process.kill(first.pid, 'SIGSTOP');
    try {
      await becomes(second, 'watching');
      // Two more make a pattern only for those who know the first four; the first alert is not repeated.
      await wash(2);
      await until(() => alerts.length === 2);
      trade('late', 'late');
      trade('early', 'early');
      await connection.flush();
      await until(() => alerts.length === 3);
    } finally {
      process.kill(first.pid, 'SIGCONT');
    }
    await becomes(first, 'standby');
    trade('last', 'last');
    await connection.flush();
    await until(() => alerts.length === 4);
    expect(alerts.map(({ node, users }) => [node, ...users])).toEqual([
      ['one', 'early'],
      ['two', 'x', 'y'],
      ['two', 'late'],
      ['two', 'last'],
    ]);
    expect(alerts[1]?.figures).toEqual({ trades: 6, gross: 6, net: 0 });
    expect((await surveillanceOf(second)).detail).toBe('');
  });
});

describe('surveillance with a backup (R72)', () => {
  it('R72 follows the feed to the backup and back, and forgets nothing', async () => {
    const [primary, backup] = [await server({}), await server({})];
    const env = { NATS_BACKUP_URL: backup.url, FEED_STALE_AFTER: '1s', SURVEILLANCE_LEASE: 'off' };
    const gateway = await gatewayAt(primary.url, env);
    await becomes(gateway, 'watching');
    const atPrimary = await compliance(primary);
    const atBackup = await compliance(backup);
    await atPrimary.wash(4);
    await until(async () => (await gateway.metric('millrace_surveillance_events_total')) === 4);
    await atPrimary.connection.close();
    await primary.kill();
    // The feed leaves a dead server once the other one delivers.
    await until(async () => {
      atBackup.trade('p', 'q');
      await atBackup.connection.flush();
      return (await gateway.metric('millrace_surveillance_events_total')) > 4;
    });
    await becomes(gateway, 'watching');
    await atBackup.wash(2);
    await until(() => atBackup.alerts.length > 0);
    expect(atBackup.alerts).toMatchObject([{ detector: 'wash_trades', users: ['x', 'y'], figures: { trades: 6 } }]);
  });
});

describe('surveillance of FIX clients, with thresholds that change (R72)', () => {
  it('R72 reports a client that requests and withdraws again and again, by the thresholds in force', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-thresholds-'));
    ends.push(() => rm(folder, { recursive: true }));
    const file = join(folder, 'thresholds.json');
    const changesMax = (changes_per_minute_max: number) =>
      writeFile(file, JSON.stringify({ client_churn: { changes_per_minute_max } }));
    await changesMax(900);
    const nats = await server({});
    const env = { FIX_PORT: '0', SYMBOLS: 'AAPL', SURVEILLANCE_LEASE: 'off', SURVEILLANCE_THRESHOLDS: file };
    const gateway = await gatewayAt(nats.url, env);
    const { alerts } = await compliance(nats);
    await writeFile(file, '{"client_churn":{"changes_per_minute_max":1000},"layring":{}}');
    await until(() => gateway.log().includes('surveillance thresholds cannot be used'));
    await until(() => gateway.log().includes('above 999 the detector would be off'));
    await changesMax(10);
    await until(() => gateway.log().includes('surveillance thresholds read again'));
    const socket = new FixSocket(fixPortOf(gateway), 'NERVOUS');
    ends.push(async () => socket.end());
    expect(await socket.logOn(await testToken({ sub: 'nervous' }))).toContain('|35=A|');
    for (let n = 0; n < 6; n++) {
      socket.subscribe(`r${n}`, ['AAPL']);
      socket.send('V', [
        [262, `r${n}`],
        [263, 2],
        [264, 10],
        [265, 1],
        [267, 1],
        [269, 0],
        [146, 1],
        [55, 'AAPL'],
      ]);
    }
    await until(() => alerts.length > 0);
    expect(alerts).toMatchObject([{ detector: 'client_churn', users: ['nervous'] }]);
  });
});
