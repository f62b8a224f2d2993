/** `millrace/publisher` over JetStream: every message once and in order, whatever happens on the way. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, DiscardPolicy, type JetStreamManager, type NatsConnection, type StreamConfig } from 'nats';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  connectPublisher,
  type PublishAck,
  type Publisher,
  type PublisherOptions,
  PublisherOverflow,
} from '../../src/publisher/index.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TcpGate } from '../support/tcp-gate.js';
import { until } from '../support/until.js';

const OUTAGE_TRADES = 1_000;
/** Of the outage test: server started anew, publisher and reader back. */
const OUTAGE_TIMEOUT_MS = 30_000;
const ACK_TIMEOUT_MS = 150;

let storeDir: string;
let nats: NatsServer;
let admin: NatsConnection;
let manager: JetStreamManager;
/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  storeDir = await mkdtemp(join(tmpdir(), 'millrace-publisher-'));
  nats = await startNatsServer({ jetstream: true, storeDir });
  admin = await connect({ servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  manager = await admin.jetstreamManager();
});
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
  await admin.close();
  await nats.kill();
  await rm(storeDir, { recursive: true, force: true });
});

async function addStream(config: Partial<StreamConfig> = {}): Promise<void> {
  await manager.streams.add({ name: 'MILLRACE', subjects: ['md.>', 'orders.>', 'analytics.>', 'rooms.>'], ...config });
}

async function publisherOf(options: PublisherOptions = {}, port = nats.port): Promise<Publisher> {
  const connection = { servers: `127.0.0.1:${port}`, reconnectTimeWait: 20, reconnectJitter: 0 };
  const publisher = await connectPublisher(connection, { jetstream: true, ...options });
  ends.push(() => publisher.close().catch(() => {}));
  return publisher;
}

/** For publishers to connect through. */
async function openGate(): Promise<TcpGate> {
  const gate = await TcpGate.open(nats.port);
  ends.push(() => gate.close());
  return gate;
}

const trade = (n: number, symbol = 'AAPL') => ({ symbol, trade_id: n, price: '229.60', quantity: '1' });

/** `trade_id` of everything that the stream holds on the subject, in its order. */
async function stored(subject: string): Promise<unknown[]> {
  const { messages } = (await manager.streams.info('MILLRACE')).state;
  const found: unknown[] = [];
  const consumer = await admin.jetstream().consumers.get('MILLRACE', { filterSubjects: subject });
  if (messages === 0) return found;
  for await (const message of await consumer.fetch({ max_messages: messages, expires: 1_000 })) {
    found.push(message.json<{ trade_id: unknown }>().trade_id);
    if (message.info.pending === 0) break;
  }
  return found;
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

describe('R38 a JetStream publisher', () => {
  it('R38 resolves with the stream’s sequence, and leaves the numbering to it', async () => {
    await addStream();
    const publisher = await publisherOf();
    expect(await publisher.trade(trade(1))).toEqual({ subject: 'md.trades.AAPL', seq: 1, duplicate: false });
    expect(await publisher.room('desk-7', 'alice', 'hi')).toMatchObject({ seq: 2 });
    const { header } = await manager.streams.getMessage('MILLRACE', { seq: 1 });
    expect(header.get('Seq')).toBe('');
    expect(Number(header.get('Ts-Event'))).toBeGreaterThan(1e15);
  });

  it('R38 says of an id that the stream has it already', async () => {
    await addStream();
    const first = await publisherOf();
    await first.trade(trade(1), { messageId: 'T1' });
    const second = await publisherOf();
    expect(await second.trade(trade(1), { messageId: 'T1' })).toMatchObject({ seq: 1, duplicate: true });
    expect(await stored('md.trades.AAPL')).toEqual([1]);
  });

  it('R38 keeps the order of a subject, with all its messages published at once', async () => {
    await addStream();
    const publisher = await publisherOf();
    for (const n of upTo(200)) void publisher.trade(trade(n));
    await publisher.flush();
    expect(await stored('md.trades.AAPL')).toEqual(upTo(200));
    expect(publisher.stats).toMatchObject({ published: 200, waitingMessages: 0, waitingBytes: 0, unconfirmed: 0 });
  });

  it('R38 waits for a stream that is created later, and then stores in order', async () => {
    const publisher = await publisherOf();
    const acks = Promise.all(upTo(5).map(n => publisher.trade(trade(n))));
    await until(() => publisher.stats.retries > 1);
    await addStream();
    expect((await acks).map(ack => ack.seq)).toEqual(upTo(5));
    expect(await stored('md.trades.AAPL')).toEqual(upTo(5));
  });

  it('R38 lets no subject wait for another that has no stream', async () => {
    await addStream({ subjects: ['md.>'] });
    const publisher = await publisherOf({ inFlightMax: 1, retryForMs: 1_000 });
    let isSettled = false;
    const waiting = publisher.order('alice', ORDER).finally(() => {
      isSettled = true;
    });
    const refused = expect(waiting).rejects.toMatchObject({ code: 'refused' });
    await until(() => publisher.stats.retries > 0);
    expect(await publisher.trade(trade(1))).toMatchObject({ seq: 1 });
    expect(isSettled).toBe(false);
    await refused;
  });

  it('R38 rejects what no stream stores in time', async () => {
    const publisher = await publisherOf({ retryForMs: 300 });
    await expect(publisher.trade(trade(1))).rejects.toMatchObject({ code: 'refused', message: /no stream stores it/ });
    expect(publisher.stats.unconfirmed).toBe(0);
  });

  it('R38 rejects at once what the stream refuses', async () => {
    await addStream({ max_msgs: 1, discard: DiscardPolicy.New });
    const publisher = await publisherOf({ retryForMs: 60_000 });
    await publisher.trade(trade(1));
    await expect(publisher.trade(trade(2))).rejects.toMatchObject({ code: 'refused', message: /maximum messages/ });
    expect(publisher.stats).toMatchObject({ retries: 0, waitingMessages: 0 });
  });

  it('R38 has a bounded number of messages on their way', async () => {
    await addStream();
    const gate = await openGate();
    const connection = await connect({ servers: `127.0.0.1:${gate.port}` });
    ends.push(() => connection.close());
    const publisher = await connectPublisher(connection, { jetstream: true, inFlightMax: 4 });
    const before = connection.stats().outMsgs;
    gate.holdServer();
    const acks = Promise.all(upTo(50).map(n => publisher.trade(trade(n, `S${n}`))));
    await new Promise(resolve => setImmediate(resolve));
    expect(connection.stats().outMsgs - before).toBe(4);
    gate.releaseServer();
    expect((await acks).map(ack => ack.seq)).toEqual(upTo(50));
    await publisher.close();
  });

  it('R38 takes no more than may wait', async () => {
    const publisher = await publisherOf({ waitingBytesMax: 512 * 1024 });
    const acks: Promise<PublishAck>[] = [];
    const fill = () => {
      for (;;) acks.push(publisher.trade(trade(acks.length + 1)));
    };
    expect(fill).toThrow(PublisherOverflow);
    expect(publisher.stats.waitingBytes).toBeLessThanOrEqual(512 * 1024);
    await addStream();
    expect((await Promise.all(acks)).map(ack => ack.seq)).toEqual(upTo(acks.length));
    expect(publisher.stats).toMatchObject({ published: acks.length, waitingBytes: 0 });
  });
});

const ORDER = {
  action: 'created',
  order_id: 'O1',
  symbol: 'AAPL',
  side: 'buy',
  status: 'open',
  quantity: '1',
  filled_quantity: '0',
} as const;

describe('R38 when the stream does not answer', () => {
  it('R38 a message is sent again, and stored once', async () => {
    await addStream();
    const gate = await openGate();
    const publisher = await publisherOf({ ackTimeoutMs: ACK_TIMEOUT_MS }, gate.port);
    await publisher.trade(trade(1));
    gate.holdServer();
    const acks = Promise.all([publisher.trade(trade(2)), publisher.trade(trade(3))]);
    await until(() => publisher.stats.retries > 1);
    gate.releaseServer();
    expect(await acks).toMatchObject([
      { seq: 2, duplicate: true },
      { seq: 3, duplicate: false },
    ]);
    expect(await stored('md.trades.AAPL')).toEqual([1, 2, 3]);
  });

  it('R38 for too long, nobody knows whether it has the message', async () => {
    await addStream();
    const gate = await openGate();
    const publisher = await publisherOf({ ackTimeoutMs: ACK_TIMEOUT_MS, retryForMs: 3 * ACK_TIMEOUT_MS }, gate.port);
    gate.holdServer();
    await expect(publisher.trade(trade(1))).rejects.toMatchObject({ code: 'unconfirmed' });
    expect(publisher.stats.unconfirmed).toBe(1);
  });

  it('R38 a broken connection is not waited for: the message is sent again on the next', async () => {
    await addStream();
    const gate = await openGate();
    const publisher = await publisherOf({ ackTimeoutMs: 60_000 }, gate.port);
    gate.holdServer();
    const ack = publisher.trade(trade(1));
    await until(async () => (await manager.streams.info('MILLRACE')).state.messages === 1);
    gate.cut();
    gate.restore();
    expect(await ack).toMatchObject({ seq: 1, duplicate: true });
  });
});

describe('R38 a nats-server that is killed while 1000 trades are published', () => {
  it(
    'R38 has all of them once it is back, each once, in order',
    async () => {
      await addStream();
      const publisher = await publisherOf();
      const acks: number[] = [];
      const all = Promise.all(upTo(OUTAGE_TRADES).map(n => publisher.trade(trade(n)).then(ack => acks.push(ack.seq))));
      await until(() => acks.length > OUTAGE_TRADES / 4);
      await nats.kill();
      expect(acks.length).toBeLessThan(OUTAGE_TRADES);
      nats = await startNatsServer({ jetstream: true, storeDir, port: nats.port });
      await all;
      expect(acks).toEqual(upTo(OUTAGE_TRADES));
      expect(publisher.stats).toMatchObject({ unconfirmed: 0, waitingMessages: 0 });
      await until(() => manager.streams.info('MILLRACE').then(() => true), OUTAGE_TIMEOUT_MS);
      expect(await stored('md.trades.AAPL')).toEqual(upTo(OUTAGE_TRADES));
    },
    2 * OUTAGE_TIMEOUT_MS,
  );
});
