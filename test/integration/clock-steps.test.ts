/** The system clock is set while programs run: what says the time of day follows, and what measures does not notice. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { valueIn } from '../../bench/harness/metrics.js';
import { type Frame, TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { SetClock } from '../support/set-clock.js';
import { until } from '../support/until.js';

const PUBLISHER = fileURLToPath(new URL('../support/steady-publisher.mjs', import.meta.url));
const HEARTBEAT_MS = 500;
/** A step is 5 s, so that what is this near cannot be what was before it, however busy the machine. */
const NEAR_MS = 2_400;
/** Enough for every worker to have some of them. */
const CLIENTS = 8;
const FOLLOWED_WITHIN_MS = 20_000;
/** What a client may get while nothing is wrong. */
const DATA = [
  'quotes_patch',
  'trade_executed',
  'orderbook_update',
  'alert',
  'room_message',
  'subscribed',
  'ack',
  'pong',
];

let nats: NatsServer;
let clock: SetClock;
let gateway: TestGateway;
let simulator: TestGateway;
let library: ChildProcess;
let publisher: TestPublisher;
const clients: TestClient[] = [];
let ownSimulated: TestClient;
/** Before the only message of SILENT. */
let publishedAtMs = 0;

async function connect(at: TestGateway, format: string): Promise<TestClient> {
  const token = await testToken({ roles: ['trader'] });
  const client = await TestClient.connect(`${at.url}/ws?timestamps=1&format=${format}&token=${token}`);
  clients.push(client);
  return client;
}

beforeAll(async () => {
  nats = await startNatsServer();
  clock = await SetClock.create();
  const env = {
    ...clock.env,
    WORKERS: '2',
    ENCODERS: '2',
    HEARTBEAT_INTERVAL: `${HEARTBEAT_MS}ms`,
    HEARTBEAT_INTERVAL_MAX: `${HEARTBEAT_MS}ms`,
  };
  [gateway, simulator] = await Promise.all([
    startGateway({ ...env, NATS_URL: nats.url, SYMBOLS: '*' }),
    startGateway({ ...env, FEED: 'simulator', SIM_SYMBOLS: '3', SIM_RATE: '50' }),
  ]);
  library = spawn(process.execPath, [PUBLISHER, nats.url], {
    env: { PATH: process.env.PATH ?? '', ...clock.env },
    // Ends with this process, whatever happens to it.
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  publisher = await TestPublisher.connect(nats.url);
  for (let i = 0; i < CLIENTS; i++) await connect(gateway, i % 2 === 0 ? 'json' : 'msgpack');
  for (const client of clients) {
    client.send({ action: 'subscribe', stream: 'quotes', symbols: ['LIBRARY', 'SILENT'] });
    client.send({ action: 'subscribe', stream: 'trades', symbol: 'LIBRARY' });
    client.send({ action: 'subscribe', stream: 'orderbook', symbol: 'TIMELESS' });
    client.send({ action: 'subscribe', channels: ['alerts'] });
    client.send({ action: 'subscribe', stream: 'rooms', room: 'desk' });
    await client.arrived('subscribed', 5, FOLLOWED_WITHIN_MS);
  }
  publishedAtMs = performance.now();
  publisher.put('md.quotes.SILENT', { symbol: 'SILENT', current_price: 1 });
  ownSimulated = await connect(simulator, 'json');
  ownSimulated.send({ action: 'subscribe', stream: 'quotes', symbols: ['AAPL'] });
  ownSimulated.send({ action: 'subscribe', stream: 'trades' });
});

afterAll(async () => {
  await Promise.all(clients.map(client => client.close()));
  library?.kill('SIGKILL');
  await publisher?.close();
  await Promise.all([gateway?.stop(), simulator?.stop()]);
  await nats?.stop();
  await clock?.remove();
});

/** Every time of day in the frame, ms since the Unix epoch, by where it stands. */
function timesIn(frame: Frame): [where: string, ms: number][] {
  const times: [string, number][] = [];
  for (const name of ['ts_sent', 'ts_event'] as const) {
    if (frame[name] !== undefined) times.push([name, Number(frame[name]) / 1000]);
  }
  for (const name of ['timestamp', 'executed_at', 'time'] as const) {
    if (typeof frame[name] === 'string') times.push([name, Date.parse(frame[name])]);
  }
  return times.map(([name, ms]) => [`${String(frame.type)} ${name}`, ms]);
}

/** The newest of each time that the client has been told since `from`, less the machine's own time. */
function differences(client: TestClient, from: number): ReadonlyMap<string, number> {
  const newest = new Map<string, number>();
  for (const frame of client.frames.slice(from)) {
    for (const [where, ms] of timesIn(frame)) newest.set(where, ms - Date.now());
  }
  return newest;
}

let books = 0;
function publishOneEach(): void {
  books++;
  publisher.put('md.books.TIMELESS', { symbol: 'TIMELESS', bids: [[String(books), '1']], asks: [], snapshot: true });
  clients[0]?.send({ action: 'publish', stream: 'rooms', room: 'desk', data: books, id: `m${books}` });
  for (const client of clients) client.send({ action: 'ping', id: `p${books}` });
}

const EXPECTED = [
  'alert timestamp',
  'alert ts_event',
  'alert ts_sent',
  'orderbook_update timestamp',
  'orderbook_update ts_sent',
  'pong time',
  'quotes_patch ts_event',
  'quotes_patch ts_sent',
  'room_message timestamp',
  'room_message ts_sent',
  'trade_executed executed_at',
  'trade_executed ts_event',
  'trade_executed ts_sent',
];

async function followed(aheadS: number): Promise<void> {
  const from = clients.map(client => client.frames.length);
  const isNear = (ms: number) => Math.abs(ms - aheadS * 1000) < NEAR_MS;
  const wrong = () => {
    publishOneEach();
    return clients.flatMap((client, i) => {
      const found = differences(client, from[i] ?? 0);
      const expected = client === ownSimulated ? EXPECTED.filter(where => /^(quotes|trade)/.test(where)) : EXPECTED;
      return expected.filter(where => !isNear(found.get(where) ?? Number.NaN)).map(where => `${i} ${where}`);
    });
  };
  let last: string[] = [];
  const settled = async () => {
    last = wrong();
    return last.length === 0;
  };
  await until(settled, FOLLOWED_WITHIN_MS).catch(cause => {
    throw new Error(`the clock is ${aheadS} s ahead, and these do not follow: ${last.join(', ')}`, { cause });
  });
}

/** Frames whose age was above 2.5 s when they were sent. */
async function lateFrames(of: TestGateway): Promise<number> {
  // Of one scrape: frames are published between two.
  const text = await of.metrics();
  const upTo = (le: string) => valueIn(text, `millrace_hub_to_publish_seconds_bucket{le="${le}"}`) ?? Number.NaN;
  expect(upTo('2.5')).toBeGreaterThan(0);
  return upTo('+Inf') - upTo('2.5');
}

describe('D10: the system clock is set while everything runs', () => {
  it.each([
    ['right', 0],
    ['5 s ahead', 5],
    ['back again', 0],
    ['5 s behind', -5],
    ['right again', 0],
  ])('every time of day follows in every thread when it is %s', async (_how, aheadS) => {
    await clock.set(aheadS);
    await followed(aheadS);
  });

  it('no client is closed, or told anything', () => {
    for (const client of clients) {
      expect(client.closed).toBeUndefined();
      expect(client.frames.filter(frame => !DATA.includes(String(frame.type)))).toEqual([]);
    }
  });

  it('heartbeats keep their interval', async () => {
    const silent = (client: TestClient) => client.heartbeats.filter(({ topic }) => topic === 'quotes:SILENT').length;
    const most = clients.slice(0, CLIENTS).map(silent);
    const elapsedMs = performance.now() - publishedAtMs;
    for (const count of most) expect(count).toBeLessThanOrEqual(elapsedMs / HEARTBEAT_MS + 1);
    for (const count of most) expect(count).toBeGreaterThanOrEqual(1);
  });

  it('no latency follows', async () => {
    expect(await lateFrames(gateway)).toBe(0);
    expect(await lateFrames(simulator)).toBe(0);
    expect(await gateway.metric('millrace_frame_age_seconds')).toBeLessThan(4);
  });
});
