/**
 * R70: from the journal and the stream come exactly the messages that each client received, under load, while threads die.
 * @module-tag slow
 * @module-tag bulk
 */
import { rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type NatsConnection } from 'nats';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FixSocket, fixPortOf } from '../support/fix-socket.js';
import { sharedFields } from '../support/fix-wire.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { handedIn } from '../support/journal/derived.js';
import { JournalFolder } from '../support/journal/folder.js';
import { compare, type Told, told } from '../support/journal/reconstructed.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { RecordedClient } from '../support/recorded-client.js';
import { ThrottledGate } from '../support/throttled-gate.js';
import { until } from '../support/until.js';

const FAULTS = new URL('../support/faults.mjs', import.meta.url).href;
const SYMBOLS = ['AAPL', 'MSFT'] as const;
const TICK_MS = 5;
const PER_TICK = 2;
const THROTTLED_BYTES_PER_SECOND = 30_000;
/** The clocks of both processes, and the time that the end of a connection takes to arrive. */
const END_MS = 500;
const folder = new JournalFolder();
const faultFile = join(folder.base, 'fault');
let storeDir: string;
let nats: NatsServer;
let publisher: NatsConnection;
let gateway: TestGateway;
let gate: ThrottledGate;
let fix: FixSocket;
let answered = 0;
let published = 0;
let publishing: NodeJS.Timeout;
let answering: NodeJS.Timeout | undefined;

/** What a client asks for, and the topics of it that are reconstructed. */
interface Spec {
  readonly query: string;
  readonly commands: readonly object[];
  readonly topics: readonly string[];
  /** Reached by way of the gate. */
  readonly isThrottled?: true;
}

const subscribe = (stream: string, more: object) => ({ action: 'subscribe', stream, ...more });
const symbols = [...SYMBOLS];
const SPECS: Readonly<Record<string, Spec>> = {
  quotes: {
    query: '',
    commands: [subscribe('quotes', { symbols, class: 'realtime' })],
    topics: ['quotes:AAPL', 'quotes:MSFT'],
  },
  slower: {
    query: '&format=msgpack',
    commands: [
      subscribe('quotes', { symbols, class: '100ms' }),
      subscribe('orderbook', { symbol: 'AAPL', class: '16ms' }),
    ],
    topics: ['quotes:AAPL', 'orderbook:AAPL'],
  },
  depth: {
    query: '&timestamps=1',
    commands: [subscribe('depth', { symbol: 'AAPL', depth: 25, class: '16ms' })],
    topics: ['depth:AAPL'],
  },
  stampedQuotes: {
    query: '&format=msgpack&timestamps=1',
    commands: [
      subscribe('quotes', { symbol: 'MSFT', class: '1000ms' }),
      subscribe('depth', { symbol: 'MSFT', depth: 10 }),
    ],
    topics: ['quotes:MSFT', 'depth:MSFT'],
  },
  trades: {
    query: '&timestamps=1',
    commands: [subscribe('trades', { symbols })],
    topics: ['trades:AAPL'],
  },
  allTrades: {
    query: '&format=msgpack',
    commands: [subscribe('trades', {})],
    // The journal tells the order of each symbol's trades.
    topics: ['trades:AAPL', 'trades:MSFT'],
  },
  own: {
    query: '',
    commands: [subscribe('orders', {}), { action: 'subscribe', stream: 'analytics', channels: ['alerts'] }],
    topics: ['orders:own', 'analytics:alerts'],
  },
  stalled: {
    query: '',
    commands: [subscribe('depth', { symbols, depth: 100, class: 'realtime' }), subscribe('trades', { symbol: 'MSFT' })],
    topics: ['depth:AAPL', 'trades:MSFT'],
  },
  throttled: {
    query: '',
    commands: [subscribe('quotes', { symbols, class: 'realtime' }), subscribe('depth', { symbol: 'MSFT', depth: 25 })],
    topics: ['quotes:AAPL', 'depth:MSFT'],
    isThrottled: true,
  },
};

/** Every connection that there was. */
const clients: { readonly name: string; readonly spec: Spec; readonly client: RecordedClient }[] = [];

async function enter(name: string, commands?: readonly object[]): Promise<RecordedClient> {
  const spec = SPECS[name] as Spec;
  const token = await testToken({ sub: name });
  const origin = spec.isThrottled === true ? `ws://127.0.0.1:${gate.port}` : gateway.url;
  const client = await RecordedClient.connect(`${origin}/ws?token=${token}${spec.query}`, commands ?? spec.commands);
  clients.push({ name, spec, client });
  return client;
}

function publish(): void {
  for (let i = 0; i < PER_TICK; i++) {
    const n = published++;
    const symbol = SYMBOLS[n % 2] as string;
    const timestamp = new Date(1_793_613_600_000 + n).toISOString();
    const price = (100 + (n % 37) / 10).toFixed(1);
    const isWhole = n % 40 < 2;
    send(`md.quotes.${symbol}`, {
      symbol,
      ...(isWhole ? { current_price: price, volume: String(n), open: String(n % 7) } : { partial: true }),
      ...(n % 11 === 0 ? { high: price } : undefined),
      bid: price,
    });
    const levels = (from: number) =>
      Array.from({ length: 30 }, (_, k) => [String(from + k), String(1 + ((n + k) % 9))]);
    const change = [[String(70 + (n % 30)), String(n % 7)]];
    send(`md.books.${symbol}`, {
      ...{ symbol, timestamp },
      ...(isWhole
        ? { snapshot: true, bids: levels(70), asks: levels(110) }
        : { bids: change, asks: [[String(110 + (n % 30)), String(n % 5)]] }),
    });
    send(`md.trades.${symbol}`, {
      symbol,
      trade_id: n,
      price,
      quantity: '1',
      buyer_id: 'b',
      seller_id: 's',
      executed_at: timestamp,
    });
    send('orders.own', { action: 'created', order_id: n, price });
    send('analytics.alerts', { data: { n } });
  }
}

function send(subject: string, message: object): void {
  publisher.publish(subject, JSON.stringify(message));
}

const metricReaches = (name: string, count: number) =>
  until(async () => (await gateway.metric(name)) >= count, 30_000, `${name} is ${count}`);

async function morePublished(messages: number): Promise<void> {
  const from = published;
  await until(() => published >= from + messages, 60_000, 'more is published');
}

beforeAll(async () => {
  storeDir = await mkdtemp(join(tmpdir(), 'millrace-reconstruct-'));
  nats = await startNatsServer({ jetstream: true, storeDir });
  publisher = await connect({ servers: nats.url });
  gateway = await startGateway({
    ...folder.env,
    NATS_URL: nats.url,
    JETSTREAM: 'on',
    NATS_STREAM: 'MARKET',
    SYMBOLS: symbols.join(','),
    FIX_PORT: '0',
    FIX_HEARTBEAT_MIN: '1s',
    FIX_SEQ_TAGS: 'on',
    WORKERS: '2',
    ENCODERS: '2',
    WS_PING_INTERVAL: '1s',
    WS_MAX_BACKPRESSURE: '64KiB',
    TCP_NOTSENT_LOWAT: '4KiB',
    NODE_OPTIONS: `--import ${FAULTS}`,
    FAULT_FILE: faultFile,
  });
  gate = await ThrottledGate.open(Number(new URL(gateway.url).port));
  publish();
  publishing = setInterval(publish, TICK_MS);
});

afterAll(async () => {
  clearInterval(publishing);
  clearInterval(answering);
  fix?.end();
  for (const { client } of clients) await client.close();
  await gate?.close();
  await gateway?.stop('SIGINT');
  await publisher?.close();
  await nats?.stop();
  rmSync(storeDir, { recursive: true, force: true });
  folder.remove();
});

const toldOf = (connection: string, topic: string): Promise<Told[]> =>
  told(
    ...([folder.path, folder.env, '--connection', connection, '--topic', topic] as const),
    ...['--jetstream', '--stream', 'MARKET', '--nats', nats.url],
  );

/** Proves to the gateway what the FIX client has received. */
function answerTestRequests(): void {
  const requests = fix.messages.filter(message => message.includes('|35=1|'));
  for (; answered < requests.length; answered++) {
    const [, id = ''] = /\|112=([^|]*)\|/.exec(requests[answered] ?? '') ?? [];
    fix.send('0', [[112, id]]);
  }
}

/** Requests of the FIX client: what it wants, and the topics that it is sent. */
const REQUESTS = [
  { id: 'book', levels: 10, types: [0, 1], isFull: false, topics: ['depth'] },
  { id: 'five', levels: 5, types: [0, 1], isFull: false, topics: ['depth'] },
  { id: 'full', levels: 3, types: [0, 1], isFull: true, topics: ['depth'] },
  { id: 'bid', levels: 1, types: [0], isFull: false, topics: ['orderbook'] },
  { id: 'deals', levels: 0, types: [2], isFull: false, topics: ['trades'] },
  { id: 'figures', levels: 1, types: [4, 7], isFull: false, topics: ['quotes'] },
  { id: 'both', levels: 5, types: [1, 4], isFull: false, topics: ['depth', 'quotes'] },
] as const;

function request({ id, levels, types, isFull }: (typeof REQUESTS)[number]): void {
  fix.send('V', [
    [262, id],
    [263, 1],
    [264, levels],
    [265, isFull ? 0 : 1],
    [267, types.length],
    ...types.map(type => [269, type] as const),
    [146, 1],
    [55, 'AAPL'],
  ]);
}

/** A change of statistics, which has no levels. */
const isOfQuotes = (message: string): boolean => /\|269=[4578]\|/.test(message);

/** Each message is told field by field, but for those of the session; everything told as confirmed was received. */
async function compareFix(): Promise<void> {
  for (const stream of ['depth', 'orderbook', 'trades', 'quotes'] as const) {
    const lines = await toldOf(fixId(), `${stream}:AAPL`);
    for (const { id, topics } of REQUESTS.filter(({ topics: of }) => (of as readonly string[]).includes(stream))) {
      const received = fix.messages.filter(
        message =>
          message.includes(`|262=${id}|`) &&
          (topics.length === 1 || !message.includes('|35=X|') || isOfQuotes(message) === (stream === 'quotes')),
      );
      const own = lines
        .map(({ frame, mark }) => ({ mark, text: String(frame).replaceAll('\x01', '|') }))
        .filter(({ text }) => text.includes(`|262=${id}|`));
      expect(
        own.slice(0, received.length).map(({ text }) => text),
        id,
      ).toEqual(received.map(sharedFields));
      expect(own.slice(received.length).filter(({ mark }) => mark === 'confirmed')).toEqual([]);
      expect(received.length, id).toBeGreaterThan(5);
      expect(own.filter(({ mark }) => mark === 'confirmed').length).toBeGreaterThan(received.length / 2);
    }
  }
}

const fixId = (): string => String(folder.records().find(({ transport }) => transport === 'fix')?.c);

const kindsOf = (id: string) => folder.records().flatMap(({ c, k }) => (c === id ? [k] : []));

const concerns = (topic: string) => (value: unknown) => handedIn(value).some(({ topic: of }) => of === topic);

it('R70 each client’s messages come from the journal and the stream, byte for byte', { timeout: 240_000 }, async () => {
  for (const name of Object.keys(SPECS)) await enter(name);
  fix = new FixSocket(fixPortOf(gateway), 'DESK');
  await fix.logOn(await testToken({ sub: 'desk' }), [], 1);
  answering = setInterval(answerTestRequests, TICK_MS);
  for (const one of REQUESTS) request(one);
  const trades = clients.find(({ name }) => name === 'trades')?.client as RecordedClient;
  const stalled = clients.find(({ name }) => name === 'stalled')?.client as RecordedClient;
  await until(() => clients.every(({ client }) => client.received.length > 3), undefined, 'everyone is served');
  await morePublished(200);
  gate.bytesPerSecond = THROTTLED_BYTES_PER_SECOND;
  stalled.stall(true);
  await until(() => kindsOf(stalled.id).includes('paused'), undefined, 'the client that does not read is paused');
  // One comes back and resumes where it stood.
  await trades.close();
  const last = trades.received.findLast(({ value }) => (value as { readonly symbol?: string }).symbol === 'AAPL');
  const { epoch, seq } = last?.value as { readonly epoch: string; readonly seq: number };
  await morePublished(100);
  await enter('trades', [subscribe('trades', { symbol: 'AAPL', since: { epoch, seq } })]);
  writeFileSync(faultFile, 'encoder throw');
  await metricReaches('millrace_encoder_restarts_total', 1);
  await morePublished(200);
  writeFileSync(faultFile, 'worker throw');
  await metricReaches('millrace_worker_restarts_total', 1);
  await until(async () => (await fetch(`${gateway.adminUrl}/readyz`)).ok, undefined, 'another thread serves');
  for (const { name, client } of [...clients]) if (client.isClosed && client !== trades) await enter(name);
  stalled.stall(false);
  await morePublished(400);
  gate.bytesPerSecond = undefined;
  await morePublished(200);
  clearInterval(publishing);
  const open = clients.filter(({ client }) => !client.isClosed);
  const endMicros = Date.now() * 1000;
  await until(
    () => {
      const confirmed = folder.records().filter(({ k, at }) => k === 'confirmed' && Number(at) > endMicros);
      const ids = [...open.map(({ client }) => client.id), fixId()];
      return ids.every(id => confirmed.some(({ c }) => c === id));
    },
    30_000,
    'everyone has confirmed everything',
  );
  fix.send('5');
  await fix.closed();
  for (const { client } of clients) await client.close();
  expect(await gateway.stop()).toBe(0);
  const ofTrades = clients.filter(({ name }) => name === 'trades');
  expect(ofTrades.flatMap(({ client }) => kindsOf(client.id))).toContain('resumed');
  await compareFix();
  let confirmed = 0;
  let compared = 0;
  for (const { name, spec, client } of clients) {
    for (const topic of spec.topics) {
      const received = client.received.filter(({ value }) => concerns(topic)(value));
      const lines = await toldOf(client.id, topic);
      // A connection that died with its thread is told nothing that another thread published.
      expect(lines.every(({ t }) => t / 1000 < client.closedMs + END_MS)).toBe(true);
      confirmed += compare(lines, received, spec.query.includes('timestamps'), `${name} ${client.id} ${topic}`);
      compared += received.length;
    }
  }
  expect(compared).toBeGreaterThan(2_000);
  expect(confirmed).toBeGreaterThan(compared / 2);
});
