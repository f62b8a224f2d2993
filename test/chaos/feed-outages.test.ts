/**
 * One NATS server, whose connection, process, consumer or stream fails: what clients see of it.
 * @module-tag slow
 * @module-tag bulk
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type JetStreamManager, type NatsConnection } from 'nats';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../support/gateway.js';
import { MarketPump, NUMBERED, PLAIN } from '../support/market-pump.js';
import { MarketWatcher, numbers } from '../support/market-watcher.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TcpGate } from '../support/tcp-gate.js';
import { until } from '../support/until.js';

const TIMEOUT_MS = 30_000;
const STREAM = 'MILLRACE';
/** Published before, during and after a fault. */
const SOME = 30;
const SETTINGS = { WORKERS: '1', ENCODERS: '1', SYMBOLS: `${NUMBERED},${PLAIN}` };

let storeDir: string;
let nats: NatsServer;
let gate: TcpGate;
let publisher: NatsConnection;
let gateway: TestGateway;
let watcher: MarketWatcher;
let pump: MarketPump;

async function begin(isStream: boolean): Promise<void> {
  storeDir = await mkdtemp(join(tmpdir(), 'millrace-outages-'));
  nats = await startNatsServer(isStream ? { jetstream: true, storeDir } : {});
  gate = await TcpGate.open(nats.port);
  publisher = await connect({
    servers: nats.url,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
    reconnectJitter: 50,
  });
  const url = `nats://127.0.0.1:${gate.port}`;
  gateway = await startGateway({ ...SETTINGS, NATS_URL: url, ...(isStream ? { JETSTREAM: 'on' } : {}) });
  pump = new MarketPump([publisher]);
}

async function end(): Promise<void> {
  pump?.stop();
  await gateway?.stop();
  await publisher?.close();
  await gate?.close();
  await nats?.stop();
  await rm(storeDir, { recursive: true, force: true });
}

/** A client that has got something. */
async function watch(): Promise<void> {
  watcher = await MarketWatcher.open(gateway);
  pump.start();
  await watcher.reaches(pump.last + SOME);
}

/** Everything that was published since has come, whatever was announced as lost in between. */
async function settles(): Promise<void> {
  await watcher.reaches(pump.last + SOME);
  pump.stop();
  await publisher.flush();
  await watcher.reaches(pump.last);
  await watcher.client.close();
  expect(watcher.client.closed?.code).toBe(1005);
  for (const symbol of [NUMBERED, PLAIN]) {
    expect(watcher.silentHoles(symbol)).toEqual([]);
    expect(watcher.price(symbol)).toBe(pump.last);
  }
  expect(gateway.log()).not.toMatch(/"msg":"fault"|died/);
}

function expectNothingLost(): void {
  for (const symbol of [NUMBERED, PLAIN]) {
    expect(watcher.ids(symbol)).toEqual(numbers(watcher.ids(symbol)[0] ?? 0, pump.last));
    expect(watcher.gaps(symbol)).toEqual([]);
    expect(watcher.epochs(symbol)).toHaveLength(1);
  }
}

/** Ends the server without a goodbye; returns what starts it again where it was. */
async function killServer(): Promise<() => Promise<void>> {
  const { port } = nats;
  await nats.kill();
  return async () => {
    nats = await startNatsServer({ port });
  };
}

/**
 * The same with JetStream, at a moment when all that was published is stored: what a publisher without acknowledgements sends
 * into a dying server was never in the stream. Started again, it has more before the gateway can read on.
 */
async function killStreamServer(): Promise<() => Promise<void>> {
  const { port } = nats;
  pump.stop();
  await publisher.flush();
  await watcher.reaches(pump.last);
  await until(() => isOnDisk(`"symbol":"${PLAIN}","current_price":${pump.last}}`), TIMEOUT_MS);
  gate.cut();
  await nats.kill();
  const { last } = pump;
  return async () => {
    nats = await startNatsServer({ jetstream: true, storeDir, port });
    await until(() => publisher.flush().then(() => true), TIMEOUT_MS);
    pump.start();
    await until(() => pump.last >= last + SOME, TIMEOUT_MS);
    await publisher.flush();
    gate.restore();
  };
}

/** True when the store's files hold the text: nats-server writes what it has taken a little later. */
async function isOnDisk(text: string): Promise<boolean> {
  const files = await readdir(storeDir, { recursive: true, withFileTypes: true });
  const blocks = files.filter(({ name }) => name.endsWith('.blk'));
  const contents = await Promise.all(blocks.map(({ parentPath, name }) => readFile(join(parentPath, name))));
  return contents.some(content => content.includes(text));
}

async function cutGate(): Promise<() => Promise<void>> {
  gate.cut();
  return async () => gate.restore();
}

describe('R43 core NATS', () => {
  beforeAll(() => begin(false));
  afterEach(() => pump.stop());
  afterAll(end);

  it.each([
    ['cut', cutGate],
    ['gone with its server, which is killed and started again', killServer],
  ])('R43 whose connection is %s: clients stay, get the last values, and are told what is lost', async (_, fault) => {
    await watch();
    const heal = await fault();
    await watcher.hears('stale');
    const price = watcher.price(NUMBERED);
    const late = await MarketWatcher.open(gateway);
    await late.client.arrived('quotes_patch');
    expect(late.price(NUMBERED)).toBe(price);
    await late.hears('stale');
    expect(late.statuses).toEqual(['stale']);
    await heal();
    await watcher.hears('live');
    await settles();
    expect(watcher.statuses).toEqual(['stale', 'live']);
    expect(watcher.gaps(PLAIN).map(({ reason }) => reason)).toEqual(['new_epoch']);
    // The publisher's numbers say exactly what is missing.
    const held = new Set(watcher.ids(NUMBERED));
    const missing = numbers(Math.min(...held), pump.last).filter(id => !held.has(id));
    const announced = watcher.gaps(NUMBERED).flatMap(({ from, to }) => numbers(Number(from), Number(to)));
    expect(announced).toEqual(missing);
    expect(late.client.closed).toBeUndefined();
    await late.client.close();
  });

  it('R43 whose connection is slow: everything comes, later, and nothing is called lost', async () => {
    await watch();
    gate.slowServer(20_000);
    const before = pump.last;
    for (let n = 0; n < 200; n++) pump.put();
    await publisher.flush();
    // Slower than they are published: there is something that waits.
    expect(watcher.ids(PLAIN).at(-1)).toBeLessThan(pump.last);
    await watcher.reaches(before + 20);
    gate.releaseServer();
    await settles();
    expect(watcher.statuses).toEqual([]);
    expectNothingLost();
  });

  it('R47 R43 on which a publisher repeats garbage without end: it is refused, and the rest goes on', async () => {
    await watch();
    const before = await gateway.metric('millrace_feed_rejected_total{reason="invalid_json"}');
    const ignored = await gateway.metric('millrace_feed_ignored_total');
    const garbage = [
      '',
      'garbage',
      '{"symbol":',
      '[]',
      'null',
      '{"__proto__":{"x":1}}',
      '\u0000\u0001',
      '{'.repeat(50_000),
    ];
    const binary = [
      Buffer.from([0xff, 0xfe, 0xc1]),
      Buffer.alloc(1_000, 0x80),
      Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff]),
    ];
    for (let round = 0; round < 100; round++) {
      for (const payload of [...garbage, ...binary]) {
        publisher.publish(`md.trades.${PLAIN}`, payload);
        publisher.publish(`md.quotes.${NUMBERED}`, payload);
      }
      publisher.publish('md', 'x');
      publisher.publish('md.nothing.A', 'x');
      if (round % 20 === 0) await publisher.flush();
    }
    await settles();
    expect(await gateway.metric('millrace_feed_rejected_total{reason="invalid_json"}')).toBeGreaterThan(before + 100);
    expect(await gateway.metric('millrace_feed_ignored_total')).toBeGreaterThanOrEqual(ignored + 100);
    expect(watcher.statuses).toEqual([]);
    expect(watcher.ids(PLAIN)).toEqual(numbers(watcher.ids(PLAIN)[0] ?? 0, pump.last));
    expect(await gateway.metric('millrace_encoder_restarts_total')).toBe(0);
    // One line a second for each reason, whatever comes.
    expect(
      gateway
        .log()
        .split('\n')
        .filter(line => line.includes('dead-lettered')).length,
    ).toBeLessThan(100);
  });
});

describe('R43 JetStream', () => {
  let manager: JetStreamManager;
  beforeAll(async () => {
    await begin(true);
    manager = await publisher.jetstreamManager();
  });
  afterEach(() => pump.stop());
  afterAll(end);

  it.each([
    ['connection is cut', cutGate],
    ['server is killed and started again with its store', killStreamServer],
  ])('R43 whose %s loses nothing: one epoch, no gap', async (_, fault) => {
    await watch();
    const heal = await fault();
    await watcher.hears('stale');
    await heal();
    await watcher.hears('live');
    await settles();
    expect(watcher.statuses).toEqual(['stale', 'live']);
    expectNothingLost();
  });

  it('R43 whose connection is slow loses nothing', async () => {
    await watch();
    gate.slowServer(30_000);
    const before = pump.last;
    for (let n = 0; n < 200; n++) pump.put();
    await watcher.reaches(before + 20);
    gate.releaseServer();
    await settles();
    expectNothingLost();
  });

  it('R43 whose consumer is deleted makes another, and loses nothing', async () => {
    await watch();
    let deleted = 0;
    for await (const { name } of manager.consumers.list(STREAM)) {
      await manager.consumers.delete(STREAM, name);
      deleted++;
    }
    expect(deleted).toBeGreaterThan(0);
    await settles();
    expectNothingLost();
  });

  it('R43 whose stream was emptied before it could be read says that something is lost', async () => {
    await watch();
    gate.cut();
    await watcher.hears('stale');
    const before = pump.last;
    await until(() => pump.last >= before + SOME, TIMEOUT_MS);
    await manager.streams.purge(STREAM);
    gate.restore();
    await watcher.hears('live');
    await settles();
    for (const symbol of [NUMBERED, PLAIN]) {
      expect(watcher.ids(symbol).length).toBeLessThan(pump.last - (watcher.ids(symbol)[0] ?? 0) + 1);
      expect(watcher.gaps(symbol).map(({ reason }) => reason)).toEqual(['new_epoch']);
    }
  });

  it('R43 whose stream is deleted goes on with another one, in a new epoch that is announced', async () => {
    await watch();
    await manager.streams.delete(STREAM);
    await watcher.hears('stale');
    await watcher.hears('live');
    expect((await manager.streams.info(STREAM)).config.subjects).toContain('md.>');
    await settles();
    expect(watcher.statuses).toEqual(['stale', 'live']);
    for (const symbol of [NUMBERED, PLAIN]) {
      expect(watcher.epochs(symbol)).toHaveLength(2);
      expect(watcher.gaps(symbol).map(({ reason }) => reason)).toEqual(['new_epoch']);
    }
  });
});
