/** Large sets of topics: in frames that common clients accept, on slow links too; and what they cost while they are silent. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type Frame, TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { ThrottledGate } from '../support/throttled-gate.js';
import { until } from '../support/until.js';

const FRAME_BYTES_MAX = 32 * 1024;
const QUOTES = Array.from({ length: 300 }, (_, i) => `Q${i}`);
const BOOKS = Array.from({ length: 1000 }, (_, i) => `B${i}`);
const LEVELS = Array.from({ length: 100 }, (_, i) => i);
const SLOW_TIMEOUT_MS = 180_000;
/** The set takes five times as long as WS_CIRCUIT_BREAKER_RECOVERY. */
const SLOW_BYTES_PER_SECOND = 400_000;

let nats: NatsServer;
let publisher: TestPublisher;
let gateway: TestGateway;
const clients: TestClient[] = [];

beforeAll(async () => {
  nats = await startNatsServer();
  gateway = await startGateway({
    NATS_URL: nats.url,
    SYMBOLS: 'NONE',
    HEARTBEAT_INTERVAL: '200ms',
    HEARTBEAT_INTERVAL_MAX: '800ms',
    // Little, so that the set does not fit, and does not drain in time either.
    WS_MAX_BACKPRESSURE: '128KiB',
    WS_CIRCUIT_BREAKER_RECOVERY: '2s',
  });
  publisher = await TestPublisher.connect(nats.url);
  for (const symbol of QUOTES)
    publisher.put(`md.quotes.${symbol}`, { symbol, current_price: 1, note: 'x'.repeat(600) });
  for (const symbol of BOOKS) {
    const bids = LEVELS.map(level => [`${1000 - level}.25`, '1.5']);
    const asks = LEVELS.map(level => [`${1001 + level}.25`, '2.5']);
    publisher.put(`md.books.${symbol}`, { symbol, bids, asks, snapshot: true });
  }
  await publisher.settled(gateway);
});

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});

afterAll(async () => {
  await publisher?.close();
  await gateway?.stop();
  await nats?.stop();
});

async function connect(path: string, port = new URL(gateway.url).port): Promise<TestClient> {
  const client = await TestClient.connect(`ws://127.0.0.1:${port}${path}&token=${await testToken()}`);
  clients.push(client);
  return client;
}

const isSnapshot = (frame: Frame) => frame.snapshot === true;
const symbolsOf = (frames: readonly Frame[]) => frames.flatMap(({ seqs }) => Object.keys(seqs as object));

it.each(['json', 'msgpack'])(
  'S3 sends many quotes in frames of 32 KiB at most, and says in %s which is the last',
  async format => {
    const lengths: number[] = [];
    const client = await connect(`/ws?format=${format}`);
    client.socket.on('message', (data: Buffer) => lengths.push(data.length));
    client.send({ action: 'subscribe', stream: 'quotes', symbols: QUOTES });
    await client.next('the last one', frame => frame.complete === true);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(FRAME_BYTES_MAX);
    const snapshots = client.frames.filter(isSnapshot);
    expect(snapshots.length).toBeGreaterThan(5);
    // Each quote once, and nothing after the last one.
    expect(symbolsOf(snapshots).sort()).toEqual([...QUOTES].sort());
    expect(snapshots.filter(({ complete }) => complete !== undefined)).toEqual([snapshots.at(-1)]);
  },
);

it('S3 sends few quotes in one frame, which is the last, also when they are asked for by their endpoint or again', async () => {
  const client = await connect('/ws/quotes?symbols=Q1,Q2,NOPE');
  await client.arrived('warning');
  const answers = client.frames.filter(({ type }) => type !== 'status');
  expect(answers.map(({ type, complete }) => [type, complete])).toEqual([
    ['quotes_patch', true],
    ['warning', undefined],
  ]);
  client.send({ action: 'resync', stream: 'quotes', symbols: ['Q1', 'Q2'] });
  await until(() => client.ofType('quotes_patch').length === 2);
  expect(client.ofType('quotes_patch')[1]).toMatchObject({ complete: true });
});

it('S4 tells that a topic is silent at doubling intervals', async () => {
  const client = await connect('/ws?format=json');
  const atMs: number[] = [];
  client.socket.on('message', (data: Buffer) => {
    if (data.toString().includes('"heartbeat"')) atMs.push(performance.now());
  });
  publisher.put('md.quotes.SILENT', { symbol: 'SILENT', current_price: 1 });
  await publisher.settled(gateway);
  const startedMs = performance.now();
  client.send({ action: 'subscribe', stream: 'quotes', symbol: 'SILENT' });
  await until(() => atMs.length >= 5);
  // 200, 600, 1400, 2200 and 3000 ms after the message, however late the machine is; every 200 ms it would be 1 s.
  expect((atMs[4] ?? 0) - startedMs).toBeGreaterThan(2_000);
});

it(
  'S2 completes a large set for a client that reads slowly without pause, and sends nothing twice',
  { tags: ['slow'], timeout: SLOW_TIMEOUT_MS },
  async () => {
    const gate = await ThrottledGate.open(Number(new URL(gateway.url).port));
    try {
      gate.bytesPerSecond = SLOW_BYTES_PER_SECOND;
      const client = await connect('/ws?format=json', String(gate.port));
      client.send({ action: 'subscribe', stream: 'depth', depth: 100, symbols: BOOKS });
      const books = () => client.ofType('depth_patch').map(({ symbol }) => String(symbol));
      await until(() => client.closed !== undefined || books().length >= BOOKS.length, SLOW_TIMEOUT_MS);
      expect(client.closed).toBeUndefined();
      expect(books().sort()).toEqual([...BOOKS].sort());
      expect(await gateway.metric('millrace_stalls_total')).toBe(0);
      // They are live.
      const changed = BOOKS.filter((_, i) => i % 10 === 0);
      for (const symbol of changed) publisher.put(`md.books.${symbol}`, { symbol, bids: [['1000.25', '9']], asks: [] });
      await until(() => books().length >= BOOKS.length + changed.length, SLOW_TIMEOUT_MS);
      expect(client.ofType('depth_patch').filter(isSnapshot)).toHaveLength(BOOKS.length);
    } finally {
      await gate.close();
    }
  },
);
