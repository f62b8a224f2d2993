/**
 * @module-tag slow
 * @module-tag bulk
 */
import { connect } from 'nats';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LoadSocket, type LoadSocketContext } from '../../bench/load/load-socket.js';
import { OrderInspector } from '../../bench/load/order-inspector.js';
import { Tally } from '../../bench/load/tally.js';
import { startGateway, type TestGateway } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';

const MESSAGES = 1_000_000;
const TOPICS = 50;
const CLIENTS = 20;
/** Messages published and not yet received by all: what is on its way is bounded, as a publisher bounds it. */
const WINDOW = 20_000;
const SLICE = 500;
/** Of all that comes, only `{"type":"trade…` begins so: a slow machine gets heartbeats too. */
const TRADE = { offset: '{"type":"'.length, byte: 't'.charCodeAt(0) };

let nats: NatsServer;
let gateway: TestGateway;

beforeAll(async () => {
  nats = await startNatsServer();
  gateway = await startGateway({ FEED: 'nats', NATS_URL: nats.url, SYMBOLS: 'SYM*', WORKERS: '2', ENCODERS: '2' });
});

afterAll(async () => {
  await gateway?.stop();
  await nats?.stop();
});

test(`R6 1,000,000 messages on ${TOPICS} topics reach ${CLIENTS} clients: none missing, none twice, none out of order`, async () => {
  const symbols = Array.from({ length: TOPICS }, (_, i) => `SYM${i}`);
  const tally = new Tally(TRADE);
  const order = new OrderInspector(CLIENTS, symbols);
  const lost: string[] = [];
  const context: LoadSocketContext = {
    host: '127.0.0.1',
    port: Number(new URL(gateway.url).port),
    tally,
    inspector: order,
    buffer: new Uint8Array(256 * 1024),
    lost: (socket, reason) => lost.push(`client ${socket.index}: ${reason}`),
  };
  const path = `/ws/trades?symbols=${symbols.join(',')}`;
  const sockets: LoadSocket[] = [];
  for (let index = 0; index < CLIENTS; index++) {
    const socket = new LoadSocket(index, { path }, context);
    sockets.push(socket);
    await socket.open();
  }

  const connection = await connect({ servers: nats.url });
  const encoder = new TextEncoder();
  for (let sent = 0; sent < MESSAGES; ) {
    await until(() => lost.length > 0 || sent - tally.deliveries / CLIENTS < WINDOW, 30_000, 'room in the window');
    for (let i = 0; i < SLICE; i++, sent++) {
      const symbol = symbols[sent % TOPICS] ?? '';
      const trade = `{"trade_id":"${sent}","symbol":"${symbol}","price":"1.5","quantity":"2"}`;
      connection.publish(`md.trades.${symbol}`, encoder.encode(trade));
    }
    await connection.flush();
    expect(lost).toEqual([]);
  }
  await until(() => tally.deliveries >= MESSAGES * CLIENTS, 30_000, 'the last message');

  const report = order.report();
  expect(report.firstBreak).toBe('');
  expect(report.broken).toBe(0);
  // The first message of each topic on each socket has nothing to follow; the count shows that it came.
  expect(report.checked).toBe((MESSAGES - TOPICS) * CLIENTS);
  expect(tally.deliveries).toBe(MESSAGES * CLIENTS);
  await connection.close();
  for (const socket of sockets) socket.destroy();
}, 240_000);
