/**
 * Two NATS servers, one of which fails: what clients see of it.
 * @module-tag slow
 * @module-tag bulk
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type NatsConnection } from 'nats';
import { afterEach, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../support/gateway.js';
import { MarketPump, NUMBERED, PLAIN } from '../support/market-pump.js';
import { MarketWatcher, numbers } from '../support/market-watcher.js';
import { type NatsServer, type NatsServerOptions, startNatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';

const TIMEOUT_MS = 30_000;
const MORE = 30;

/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

async function server(options: NatsServerOptions = {}): Promise<NatsServer> {
  const started = await startNatsServer(options);
  ends.push(() => started.stop());
  return started;
}

async function connection(url: string): Promise<NatsConnection> {
  const nats = await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 50, reconnectJitter: 50 });
  ends.push(() => nats.close());
  return nats;
}

interface FailoverSetup {
  readonly primary: NatsServer;
  readonly backup: NatsServer;
  readonly gateway: TestGateway;
  readonly pump: MarketPump;
  readonly watcher: MarketWatcher;
}

/** A gateway on two servers, a market on both, and a client that follows it. */
async function startBoth(
  env: Record<string, string> = {},
  options: readonly NatsServerOptions[] = [{}, {}],
): Promise<FailoverSetup> {
  const primary = await server(options[0]);
  const backup = await server(options[1]);
  const gateway = await startGateway({
    NATS_URL: primary.url,
    NATS_BACKUP_URL: backup.url,
    FEED_STALE_AFTER: '1500ms',
    WORKERS: '1',
    ENCODERS: '1',
    SYMBOLS: `${NUMBERED},${PLAIN}`,
    ...env,
  });
  ends.push(() => gateway.stop());
  const pump = new MarketPump([await connection(primary.url), await connection(backup.url)]);
  ends.push(() => pump.stop());
  const watcher = await MarketWatcher.open(gateway);
  ends.push(() => watcher.client.close());
  pump.start();
  await watcher.reaches(MORE);
  return { primary, backup, gateway, pump, watcher };
}

const active = async (gateway: TestGateway) => {
  return (await gateway.metric('millrace_feed_upstream_active{upstream="primary"}')) === 1 ? 'primary' : 'backup';
};

/** What holds whatever failed. */
function expectSound({ watcher, gateway }: FailoverSetup): void {
  expect(watcher.client.closed).toBeUndefined();
  for (const symbol of [NUMBERED, PLAIN]) expect(watcher.silentHoles(symbol)).toEqual([]);
  expect(gateway.log()).not.toMatch(/"msg":"fault"|died/);
}

describe('R44 a backup feed', () => {
  it('R44 takes over from a primary that is killed, without a hole where the publisher numbers, and back', async () => {
    const setup = await startBoth();
    const { watcher, pump, gateway, primary } = setup;
    expect(watcher.statuses).toEqual([]);
    await primary.kill();
    await watcher.hears('failover');
    await watcher.reaches(pump.last + MORE);
    expect(await active(gateway)).toBe('backup');

    // Rooms are published to the upstream that is read.
    watcher.client.send({ action: 'subscribe', stream: 'rooms', room: 'desk', id: 'room' });
    await watcher.client.next('the room', frame => frame.type === 'subscribed' && frame.id === 'room');
    watcher.client.send({ action: 'publish', stream: 'rooms', room: 'desk', data: { text: 'hi' }, id: 'm1' });
    await watcher.client.next('the answer', frame => frame.type === 'ack' && frame.id === 'm1');
    expect(await watcher.client.arrived('room_message')).toHaveLength(1);

    await server({ port: primary.port });
    await watcher.hears('live');
    await watcher.reaches(pump.last + MORE);
    pump.stop();
    await watcher.reaches(pump.last);
    expect(watcher.statuses).toEqual(['stale', 'failover', 'live']);
    expect(watcher.ids(NUMBERED)).toEqual(numbers(watcher.ids(NUMBERED)[0] ?? 0, pump.last));
    expect(watcher.gaps(NUMBERED)).toEqual([]);
    expect(watcher.epochs(NUMBERED)).toEqual(['market']);
    expect(watcher.epochs(PLAIN).length).toBeGreaterThanOrEqual(3);
    expect(new Set(watcher.gaps(PLAIN).map(({ reason }) => reason))).toEqual(new Set(['new_epoch']));
    expect([watcher.price(NUMBERED), watcher.price(PLAIN)]).toEqual([pump.last, pump.last]);
    expect(await active(gateway)).toBe('primary');
    expect(await gateway.metric('millrace_feed_failovers_total')).toBe(1);
    expect(await gateway.metric('millrace_feed_upstream_duplicates_total')).toBeGreaterThan(MORE);
    expectSound(setup);
  });

  it('R44 takes over from a primary that is connected and silent, and back when it speaks again', async () => {
    const setup = await startBoth();
    const { watcher, pump, primary } = setup;
    process.kill(primary.pid, 'SIGSTOP');
    try {
      await watcher.hears('failover');
      await watcher.reaches(pump.last + MORE);
      expect(watcher.statuses).toEqual(['failover']);
    } finally {
      process.kill(primary.pid, 'SIGCONT');
    }
    await watcher.hears('live');
    await watcher.reaches(pump.last + MORE);
    pump.stop();
    await watcher.reaches(pump.last);
    expect(watcher.statuses).toEqual(['failover', 'live']);
    expect(watcher.ids(NUMBERED)).toEqual(numbers(watcher.ids(NUMBERED)[0] ?? 0, pump.last));
    expect(watcher.gaps(NUMBERED)).toEqual([]);
    expect(watcher.gaps(PLAIN).length).toBeGreaterThanOrEqual(2);
    expectSound(setup);
  });

  it('R44 between two JetStream streams begins a new epoch at each switch, and says so', async () => {
    const storeDir = await mkdtemp(join(tmpdir(), 'millrace-failover-'));
    ends.push(() => rm(storeDir, { recursive: true, force: true }));
    const setup = await startBoth({ JETSTREAM: 'on' }, [{ jetstream: true, storeDir }, { jetstream: true }]);
    const { watcher, pump, primary, gateway } = setup;
    await primary.kill();
    await watcher.hears('failover');
    await watcher.reaches(pump.last + MORE);
    await server({ jetstream: true, storeDir, port: primary.port });
    await watcher.hears('live');
    await watcher.reaches(pump.last + MORE);
    pump.stop();
    await watcher.reaches(pump.last);
    expect(watcher.statuses).toEqual(['stale', 'failover', 'live']);
    for (const symbol of [NUMBERED, PLAIN]) {
      // The primary's epoch goes on where it is read again.
      expect(watcher.epochs(symbol)).toHaveLength(2);
      expect(watcher.gaps(symbol).map(({ reason }) => reason)).toEqual(['new_epoch', 'new_epoch']);
      expect(watcher.price(symbol)).toBe(pump.last);
    }
    await until(async () => (await gateway.metric('millrace_feed_behind_messages')) === 0, TIMEOUT_MS);
    expectSound(setup);
  });
});
