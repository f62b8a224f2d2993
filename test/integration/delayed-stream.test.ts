/**
 * R74 R70 Delayed data of a stream: nothing reaches a client before its delay, by whatever path, and what reached it can be told.
 * @module-tag slow
 * @module-tag bulk
 */
import { rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type NatsConnection } from 'nats';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { handedIn } from '../support/journal/derived.js';
import { JournalFolder } from '../support/journal/folder.js';
import { compare, told } from '../support/journal/reconstructed.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { RecordedClient } from '../support/recorded-client.js';
import { ThrottledGate } from '../support/throttled-gate.js';
import { until } from '../support/until.js';

const FAULTS = new URL('../support/faults.mjs', import.meta.url).href;
const DELAY = '3s';
const DELAY_MS = 3_000;
const PUBLISH_MS = 20;
/** Every message holds its number, which nothing else in a frame looks like. */
const FIRST = 1_000_000;
const NUMBER = /\b1\d{6}\b/g;
const LEVELS = 30;
const TRADES = 4;
const STALLED_BYTES_PER_SECOND = 500;
const TOPICS = ['quotes:VOD.L', 'depth:VOD.L', 'orderbook:VOD.L', 'trades:VOD.L'] as const;
const PRODUCTS = [
  { code: 'XLON', vendor: 'LSEG', topics: ['quotes:*.L', 'trades:*.L', 'depth:*.L', 'orderbook:*.L'], delay: DELAY },
];

const folder = new JournalFolder();
const faultFile = join(folder.base, 'fault');
/** When each number was published, by this process's clock. */
const publishedAtMs: number[] = [];
const late: RecordedClient[] = [];
const early: string[] = [];
let storeDir: string;
let nats: NatsServer;
let publisher: NatsConnection;
let gateway: TestGateway;
let gate: ThrottledGate;
let publishing: NodeJS.Timeout;

function publish(): void {
  const n = FIRST + publishedAtMs.length;
  publishedAtMs.push(performance.now());
  const isWhole = (n - FIRST) % 25 === 0;
  const symbol = 'VOD.L';
  send('md.quotes', { symbol, ...(isWhole ? { base_price: n } : { partial: true }), current_price: n });
  for (let i = 0; i < TRADES; i++) {
    send('md.trades', { symbol, trade_id: n, price: '1', quantity: '2', buyer_id: 'b', seller_id: 's' });
  }
  // The best bid is the newest number; it leaves one that is worse.
  const bids = Array.from({ length: isWhole ? LEVELS : 1 }, (_, i) => [String(n - i), '1']);
  send('md.books', {
    symbol,
    timestamp: new Date(1_793_613_600_000 + n).toISOString(),
    bids: isWhole ? bids : [...bids, [String(n - LEVELS), '0']],
    asks: [[`${2 * n}`, '1']],
    ...(isWhole ? { snapshot: true } : {}),
  });
}

function send(kind: string, message: object): void {
  publisher.publish(`${kind}.VOD.L`, JSON.stringify(message));
}

const env = () => ({
  ...folder.env,
  NATS_URL: nats.url,
  JETSTREAM: 'on',
  NATS_STREAM: 'MARKET',
  SYMBOLS: '*',
  WORKERS: '1',
  ENCODERS: '1',
  WS_PING_INTERVAL: '1s',
  WS_MAX_BACKPRESSURE: '64KiB',
  TCP_NOTSENT_LOWAT: '4KiB',
  PRODUCTS_FILE: join(folder.base, 'products.json'),
  NODE_OPTIONS: `--import ${FAULTS}`,
  FAULT_FILE: faultFile,
});

beforeAll(async () => {
  writeFileSync(join(folder.base, 'products.json'), JSON.stringify({ products: PRODUCTS }), { mode: 0o600 });
  storeDir = await mkdtemp(join(tmpdir(), 'millrace-delayed-'));
  nats = await startNatsServer({ jetstream: true, storeDir });
  publisher = await connect({ servers: nats.url });
  gateway = await startGateway(env());
  publish();
  publishing = setInterval(publish, PUBLISH_MS);
}, 60_000);

afterAll(async () => {
  clearInterval(publishing);
  for (const client of late) await client.close();
  await gate?.close();
  await gateway?.stop('SIGINT');
  await publisher?.close();
  await nats?.stop();
  rmSync(storeDir, { recursive: true, force: true });
  folder.remove();
});

const subscribe = (stream: string, more: object = {}) => ({ action: 'subscribe', stream, symbol: 'VOD.L', ...more });
const ALL = [subscribe('quotes'), subscribe('depth', { depth: 10 }), subscribe('orderbook'), subscribe('trades')];

/** Every message that the client gets is checked as it comes. */
async function enter(commands: readonly object[], port = new URL(gateway.url).port): Promise<RecordedClient> {
  const token = await testToken({ sub: 'late', tier: 'institutional', entitlements: ['delayed:*'] });
  const client = await RecordedClient.connect(`ws://127.0.0.1:${port}/ws?token=${token}`, commands, ({ bytes }) => {
    const newest = Math.max(...(bytes.toString().match(NUMBER) ?? []).map(Number));
    const ageMs = performance.now() - (publishedAtMs[newest - FIRST] ?? Number.NEGATIVE_INFINITY);
    if (ageMs < DELAY_MS) early.push(`after ${ageMs} ms: ${bytes.toString().slice(0, 300)}`);
  });
  late.push(client);
  return client;
}

const isAbout = (topic: string) => (value: unknown) => handedIn(value).some(one => one.topic === topic);

/** The client gets a message of each of these topics, and of what was published after now. */
async function getsNews(client: RecordedClient, topics: readonly string[], what: string): Promise<void> {
  const from = client.received.length;
  const number = FIRST + publishedAtMs.length;
  const isNew = (text: string) => (text.match(NUMBER) ?? []).some(one => Number(one) >= number);
  const hasAll = () => {
    const news = client.received.slice(from).filter(({ bytes }) => isNew(bytes.toString()));
    return topics.every(topic => news.some(({ value }) => isAbout(topic)(value)));
  };
  await until(hasAll, 60_000, what);
}

/** Where the client stands in a topic. */
function positionIn(client: RecordedClient, topic: string): { readonly epoch: string; readonly seq: number } {
  const last = client.received.findLast(({ value }) =>
    handedIn(value).some(one => one.topic === topic && one.what === 'message'),
  );
  const [{ epoch, seq } = { epoch: '', seq: 0 }] = handedIn(last?.value);
  return { epoch, seq };
}

it(
  'R74 R70 comes late by each path, also of a gateway that started within the delay, and is told byte for byte',
  { timeout: 240_000 },
  async () => {
    const token = await testToken({ sub: 'now', tier: 'institutional', entitlements: ['quotes:*', 'depth:*'] });
    const realtime = await RecordedClient.connect(`${gateway.url}/ws?token=${token}`, [
      subscribe('quotes'),
      subscribe('depth', { depth: 10 }),
    ]);
    late.push(realtime);
    // Snapshots and changes.
    const first = await enter(ALL);
    await getsNews(first, TOPICS, 'delayed data');
    expect(realtime.received.length).toBeGreaterThan(
      first.received.filter(({ value }) => isAbout('quotes:VOD.L')(value)).length,
    );
    // Another depth, and snapshots that are asked for.
    first.send(subscribe('depth', { depth: 25 }));
    first.send({ action: 'resync', stream: 'quotes', symbol: 'VOD.L' });
    await getsNews(first, ['depth:VOD.L', 'quotes:VOD.L'], 'another depth');
    // A client that does not keep up, and recovers.
    gate = await ThrottledGate.open(Number(new URL(gateway.url).port));
    const stalled = await enter(
      [subscribe('depth', { depth: 100 }), subscribe('trades'), subscribe('quotes')],
      String(gate.port),
    );
    await getsNews(stalled, ['trades:VOD.L'], 'delayed data of a client that will not read');
    gate.bytesPerSecond = STALLED_BYTES_PER_SECOND;
    // An encoder dies.
    writeFileSync(faultFile, 'encoder throw');
    await until(async () => (await gateway.metric('millrace_encoder_restarts_total')) >= 1, 30_000, 'another encoder');
    await getsNews(first, TOPICS, 'delayed data of another encoder');
    const isPaused = () => folder.records().some(({ k, c }) => k === 'paused' && c === stalled.id);
    await until(isPaused, 60_000, 'the client is paused');
    gate.bytesPerSecond = undefined;
    await getsNews(stalled, ['depth:VOD.L', 'trades:VOD.L'], 'delayed data after a stall');
    // Back where it stood, within the delay.
    const since = positionIn(first, 'trades:VOD.L');
    await first.close();
    const resumed = await enter([subscribe('trades', { since }), subscribe('quotes')]);
    await getsNews(resumed, ['trades:VOD.L', 'quotes:VOD.L'], 'delayed data behind a position');
    // Another gateway, within the delay.
    const later = positionIn(resumed, 'trades:VOD.L');
    expect(await gateway.stop()).toBe(0);
    gateway = await startGateway(env());
    const returned = await enter([...ALL.slice(0, 3), subscribe('trades', { since: later })]);
    await getsNews(returned, TOPICS, 'delayed data of another gateway');
    clearInterval(publishing);
    const endMicros = Date.now() * 1000;
    await until(
      () => folder.records().some(({ k, c, at }) => k === 'confirmed' && c === returned.id && Number(at) > endMicros),
      30_000,
      'everything is confirmed',
    );
    for (const client of late) await client.close();
    expect(await gateway.stop()).toBe(0);
    expect(early).toEqual([]);
    let compared = 0;
    for (const client of late) {
      for (const topic of TOPICS) {
        const received = client.received.filter(({ value }) => isAbout(topic)(value));
        if (received.length === 0) continue;
        const lines = await told(
          ...([folder.path, folder.env, '--connection', client.id, '--topic', topic] as const),
          ...['--jetstream', '--stream', 'MARKET', '--nats', nats.url],
        );
        compare(lines, received, false, `${client.id} ${topic}`);
        compared += received.length;
      }
    }
    expect(compared).toBeGreaterThan(200);
  },
);
