import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pack, unpack } from 'msgpackr';
import { connect, headers, type Msg, type NatsConnection } from 'nats';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/environment.js';
import { JetStreamFeed } from '../../src/feed/jetstream.js';
import { NatsFeed } from '../../src/feed/nats.js';
import { natsConnectionOptions } from '../../src/feed/nats-connection.js';
import type { Feed, FeedSink } from '../../src/feed-contract/feed.js';
import { Collector } from '../support/collector.js';
import { feedOptions } from '../support/feed-options.js';
import { type NatsServer, type NatsServerOptions, startNatsServer } from '../support/nats-server.js';
import { TcpGate } from '../support/tcp-gate.js';
import { until } from '../support/until.js';

const RECOVERY_TIMEOUT_MS = 30_000;

/** What a test looks at most: subject and text. */
const textsOf = ({ messages }: Collector): string[] =>
  messages.map(({ subject, payload }) => `${subject} ${Buffer.from(payload).toString()}`);

/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

async function server(options?: NatsServerOptions): Promise<NatsServer> {
  const started = await startNatsServer(options);
  ends.push(() => started.stop());
  return started;
}

async function publisher(url: string): Promise<NatsConnection> {
  const connection = await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  ends.push(() => connection.close());
  return connection;
}

async function started(feed: Feed, sink: FeedSink): Promise<Feed> {
  ends.push(() => feed.stop());
  expect(await feed.start(sink)).toEqual({ ok: true });
  return feed;
}

function config(url: string, env: Record<string, string> = {}) {
  return readConfig({ FEED: 'nats', NATS_URL: url, ...env }).nats;
}

function withHeaders(members: Record<string, string>) {
  const result = headers();
  for (const [name, value] of Object.entries(members)) result.set(name, value);
  return { headers: result };
}

describe('R3 NatsFeed', () => {
  it('R3 delivers JSON and MessagePack byte for byte, with the publisher’s time and numbering', async () => {
    const { url } = await server();
    const sink = new Collector();
    await started(new NatsFeed({ config: config(url), ...feedOptions() }), sink);
    const nats = await publisher(url);
    const packed = pack({ symbol: 'BTC/USDT', bids: [['49999.00', '2.5']] });
    const numbers = { 'Ts-Event': '1700000000000001', Seq: '41', Epoch: 'e1' };
    nats.publish('md.quotes.AAPL', '{"symbol":"AAPL","bid":1.50}');
    nats.publish('md.books.BTC/USDT', packed, withHeaders(numbers));
    nats.publish('orders.alice', '{}');
    nats.publish('md.trades.BRK.B', '{}', withHeaders({ 'Ts-Event': '5', traceparent: '00-1' }));
    await until(() => sink.messages.length === 3);

    expect(sink.statuses).toEqual([expect.stringMatching(/^live: connected to 127\.0\.0\.1/)]);
    const unnumbered = { tsEventMicros: 0, seq: 0, epoch: '', contiguous: false, publication: '', traceparent: '' };
    expect(sink.messages).toEqual([
      { ...unnumbered, subject: 'md.quotes.AAPL', payload: Buffer.from('{"symbol":"AAPL","bid":1.50}') },
      {
        subject: 'md.books.BTC/USDT',
        payload: Buffer.from(packed),
        tsEventMicros: 1700000000000001,
        seq: 41,
        epoch: 'e1',
        contiguous: true,
        publication: '',
        traceparent: '',
      },
      { ...unnumbered, subject: 'md.trades.BRK.B', payload: Buffer.from('{}'), tsEventMicros: 5 },
    ]);
    expect(unpack(sink.messages[1]?.payload ?? new Uint8Array(0))).toEqual(unpack(packed));
  });

  it('R3 takes a message whose headers are invalid as one without them', async () => {
    const { url, port } = await server();
    const sink = new Collector();
    await started(new NatsFeed({ config: config(url), ...feedOptions() }), sink);
    const nats = await publisher(url);
    const invalid: Record<string, string>[] = [
      { Seq: '1' },
      { Epoch: 'e1' },
      { Seq: '0', Epoch: 'e1' },
      { Seq: '-1', Epoch: 'e1' },
      { Seq: '1.5', Epoch: 'e1' },
      { Seq: '0x10', Epoch: 'e1' },
      { Seq: '9007199254740992', Epoch: 'e1' },
      { Seq: '1', Epoch: 'e 1' },
      { Seq: '1', Epoch: 'é' },
      { Seq: '1', Epoch: 'e'.repeat(65) },
      { 'Ts-Event': 'yesterday' },
    ];
    for (const members of invalid) nats.publish('md.quotes.A', '{}', withHeaders(members));
    nats.publish('md.quotes.A', '{}', withHeaders({ Seq: '1', Epoch: 'e'.repeat(64) }));
    await nats.flush();
    await publishRawHeader(port, 'md.quotes.B', 'bad name: x\r\nSeq: 1\r\nEpoch: e1');
    await until(() => sink.messages.length === invalid.length + 2);
    for (const message of [...sink.messages.slice(0, invalid.length), sink.messages.at(-1)]) {
      expect(message).toMatchObject({ tsEventMicros: 0, seq: 0, epoch: '', contiguous: false });
    }
    expect(sink.messages[invalid.length]).toMatchObject({ seq: 1, epoch: 'e'.repeat(64), contiguous: true });
  });

  it('R3 puts an invalid message on deadletter.<subject> as it came, with the reason', async () => {
    const { url } = await server();
    const sink = new Collector();
    const feed = await started(new NatsFeed({ config: config(url), ...feedOptions() }), sink);
    const nats = await publisher(url);
    const letters: Msg[] = [];
    nats.subscribe('deadletter.>', { callback: (_error, message) => letters.push(message) });
    await nats.flush();
    const payload = Buffer.from([0xff, 0x00, 0x7b]);
    feed.deadLetter('md.quotes.BTC/USDT', payload, 'not JSON\r\nInjected: x');
    feed.deadLetter('md.books.X', new Uint8Array(nats.info?.max_payload ?? 0), 'too large');
    await until(() => letters.length === 2);
    expect(letters[0]?.subject).toBe('deadletter.md.quotes.BTC/USDT');
    expect(Buffer.from(letters[0]?.data ?? [])).toEqual(payload);
    expect(letters[0]?.headers?.get('Reason')).toBe('not JSON Injected: x');
    expect(letters[1]?.headers?.get('Reason')).toBe('too large (payload of 1048576 bytes left out)');
    expect(sink.messages).toEqual([]);
  });

  it('R3 is stale while the server is away, and live again when it is back', async () => {
    const first = await server();
    const sink = new Collector();
    await started(new NatsFeed({ config: config(first.url), ...feedOptions() }), sink);
    await first.kill();
    await until(() => sink.statuses.at(-1) === 'stale: disconnected from NATS');
    await server({ port: first.port });
    await until(() => sink.live, RECOVERY_TIMEOUT_MS);
    (await publisher(first.url)).publish('md.quotes.AAPL', '{}');
    await until(() => sink.messages.length === 1);
    expect(sink.statuses).toHaveLength(3);
  });

  it('R3 calls its sink no more once it has stopped, and says nothing of its own disconnection', async () => {
    const { url } = await server();
    const sink = new Collector();
    const feed = await started(new NatsFeed({ config: config(url), ...feedOptions() }), sink);
    const nats = await publisher(url);
    nats.publish('md.quotes.AAPL', '{}');
    await until(() => sink.messages.length === 1);
    await feed.stop();
    nats.publish('md.quotes.AAPL', '{}');
    await nats.flush();
    feed.deadLetter('md.quotes.AAPL', Buffer.from('{}'), 'late');
    expect([sink.messages.length, sink.statuses.length]).toEqual([1, 1]);
  });

  it('R3 names its connection after the node, and authenticates with a user or a token', async () => {
    const byUser = await server({ args: ['--user', 'feed', '--pass', 's3cret'] });
    const sink = new Collector();
    const env = { NATS_USER: 'feed', NATS_PASSWORD: 's3cret' };
    await started(new NatsFeed({ config: config(byUser.url, env), ...feedOptions('node-7') }), sink);
    expect(sink.live).toBe(true);
    const wrong = new NatsFeed({
      config: config(byUser.url, { ...env, NATS_PASSWORD: 'no' }),
      ...feedOptions('node-7'),
    });
    const refused = await wrong.start(new Collector());
    expect(refused).toMatchObject({
      code: 'refused',
      detail: expect.stringMatching(/cannot connect to NATS at .*Authorization/i),
    });

    const byToken = await server({ args: ['--auth', 'tok'] });
    const feed = new NatsFeed({ config: config(byToken.url, { NATS_TOKEN: 'tok' }), ...feedOptions('node-7') });
    await started(feed, sink);
    expect(await natsConnectionOptions(config(byToken.url), 'node-7')).toMatchObject({ name: 'node-7' });
  });

  it('R3 fails to start with the server’s name and the cause when nothing listens there', async () => {
    const { url, stop } = await server();
    await stop();
    for (const feed of [
      new NatsFeed({ config: config(url), ...feedOptions() }),
      new JetStreamFeed({ config: config(url), ...feedOptions() }),
    ]) {
      const detail = `cannot connect to NATS at ${url}: CONNECTION_REFUSED`;
      expect(await feed.start(new Collector())).toEqual({ ok: false, code: 'unreachable', detail });
    }
    const noCreds = new NatsFeed({ config: config(url, { NATS_CREDS: '/no/such.creds' }), ...feedOptions() });
    expect(await noCreds.start(new Collector())).toMatchObject({
      ok: false,
      detail: expect.stringContaining('/no/such.creds'),
    });
  });
});

describe('R3 JetStreamFeed', () => {
  let storeDir: string;
  beforeEach(async () => {
    storeDir = await mkdtemp(join(tmpdir(), 'millrace-jetstream-'));
    ends.push(() => rm(storeDir, { recursive: true }));
  });

  const jetStreamFeed = (url: string, env: Record<string, string> = {}): JetStreamFeed =>
    new JetStreamFeed({ config: config(url, env), ...feedOptions() });

  it('R3 creates the stream, delivers the last message of each subject, then goes on live', async () => {
    const { url } = await server({ jetstream: true, storeDir });
    const first = new Collector();
    await started(jetStreamFeed(url), first);
    const nats = await publisher(url);
    const js = nats.jetstream();
    const stream = await (await nats.jetstreamManager()).streams.info('MILLRACE');
    expect(stream.config.subjects).toEqual(['md.>', 'orders.>', 'analytics.>', 'rooms.>']);

    await js.publish('md.quotes.A', 'a1', withHeaders({ 'Ts-Event': '7', Seq: '99', Epoch: 'own' }));
    await js.publish('md.quotes.B', 'b1');
    await js.publish('orders.alice', 'private');
    await js.publish('md.quotes.A', 'a2', withHeaders({ 'Ts-Event': '9' }));
    await until(() => first.messages.length === 4);
    expect(textsOf(first)).toEqual(['md.quotes.A a1', 'md.quotes.B b1', 'orders.alice private', 'md.quotes.A a2']);
    expect(first.messages.map(message => message.seq)).toEqual([1, 2, 3, 4]);
    expect(first.messages.map(message => message.tsEventMicros)).toEqual([7, 0, 0, 9]);

    const second = new Collector();
    await started(jetStreamFeed(url), second);
    await until(() => second.messages.length === 3);
    await js.publish('md.trades.C/D', 'c1');
    await until(() => second.messages.length === 4 && first.messages.length === 5);
    expect(textsOf(second)).toEqual(['md.quotes.B b1', 'orders.alice private', 'md.quotes.A a2', 'md.trades.C/D c1']);
    expect(second.messages.map(message => message.seq)).toEqual([2, 3, 4, 5]);

    const epochs = new Set([...first.messages, ...second.messages].map(message => message.epoch));
    expect(epochs).toEqual(new Set([Date.parse(stream.created).toString(36)]));
    expect(first.messages.every(message => !message.contiguous)).toBe(true);
  });

  it('R3 keeps the order of a stream larger than one pull, without a hole', async () => {
    const { url } = await server({ jetstream: true, storeDir });
    const sink = new Collector();
    await started(jetStreamFeed(url), sink);
    const nats = await publisher(url);
    for (let i = 0; i < 20_000; i++) nats.publish(`md.trades.S${i % 7}`, `${i}`);
    await until(() => sink.messages.length >= 20_000, RECOVERY_TIMEOUT_MS);
    expect(sink.messages.map(message => message.seq)).toEqual(Array.from({ length: 20_000 }, (_, i) => i + 1));
    expect(sink.statuses).toHaveLength(1);
  });

  it('R3 goes on behind the last message after the server was killed and restarted: none twice, none lost', async () => {
    const before = await server({ jetstream: true, storeDir });
    const sink = new Collector();
    await started(jetStreamFeed(before.url), sink);
    const nats = await publisher(before.url);
    const js = nats.jetstream();
    for (const text of ['1', '2', '3']) await js.publish('md.trades.A', text);
    await until(() => sink.messages.length === 3);
    await before.kill();
    await until(() => sink.statuses.at(-1)?.startsWith('stale') === true);

    await server({ jetstream: true, storeDir, port: before.port });
    await until(() => sink.live, RECOVERY_TIMEOUT_MS);
    const after = (await publisher(before.url)).jetstream();
    for (const text of ['4', '5']) await after.publish('md.trades.A', text);
    await until(() => sink.messages.length === 5);
    expect(textsOf(sink)).toEqual(['1', '2', '3', '4', '5'].map(text => `md.trades.A ${text}`));
    expect(sink.messages.map(message => message.seq)).toEqual([1, 2, 3, 4, 5]);
    expect(new Set(sink.messages.map(message => message.epoch)).size).toBe(1);
    expect(sink.statuses.at(-1)).toBe('live: resumed');
  });

  it('R3 begins a new epoch when the stream was deleted and created anew', async () => {
    const { url } = await server({ jetstream: true, storeDir });
    const sink = new Collector();
    await started(jetStreamFeed(url), sink);
    const nats = await publisher(url);
    const manager = await nats.jetstreamManager();
    for (const text of ['1', '2']) await nats.jetstream().publish('md.trades.A', text);
    await until(() => sink.messages.length === 2);
    await manager.streams.delete('MILLRACE');
    await until(() => sink.statuses.at(-1) === 'live: resumed; the stream was recreated', RECOVERY_TIMEOUT_MS);
    await nats.jetstream().publish('md.trades.A', '3');
    await until(() => sink.messages.length === 3);
    expect(sink.messages.map(message => message.seq)).toEqual([1, 2, 1]);
    expect(sink.messages[2]?.epoch).not.toBe(sink.messages[0]?.epoch);
  });

  it('R43 begins a new epoch behind messages that the stream’s limits removed before they could be read', async () => {
    const { url, port } = await server({ jetstream: true, storeDir });
    const nats = await publisher(url);
    const manager = await nats.jetstreamManager();
    await manager.streams.add({ name: 'MILLRACE', subjects: ['md.>'], max_msgs: 50 });
    const gate = await TcpGate.open(port);
    ends.push(() => gate.close());
    const sink = new Collector();
    await started(jetStreamFeed(`nats://127.0.0.1:${gate.port}`), sink);
    await nats.jetstream().publish('md.trades.A', '1');
    await until(() => sink.messages.length === 1);
    gate.holdServer();
    // More than is on the way at a time: the rest is gone when the feed asks for it.
    for (let n = 2; n <= 10_000; n++) nats.publish('md.trades.A', String(n));
    await nats.flush();
    gate.releaseServer();
    await until(() => sink.messages.at(-1)?.seq === 10_000, RECOVERY_TIMEOUT_MS);
    const places = sink.messages.map(({ epoch, seq }) => ({ epoch, seq }));
    const holes = places.filter(({ seq }, i) => i > 0 && seq !== (places[i - 1]?.seq ?? 0) + 1);
    expect(holes.length).toBeGreaterThan(0);
    for (const hole of holes) {
      expect(places[places.indexOf(hole) - 1]?.epoch).not.toBe(hole.epoch);
    }
    expect(new Set(places.map(({ epoch }) => epoch)).size).toBe(holes.length + 1);
  });

  it('R3 makes a new consumer when the server has dropped its own', async () => {
    const { url } = await server({ jetstream: true, storeDir });
    const sink = new Collector();
    const feed = await started(jetStreamFeed(url), sink);
    const nats = await publisher(url);
    const manager = await nats.jetstreamManager();
    await nats.jetstream().publish('md.trades.A', '1');
    await until(() => sink.messages.length === 1);
    for await (const consumer of manager.consumers.list('MILLRACE')) {
      await manager.consumers.delete('MILLRACE', consumer.name);
    }
    await nats.jetstream().publish('md.trades.A', '2');
    await until(() => sink.messages.length === 2, RECOVERY_TIMEOUT_MS);
    expect(sink.messages.map(message => message.seq)).toEqual([1, 2]);
    expect(sink.live).toBe(true);
    expect(feed.health).toMatchObject({ consumerRecreations: 1, reconnects: 0 });
  });

  it('R3 uses a stream that exists, and says what is missing when there is none and none may be made', async () => {
    const { url } = await server({ jetstream: true, storeDir });
    const manager = await (await publisher(url)).jetstreamManager();
    await manager.streams.add({ name: 'OTHER', subjects: ['md.>'] });
    const sink = new Collector();
    await started(jetStreamFeed(url, { NATS_STREAM: 'OTHER' }), sink);
    expect(sink.live).toBe(true);
    const missing =
      /stream MILLRACE: it does not exist and could not be created .*subjects overlap.*md\.>, orders\.>.*STREAM\.CREATE/;
    const absent = await jetStreamFeed(url).start(new Collector());
    expect(absent).toMatchObject({ ok: false, detail: expect.stringMatching(missing) });
    const plain = await server();
    const withoutJetStream = await jetStreamFeed(plain.url).start(new Collector());
    expect(withoutJetStream).toMatchObject({ detail: expect.stringMatching(/MILLRACE: JetStream is not available/) });
  });

  it('R3 stops at once, also while the server is away', async () => {
    const { url, kill } = await server({ jetstream: true, storeDir });
    const sink = new Collector();
    const feed = await started(jetStreamFeed(url), sink);
    await kill();
    await until(() => sink.statuses.length === 2);
    await feed.stop();
    expect(sink.statuses).toHaveLength(2);
  });
});

/** Publishes with header bytes that no client library would send. */
async function publishRawHeader(port: number, subject: string, lines: string): Promise<void> {
  const { connect: connectSocket } = await import('node:net');
  const head = `NATS/1.0\r\n${lines}\r\n\r\n`;
  const socket = connectSocket(port, '127.0.0.1');
  let answer = '';
  socket.on('data', bytes => {
    answer += bytes.toString();
  });
  socket.write('CONNECT {"verbose":false,"headers":true}\r\n');
  socket.write(`HPUB ${subject} ${head.length} ${head.length + 2}\r\n${head}{}\r\nPING\r\n`);
  await until(() => answer.includes('PONG'));
  socket.destroy();
}
