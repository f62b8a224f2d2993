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
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { handedIn } from '../support/journal/derived.js';
import { JournalFolder } from '../support/journal/folder.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { type Received, RecordedClient } from '../support/recorded-client.js';
import { ThrottledGate } from '../support/throttled-gate.js';
import { until } from '../support/until.js';
import { runCli } from '../unit/cli/run-cli.js';

const FAULTS = new URL('../support/faults.mjs', import.meta.url).href;
const SYMBOLS = ['AAPL', 'MSFT'] as const;
const TICK_MS = 5;
const PER_TICK = 2;
const THROTTLED_BYTES_PER_SECOND = 30_000;
const STAMP = /"ts_sent":\d{16}/g;
const NO_STAMP = '"ts_sent":1000000000000000';
const WIDTH_OF_STAMP = 8;
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
      ...(isWhole ? { current_price: price, volume: String(n) } : { partial: true }),
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

/** A message as it was received, with the time at which it was sent taken out. */
function unstamped({ bytes, isBinary }: Received, isStamped: boolean): string {
  if (!isBinary) return bytes.toString().replace(STAMP, NO_STAMP);
  return (isStamped ? bytes.subarray(0, -WIDTH_OF_STAMP) : bytes).toString('base64');
}

const isAnnouncement = (value: unknown): boolean =>
  ['gap', 'stale'].includes(String((value as { readonly type?: unknown }).type));

function untimed(value: unknown): object {
  const { since: _, ts_event: __, ts_sent: ___, ...rest } = value as Record<string, unknown>;
  return rest;
}

/** A line of the command. */
interface Told {
  readonly t: number;
  readonly mark: 'sent' | 'confirmed';
  readonly frame: unknown;
  readonly missing?: string;
  /** The frame as it stands in the line. */
  readonly text: string;
}

async function told(connection: string, topic: string): Promise<Told[]> {
  const from = ['--jetstream', '--stream', 'MARKET', '--nats', nats.url];
  const args = ['journal', 'reconstruct', folder.path, '--connection', connection, '--topic', topic, ...from];
  const { code, stdout, stderr } = await runCli(args, { ...folder.env });
  expect(stderr).toMatch(/\d+ messages, 0 of them cannot be reconstructed\n$/);
  expect(code).toBe(0);
  const lines = stdout.split('\n').filter(line => line !== '');
  return lines.map(line => ({
    ...JSON.parse(line),
    text: line.slice(line.indexOf('"frame":') + '"frame":'.length, -1),
  }));
}

/** The text to compare a received message with. */
function textOf({ frame, text }: Told, isBinary: boolean, isStamped: boolean): string {
  if (!isBinary) return text;
  const bytes = Buffer.from(String(frame), 'base64');
  return (isStamped ? bytes.subarray(0, -WIDTH_OF_STAMP) : bytes).toString('base64');
}

function isSame(line: Told, message: Received, isStamped: boolean): boolean {
  if (!message.isBinary && isAnnouncement(message.value)) {
    return JSON.stringify(untimed(line.frame)) === JSON.stringify(untimed(message.value));
  }
  return textOf(line, message.isBinary, isStamped) === unstamped(message, isStamped);
}

/** Everything received is told, in order, and everything told as confirmed was received. */
function compare(lines: readonly Told[], received: readonly Received[], isStamped: boolean, what: string): number {
  let at = 0;
  for (const message of received) {
    const found = lines.findIndex((line, i) => i >= at && isSame(line, message, isStamped));
    if (found < 0)
      throw new Error(
        `${what}: not explained: ${unstamped(message, isStamped).slice(0, 500)}\nnext: ${lines[at]?.text.slice(0, 500)}`,
      );
    const left = lines
      .slice(at, found)
      .filter(({ mark }) => mark === 'confirmed')
      .slice(0, 1);
    expect(left, `${what}: confirmed, but not received`).toEqual([]);
    at = found + 1;
  }
  const rest = lines.slice(at).filter(({ mark }) => mark === 'confirmed');
  expect(rest.slice(0, 1), `${what}: confirmed, but not received`).toEqual([]);
  return lines.filter(({ mark }) => mark === 'confirmed').length;
}

/** Proves to the gateway what the FIX client has received. */
function answerTestRequests(): void {
  const requests = fix.messages.filter(message => message.includes('|35=1|'));
  for (; answered < requests.length; answered++) {
    const [, id = ''] = /\|112=([^|]*)\|/.exec(requests[answered] ?? '') ?? [];
    fix.send('0', [[112, id]]);
  }
}

/** Each W and X holds the fields that are told, in order, and everything told as confirmed was received. */
async function compareFix(): Promise<void> {
  const lines = await told(fixId(), 'depth:AAPL');
  const received = fix.messages.filter(message => /\|35=[WX]\|/.test(message));
  let at = 0;
  for (const message of received) {
    const found = lines.findIndex(({ frame }, i) => i >= at && message.includes(String(frame).replaceAll('\x01', '|')));
    if (found < 0) throw new Error(`not explained: ${message}\nnext: ${String(lines[at]?.frame).slice(0, 300)}`);
    expect(lines.slice(at, found).filter(({ mark }) => mark === 'confirmed')).toEqual([]);
    at = found + 1;
  }
  expect(lines.slice(at).filter(({ mark }) => mark === 'confirmed')).toEqual([]);
  expect(received.length).toBeGreaterThan(100);
  expect(lines.filter(({ mark }) => mark === 'confirmed').length).toBeGreaterThan(received.length / 2);
}

const fixId = (): string => String(folder.records().find(({ transport }) => transport === 'fix')?.c);

const kindsOf = (id: string) => folder.records().flatMap(({ c, k }) => (c === id ? [k] : []));

const concerns = (topic: string) => (value: unknown) => handedIn(value).some(({ topic: of }) => of === topic);

it('R70 each client’s messages come from the journal and the stream, byte for byte', { timeout: 240_000 }, async () => {
  for (const name of Object.keys(SPECS)) await enter(name);
  fix = new FixSocket(fixPortOf(gateway), 'DESK');
  await fix.logOn(await testToken({ sub: 'desk' }), [], 1);
  answering = setInterval(answerTestRequests, TICK_MS);
  fix.subscribe('book', ['AAPL'], 10);
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
      const lines = await told(client.id, topic);
      // A connection that died with its thread is told nothing that another thread published.
      expect(lines.every(({ t }) => t / 1000 < client.closedMs + END_MS)).toBe(true);
      confirmed += compare(lines, received, spec.query.includes('timestamps'), `${name} ${client.id} ${topic}`);
      compared += received.length;
    }
  }
  expect(compared).toBeGreaterThan(2_000);
  expect(confirmed).toBeGreaterThan(compared / 2);
});
