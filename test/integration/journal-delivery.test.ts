/** R70 what clients of a real gateway receive is what its journal says that they were handed. */
import { Packr } from 'msgpackr';
import { afterAll, beforeAll, expect, it } from 'vitest';
import WebSocket from 'ws';
import { KINDS } from '../../src/journal/kinds.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import {
  Derivation,
  type DerivedRecord,
  differences,
  type HandedMessage,
  handedIn,
} from '../support/journal/derived.js';
import { JournalFolder } from '../support/journal/folder.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { until } from '../support/until.js';

const SYMBOLS = ['A', 'B'];
const ROUNDS = 60;
/** Enough for the buffers of a client that does not read. */
const BURST = 400;
const PADDING = 'x'.repeat(20_000);
const packr = new Packr({ useRecords: false, int64AsType: 'number' });
const folder = new JournalFolder();
let nats: NatsServer;
let publisher: TestPublisher;
let gateway: TestGateway;

/** A client that notes what it receives. */
class NotingClient {
  readonly received: HandedMessage[] = [];
  readonly socket: WebSocket;
  connection = '';
  isClosed = false;
  readonly #frames: Record<string, unknown>[] = [];

  constructor(query: string) {
    this.socket = new WebSocket(`${gateway.url}/ws?${query}`, { perMessageDeflate: false });
    this.socket.on('upgrade', ({ headers }) => {
      this.connection = String(headers['millrace-connection']);
    });
    this.socket.on('close', () => {
      this.isClosed = true;
    });
    this.socket.on('message', (data: Buffer, isBinary: boolean) => {
      const frame = isBinary ? packr.unpack(data) : JSON.parse(data.toString());
      this.received.push(...handedIn(frame));
      if (!Array.isArray(frame)) this.#frames.push(frame);
    });
  }

  send(command: object): void {
    this.socket.send(this.socket.url.includes('msgpack') ? packr.pack(command) : JSON.stringify(command));
  }

  async command(id: string, command: object): Promise<void> {
    this.send({ id, ...command });
    await until(() => this.#frames.some(frame => frame.id === id), undefined, `${id} is answered`);
  }

  /** The newest position of a topic that it received. */
  seqOf(topic: string): number {
    return this.received.findLast(message => message.topic === topic && message.what !== 'stale')?.seq ?? 0;
  }
}

beforeAll(async () => {
  nats = await startNatsServer();
  publisher = await TestPublisher.connect(nats.url);
  gateway = await startGateway({
    ...folder.env,
    NATS_URL: nats.url,
    SYMBOLS: SYMBOLS.join(','),
    NODE_NAME: 'edge-1',
    WORKERS: '2',
    ENCODERS: '1',
    WS_MAX_BACKPRESSURE: '65536',
    WS_PING_INTERVAL: '1s',
  });
});

afterAll(async () => {
  await gateway?.stop('SIGINT');
  await publisher?.close();
  await nats?.stop();
  folder.remove();
});

const kindsOf = ({ connection }: NotingClient) => folder.records().flatMap(({ c, k }) => (c === connection ? [k] : []));

let prices = 0;
function publishRound(padding = ''): void {
  for (const symbol of SYMBOLS) {
    const price = ++prices;
    publisher.put(`md.quotes.${symbol}`, { symbol, current_price: price, padding });
    publisher.put(`md.trades.${symbol}`, { trade_id: `t${price}`, symbol, price: '1', quantity: '1', padding });
    const isFirst = price <= SYMBOLS.length;
    publisher.put(`md.books.${symbol}`, {
      symbol,
      bids: [['1', String(price)]],
      asks: [['2', '1']],
      snapshot: isFirst,
    });
  }
  publisher.put('analytics.alerts', { type: 'alert', timestamp: '2026-11-30T08:00:00.000Z', data: { n: prices } });
}

const all = { action: 'subscribe', symbols: SYMBOLS };

it('R70 of each client, whatever its format, class and pace', async () => {
  const [desk, crowd] = [await testToken({ tier: 'institutional' }), await testToken({ tier: 'retail' })];
  publishRound();
  await publisher.settled(gateway);
  const clients = [
    new NotingClient(`token=${desk}`),
    new NotingClient(`token=${desk}&format=msgpack&timestamps=1`),
    new NotingClient(`token=${crowd}`),
    new NotingClient(`token=${crowd}&format=msgpack`),
  ];
  const slow = clients[3] as NotingClient;
  for (const client of clients) {
    await until(() => client.socket.readyState === WebSocket.OPEN, undefined, 'the client is connected');
    for (const stream of ['quotes', 'orderbook', 'trades']) await client.command(stream, { ...all, stream });
    await client.command('depth', { ...all, stream: 'depth', depth: 25 });
    await client.command('analytics', { action: 'subscribe', channels: ['alerts'] });
  }
  for (let round = 0; round < ROUNDS; round++) {
    publishRound();
    if (round % 10 === 0) await publisher.settled(gateway);
    if (round === 20) await clients[0]?.command('slower', { ...all, stream: 'quotes', class: '100ms' });
    if (round === 30) await clients[1]?.command('left', { action: 'unsubscribe', stream: 'trades', symbol: 'A' });
    if (round === 40) await clients[1]?.command('all', { action: 'subscribe', stream: 'trades' });
    if (round === 50) clients[2]?.send({ action: 'resync', stream: 'quotes', symbols: SYMBOLS });
  }
  slow.socket.pause();
  for (let round = 0; round < BURST; round++) publishRound(PADDING);
  await until(() => kindsOf(slow).includes('paused'), undefined, 'it is paused');
  slow.socket.resume();
  await publisher.settled(gateway);
  publishRound();
  await publisher.settled(gateway);
  const newest = () => Math.max(...clients.map(client => client.seqOf('trades:B')));
  const isThere = (client: NotingClient) => client.isClosed || client.seqOf('trades:B') === newest();
  await until(() => clients.every(isThere), undefined, 'all clients have the last trade');
  await until(() => clients.every(client => kindsOf(client).includes('confirmed')), undefined, 'all have confirmed');
  for (const { socket } of clients) socket.close();
  await until(() => clients.every(({ isClosed }) => isClosed), undefined, 'all clients are closed');
  await gateway.stop('SIGINT');
  const records = folder.records() as unknown as DerivedRecord[];
  for (const { t: _, k, ...members } of records) {
    expect(KINDS[k as keyof typeof KINDS].schema.safeParse(members).error, JSON.stringify(members)).toBeUndefined();
  }
  for (const [i, { connection, received }] of clients.entries()) {
    const derivation = new Derivation(connection, records);
    expect([i, ...differences(derivation, received)]).toEqual([i]);
    expect(derivation.isClosed).toBe(true);
    expect(derivation.confirmedAt).toBeGreaterThan(0);
    expect(received.length).toBeGreaterThan(ROUNDS);
  }
  expect(kindsOf(slow)).toEqual(
    expect.arrayContaining(['connected', 'authenticated', 'command', 'subscribed', 'snapshot', 'live']),
  );
});
