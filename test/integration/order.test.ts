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
/**
 * Messages published that some client has not received: 0.6 MB, less than a client may leave unread. A client that is
 * slower than the publisher may lose events, and is told; this test is about the order of what fits.
 */
const WINDOW = 4_000;
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
  const tallies = Array.from({ length: CLIENTS }, () => new Tally(TRADE));
  const order = new OrderInspector(CLIENTS, symbols);
  const lost: string[] = [];
  const context: Omit<LoadSocketContext, 'tally'> = {
    host: '127.0.0.1',
    port: Number(new URL(gateway.url).port),
    inspector: order,
    buffer: new Uint8Array(256 * 1024),
    lost: (socket, reason) => lost.push(`client ${socket.index}: ${reason}`),
  };
  const path = `/ws/trades?symbols=${symbols.join(',')}`;
  const sockets: LoadSocket[] = [];
  for (const [index, tally] of tallies.entries()) {
    const socket = new LoadSocket(index, { path }, { ...context, tally });
    sockets.push(socket);
    await socket.open();
  }

  const leastReceived = (): number => Math.min(...tallies.map(tally => tally.deliveries));
  /** @throws {Error} that says who has how much, when `messages` have not reached all of them */
  const received = (messages: number, what: string): Promise<unknown> =>
    until(() => lost.length > 0 || leastReceived() >= messages, 30_000, what).catch(cause => {
      const counts = tallies.map(tally => `${tally.deliveries} and ${tally.otherFrames} others`).join(', ');
      throw new Error(`${order.report().firstBreak || 'no break'}; received: ${counts}`, { cause });
    });

  const connection = await connect({ servers: nats.url });
  const encoder = new TextEncoder();
  for (let sent = 0; sent < MESSAGES; ) {
    await received(sent - WINDOW, 'room in the window');
    for (let i = 0; i < SLICE; i++, sent++) {
      const symbol = symbols[sent % TOPICS] ?? '';
      const trade = `{"trade_id":"${sent}","symbol":"${symbol}","price":"1.5","quantity":"2"}`;
      connection.publish(`md.trades.${symbol}`, encoder.encode(trade));
    }
    await connection.flush();
    expect(lost).toEqual([]);
  }
  await received(MESSAGES, 'the last message');
  expect(lost).toEqual([]);

  const report = order.report();
  expect(report.firstBreak).toBe('');
  expect(report.broken).toBe(0);
  // The first message of each topic on each socket has nothing to follow; the count shows that it came.
  expect(report.checked).toBe((MESSAGES - TOPICS) * CLIENTS);
  expect(tallies.map(tally => tally.deliveries)).toEqual(tallies.map(() => MESSAGES));
  await connection.close();
  for (const socket of sockets) socket.destroy();
}, 240_000);
