/** What a JetStream stream does to itself: limits, deletes, older copies, and subjects that it does not store. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { connect, type JetStreamManager, type NatsConnection } from 'nats';
import { afterEach, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/environment.js';
import { JetStreamFeed } from '../../src/feed/jetstream.js';
import type { StreamPosition } from '../../src/protocol/stream-position.js';
import { TestClient } from '../support/client.js';
import { Collector } from '../support/collector.js';
import { feedOptions } from '../support/feed-options.js';
import { startGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TcpGate } from '../support/tcp-gate.js';
import { until } from '../support/until.js';

const TIMEOUT_MS = 30_000;

/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

async function directory(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'millrace-truth-'));
  ends.push(() => rm(made, { recursive: true, force: true }));
  return made;
}

async function server(storeDir: string, port?: number): Promise<NatsServer> {
  const started = await startNatsServer({ jetstream: true, storeDir, ...(port === undefined ? {} : { port }) });
  ends.push(() => started.stop());
  return started;
}

async function publisher(url: string): Promise<NatsConnection> {
  const nats = await connect({ servers: url });
  ends.push(() => nats.close());
  return nats;
}

interface Market {
  readonly nats: NatsConnection;
  readonly manager: JetStreamManager;
  readonly url: string;
}

/** A server with the stream MILLRACE. */
async function market(config: object): Promise<Market> {
  const { url } = await server(await directory());
  const nats = await publisher(url);
  const manager = await nats.jetstreamManager();
  await manager.streams.add({ name: 'MILLRACE', subjects: ['md.>'], ...config });
  return { nats, manager, url };
}

async function feedAt(url: string): Promise<{ feed: JetStreamFeed; sink: Collector }> {
  const config = readConfig({ FEED: 'nats', NATS_URL: url, JETSTREAM: 'on' }).nats;
  const feed = new JetStreamFeed({ config, ...feedOptions('test') });
  const sink = new Collector();
  ends.push(() => feed.stop());
  await feed.start(sink);
  return { feed, sink };
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** Undefined if the stream does not number the subject. */
function positionOf(feed: JetStreamFeed, subject: string): StreamPosition | undefined {
  const outcome = feed.position(subject);
  return outcome.ok ? outcome.position : undefined;
}

describe('K3 a stream at its limit', () => {
  it('K3: whoever resumes near its oldest message gets all, or is told that it cannot be had', async () => {
    const { nats, manager, url } = await market({ max_msgs: 400 });
    const js = nats.jetstream();
    for (let n = 0; n < 400; n++) nats.publish('md.trades.A', '{}');
    await nats.flush();
    const { feed } = await feedAt(url);
    let isEnding = false;
    const publishing = (async () => {
      while (!isEnding) await Promise.all(Array.from({ length: 20 }, () => js.publish('md.trades.A', '{}')));
    })();
    const counts = { all: 0, none: 0 };
    try {
      for (let round = 0; round < 15; round++) {
        const { first_seq: first, last_seq: toSeq } = (await manager.streams.info('MILLRACE')).state;
        await Promise.all(
          [0, 10, 40, 300].map(async behind => {
            const afterSeq = first + behind;
            const epoch = positionOf(feed, 'md.trades.A')?.epoch ?? '';
            const range = { subject: 'md.trades.A', epoch, afterSeq, toSeq, messagesMax: 1_000 };
            const outcome = await feed.stored(range);
            counts[outcome.ok ? 'all' : 'none']++;
            if (outcome.ok) expect(outcome.messages.map(({ seq }) => seq)).toEqual(numbers(afterSeq + 1, toSeq));
          }),
        );
      }
    } finally {
      isEnding = true;
      await publishing;
    }
    expect(counts.all).toBeGreaterThan(0);
    expect(counts.all + counts.none).toBe(60);
  });

  it.each([
    ['deleted', (manager: JetStreamManager) => manager.streams.deleteMessage('MILLRACE', 5)],
    ['purged', (manager: JetStreamManager) => manager.streams.purge('MILLRACE', { filter: 'md.trades.A', keep: 3 })],
  ])('K3: a message that was %s is missed', async (_how, take) => {
    const { nats, manager, url } = await market({});
    for (let n = 0; n < 10; n++) await nats.jetstream().publish(n === 0 ? 'md.trades.B' : 'md.trades.A', '{}');
    const { feed } = await feedAt(url);
    const epoch = positionOf(feed, 'md.trades.A')?.epoch ?? '';
    const range = { subject: 'md.trades.A', epoch, afterSeq: 2, toSeq: 10, messagesMax: 100 };
    expect(await feed.stored(range)).toMatchObject({ ok: true });
    await take(manager);
    expect(await feed.stored(range)).toMatchObject({ ok: false, code: 'incomplete' });
    // What is behind it is all there.
    expect(await feed.stored({ ...range, afterSeq: 8 })).toMatchObject({
      ok: true,
      messages: [{ seq: 9 }, { seq: 10 }],
    });
  });

  it('K11: with 30,000 interior deletes all who resume get everything', async () => {
    const { nats, manager, url } = await market({ max_msgs_per_subject: 100 });
    nats.publish('md.trades.B', '{}');
    for (let n = 0; n < 30_100; n++) nats.publish('md.quotes.A', '{}');
    for (let n = 0; n < 20; n++) nats.publish('md.trades.A', '{}');
    const stored = async () => (await manager.streams.info('MILLRACE')).state.last_seq;
    await until(async () => (await stored()) === 30_121, TIMEOUT_MS, 'the stream has stored all of them');
    const { feed, sink } = await feedAt(url);
    const newest = () => sink.messages.find(({ subject }) => subject === 'md.trades.A')?.seq;
    const toSeq = (await until(newest, TIMEOUT_MS)) ?? 0;
    const epoch = positionOf(feed, 'md.trades.A')?.epoch ?? '';
    const resume = (afterSeq: number) =>
      feed.stored({ subject: 'md.trades.A', epoch, afterSeq, toSeq, messagesMax: 100 });
    const outcomes = await Promise.all(numbers(1, 20).map(n => resume(toSeq - n)));
    expect(outcomes.map(outcome => (outcome.ok ? outcome.messages.length : outcome.detail))).toEqual(numbers(1, 20));
    // Of a range with deleted messages nothing can be said.
    expect(await resume(10)).toMatchObject({ ok: false, code: 'incomplete' });
  });
});

describe('K4 a server that comes back with an older copy of its store', () => {
  /** Trades 1–10 were read, then 6–10 are lost, and `later` others stored in their place. */
  async function restored(later: number) {
    const [storeDir, copyDir] = [await directory(), await directory()];
    const put = async (url: string, from: number, to: number) => {
      const nats = await connect({ servers: url });
      for (const n of numbers(from, to)) await nats.jetstream().publish('md.trades.A', String(n));
      await nats.close();
    };
    const first = await server(storeDir);
    const gate = await TcpGate.open(first.port);
    ends.push(() => gate.close());
    const one = await feedAt(first.url);
    const two = await feedAt(`nats://127.0.0.1:${gate.port}`);
    await put(first.url, 1, 5);
    const last = (sink: Collector) => sink.texts('md.trades.A').at(-1);
    await until(() => last(one.sink) === '5' && last(two.sink) === '5', TIMEOUT_MS);
    await first.stop();
    await cp(storeDir, copyDir, { recursive: true });
    const again = await server(storeDir, first.port);
    await until(() => one.sink.live && two.sink.live, TIMEOUT_MS);
    await put(again.url, 6, 8);
    await until(() => last(one.sink) === '8' && last(two.sink) === '8', TIMEOUT_MS);
    // The other one stands somewhere else when the server ends.
    gate.holdServer();
    await put(again.url, 9, 10);
    await until(() => last(one.sink) === '10', TIMEOUT_MS);
    await again.kill();
    const elsewhere = await server(copyDir);
    await put(elsewhere.url, 101, 100 + later);
    await elsewhere.stop();
    await server(copyDir, first.port);
    gate.releaseServer();
    const added = numbers(101, 100 + later).map(String);
    await until(() => one.sink.live && two.sink.live && one.sink.epochs().length > 1, TIMEOUT_MS);
    await until(() => last(one.sink) === added.at(-1) && last(two.sink) === added.at(-1), TIMEOUT_MS);
    return { one, two, added };
  }

  it.each([
    ['grew past the reader', 8],
    ['is still behind the reader', 2],
  ])(
    'K4: that %s: a new epoch, the same at every gateway',
    async (_how, later) => {
      const { one, two } = await restored(later);
      expect(one.sink.epochs()).toHaveLength(2);
      expect(two.sink.epochs()).toEqual(one.sink.epochs());
      expect(one.sink.statuses.join()).toContain('fell back');
      // What was counted in the former epoch is not what the stream holds now.
      const [epoch = ''] = one.sink.epochs();
      const range = { subject: 'md.trades.A', epoch, afterSeq: 5, toSeq: 7, messagesMax: 100 };
      expect(await one.feed.stored(range)).toMatchObject({ ok: false });
    },
    60_000,
  );

  it('K4: a message that the limits took while the connection was lost proves nothing; its consumer does', async () => {
    const { nats, url } = await market({ max_msgs_per_subject: 1 });
    const gate = await TcpGate.open(Number(new URL(url).port));
    ends.push(() => gate.close());
    const { sink } = await feedAt(`nats://127.0.0.1:${gate.port}`);
    await nats.jetstream().publish('md.quotes.A', '1');
    await until(() => sink.messages.length === 1, TIMEOUT_MS);
    gate.holdServer();
    for (let n = 2; n <= 5; n++) await nats.jetstream().publish('md.quotes.A', String(n));
    gate.cut();
    gate.restore();
    await until(() => sink.texts('md.quotes.A').at(-1) === '5', TIMEOUT_MS);
    expect(sink.epochs()).toHaveLength(1);
    expect(sink.messages.at(-1)?.holeSeq).toBe(4);
  });
});

describe('K9 a stream that stores only a part', () => {
  it('K9: what it does not store comes from core NATS, each message once, and that is said', async () => {
    const subjects = ['md.quotes.*', 'md.trades.ONE', 'orders.*', 'analytics.*'];
    const { nats, url } = await market({ subjects });
    const { feed, sink } = await feedAt(url);
    await Promise.all(['orders.alice', 'rooms.desk'].map(subject => feed.follow(subject, true)));
    await nats.flush();
    const stored = ['md.quotes.A', 'md.trades.ONE', 'orders.alice', 'analytics.alerts'];
    const others = ['md.quotes.BRK.B', 'md.trades.TWO', 'md.books.A', 'rooms.desk'];
    for (const n of [1, 2]) for (const subject of [...stored, ...others]) nats.publish(subject, String(n));
    await nats.flush();
    await until(() => sink.messages.length >= 2 * (stored.length + others.length), TIMEOUT_MS);
    for (const subject of [...stored, ...others]) expect([subject, sink.texts(subject)]).toEqual([subject, ['1', '2']]);
    for (const subject of stored) expect(sink.epochs(subject)).toEqual([positionOf(feed, subject)?.epoch]);
    for (const subject of others) expect([sink.epochs(subject), positionOf(feed, subject)]).toEqual([[''], undefined]);
    expect(sink.notices).toEqual([
      expect.stringContaining('does not store all of md.quotes.>, md.trades.>, md.books.>'),
    ]);
  });

  it('K9: a mirror stores what its origin does', async () => {
    const { nats, manager, url } = await market({ name: 'ORIGIN', subjects: ['md.>'] });
    await manager.streams.add({ name: 'COPY', mirror: { name: 'ORIGIN' } });
    const config = readConfig({ FEED: 'nats', NATS_URL: url, JETSTREAM: 'on', NATS_STREAM: 'COPY' }).nats;
    const feed = new JetStreamFeed({ config, ...feedOptions('test') });
    const sink = new Collector();
    ends.push(() => feed.stop());
    await feed.start(sink);
    await nats.jetstream().publish('md.trades.A', '1');
    await until(() => sink.messages.length === 1, TIMEOUT_MS);
    expect(positionOf(feed, 'md.trades.A')).toBeDefined();
    expect(positionOf(feed, 'orders.alice')).toBeUndefined();
    expect(sink.notices).toEqual([expect.stringContaining('analytics.*, orders.*, rooms.*')]);
  });
});

function tradeText(id: number): string {
  const message = { symbol: 'Q', trade_id: id, price: '1', quantity: '1', executed_at: '2026-01-01T00:00:00Z' };
  return JSON.stringify(message);
}

describe('K10 a hole in a stream', () => {
  it('K10: a topic that lost nothing is told nothing, however many messages others replace', async () => {
    const { nats, url } = await market({ max_msgs_per_subject: 1 });
    const symbols = ['A', 'B', 'C', 'D', 'E'];
    const put = (symbol: string, n: number) =>
      nats.publish(`md.quotes.${symbol}`, JSON.stringify({ symbol, current_price: n }));
    const trade = (id: number) => nats.publish('md.trades.Q', tradeText(id));
    for (const symbol of symbols) put(symbol, 0);
    trade(1);
    await nats.flush();
    const gateway = await startGateway({
      NATS_URL: url,
      JETSTREAM: 'on',
      WORKERS: '1',
      ENCODERS: '1',
      WS_MAX_AGE: '60s',
    });
    ends.push(() => gateway.stop());
    const path = `/ws/quotes?symbols=${symbols.join()}&token=${await testToken()}`;
    const client = await TestClient.connect(`${gateway.url}${path}`);
    ends.push(() => client.close());
    client.send({ action: 'subscribe', stream: 'trades', symbol: 'Q' });
    await client.arrived('subscribed');
    await client.arrived('quotes_patch');
    // In bursts, so that the stream replaces messages before they can be read.
    for (let n = 1; n <= 4_000; n++) {
      for (const symbol of symbols) put(symbol, n);
      if (n % 400 === 0) await nats.flush();
    }
    await nats.flush();
    const ofE = (frame: Record<string, unknown>) => JSON.stringify(frame).includes(':4000');
    await until(() => client.frames.filter(ofE).length > 0, TIMEOUT_MS);
    const patches = client.ofType('quotes_patch');
    expect(patches.filter(({ snapshot }) => snapshot === true)).toHaveLength(1);
    expect(new Set(patches.map(({ epoch }) => epoch)).size).toBe(1);
    expect(client.ofType('gap')).toEqual([]);
    const skipped = patches.filter(({ seq, prev_seq: prev }) => Number(seq) - Number(prev) > symbols.length);
    expect(skipped.length).toBeGreaterThan(0);
    // All was read. Time to ask about what was missing, before the next trade comes: its place proves nothing of what was before.
    await setTimeout(3_000);
    trade(2);
    await nats.flush();
    const [executed] = await client.arrived('trade_executed', 1, TIMEOUT_MS);
    expect(executed).toMatchObject({ trade_id: 2, prev_seq: symbols.length + 1, epoch: patches[0]?.epoch });
    expect(client.ofType('gap')).toEqual([]);
  });

  it('K10: a topic that lost a message in the hole is told', async () => {
    const { nats, manager, url } = await market({});
    const trade = (id: number) => nats.jetstream().publish('md.trades.Q', tradeText(id));
    await trade(1);
    const gate = await TcpGate.open(Number(new URL(url).port));
    ends.push(() => gate.close());
    const env = { NATS_URL: `nats://127.0.0.1:${gate.port}`, JETSTREAM: 'on', WORKERS: '1', ENCODERS: '1' };
    const gateway = await startGateway(env);
    ends.push(() => gateway.stop());
    const client = await TestClient.connect(`${gateway.url}/ws/quotes?symbols=Q&token=${await testToken()}`);
    ends.push(() => client.close());
    client.send({ action: 'subscribe', stream: 'trades', symbol: 'Q' });
    await client.arrived('subscribed');
    gate.cut();
    for (const id of [2, 3]) await trade(id);
    await manager.streams.deleteMessage('MILLRACE', 2);
    gate.restore();
    const [executed] = await client.arrived('trade_executed', 1, TIMEOUT_MS);
    expect(client.ofType('gap')).toEqual([expect.objectContaining({ from: 2, to: 2, reason: 'stream_limits' })]);
    expect(executed).toMatchObject({ trade_id: 3, seq: 3, prev_seq: 2 });
  });
});
