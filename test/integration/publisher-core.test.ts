/** `millrace/publisher` over core NATS: numbering, outages, bounds. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpack } from 'msgpackr';
import { connect, Events, type Msg, type NatsConnection } from 'nats';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectPublisher, type PublisherOptions, PublisherOverflow } from '../../src/publisher/index.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TcpGate } from '../support/tcp-gate.js';
import { until } from '../support/until.js';

const SMALL_BYTES_MAX = 512 * 1024;

let nats: NatsServer;
/** Publishers connect through it. */
let gate: TcpGate;
/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  nats = await startNatsServer();
});
beforeEach(async () => {
  gate = await TcpGate.open(nats.port);
  ends.push(() => gate.close());
});
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});
afterAll(() => nats?.stop());

/** A connection through the gate, and how often it broke. */
async function throughGate(): Promise<{ connection: NatsConnection; breaks: () => number }> {
  const servers = `127.0.0.1:${gate.port}`;
  const connection = await connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 20, reconnectJitter: 0 });
  let breaks = 0;
  void (async () => {
    for await (const { type } of connection.status()) if (type === Events.Disconnect) breaks++;
  })();
  ends.push(() => connection.close());
  return { connection, breaks: () => breaks };
}

async function publisherOf(options: PublisherOptions = {}) {
  const { connection, breaks } = await throughGate();
  const publisher = await connectPublisher(connection, options);
  /** Cuts the connection, and waits until its client knows. */
  const cut = async () => {
    gate.cut();
    await until(() => breaks() > 0);
  };
  return { publisher, cut };
}

async function listener(): Promise<NatsConnection> {
  const connection = await connect({ servers: nats.url });
  ends.push(() => connection.close());
  return connection;
}

/** Everything that is published from now on. */
async function everything(): Promise<Msg[]> {
  const messages: Msg[] = [];
  const connection = await listener();
  connection.subscribe('>', { callback: (_error, message) => messages.push(message) });
  await connection.flush();
  return messages;
}

const quote = (n: number) => ({ symbol: 'AAPL', current_price: n });
const seqs = (messages: readonly Msg[]) => messages.map(message => Number(message.headers?.get('Seq')));
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

describe('R38 numbering', () => {
  it('R38 is without holes for each subject, in one epoch', async () => {
    const messages = await everything();
    const { publisher } = await publisherOf({ epoch: 'e7' });
    for (let n = 1; n <= 3; n++) {
      publisher.quote(quote(n));
      publisher.analytics('alerts', n);
    }
    await publisher.flush();
    await until(() => messages.length === 6);
    for (const subject of ['md.quotes.AAPL', 'analytics.alerts']) {
      expect(seqs(messages.filter(message => message.subject === subject))).toEqual([1, 2, 3]);
    }
    expect(new Set(messages.map(message => message.headers?.get('Epoch')))).toEqual(new Set(['e7']));
  });

  it('R38 begins anew with every publisher, in another epoch', async () => {
    const messages = await everything();
    for (let n = 1; n <= 2; n++) {
      const { publisher } = await publisherOf();
      publisher.quote(quote(n));
      await publisher.close();
    }
    await until(() => messages.length === 2);
    expect(seqs(messages)).toEqual([1, 1]);
    expect(new Set(messages.map(message => message.headers?.get('Epoch'))).size).toBe(2);
  });

  it('R38 is left out where several publish: in rooms, and where the publisher is told so', async () => {
    const messages = await everything();
    const { publisher: numbered } = await publisherOf();
    numbered.room('desk-7', 'alice', 'hi');
    const { publisher: unnumbered } = await publisherOf({ numbered: false });
    unnumbered.quote(quote(1));
    await Promise.all([numbered.flush(), unnumbered.flush()]);
    await until(() => messages.length === 2);
    expect(messages.map(message => message.headers?.get('Seq'))).toEqual(['', '']);
    expect(messages.every(message => Number(message.headers?.get('Ts-Event')) > 1e15)).toBe(true);
  });

  it('R38 is what the promise of a publish resolves with', async () => {
    const { publisher } = await publisherOf();
    await publisher.quote(quote(1));
    expect(await publisher.quote(quote(2))).toEqual({ subject: 'md.quotes.AAPL', seq: 2, duplicate: false });
  });
});

describe('R38 an outage of core NATS', () => {
  it('R38 delays what is published meanwhile: it arrives afterwards, in order', async () => {
    const messages = await everything();
    const { publisher, cut } = await publisherOf();
    await publisher.quote(quote(1));
    await publisher.flush();
    await cut();
    for (let n = 2; n <= 100; n++) publisher.quote(quote(n));
    expect(publisher.stats).toMatchObject({ waitingMessages: 99, unconfirmed: 0 });
    gate.restore();
    await publisher.flush();
    await until(() => messages.length === 100);
    expect(seqs(messages)).toEqual(upTo(100));
  });

  it('R38 is told by flush, once, when messages may be lost with it', async () => {
    const { publisher, cut } = await publisherOf();
    gate.holdClients();
    for (let n = 1; n <= 5; n++) publisher.quote(quote(n));
    const told = expect(publisher.flush()).rejects.toMatchObject({ code: 'unconfirmed', message: /5 message\(s\)/ });
    await cut();
    gate.restore();
    await told;
    expect(publisher.stats).toMatchObject({ unconfirmed: 5, waitingMessages: 0, waitingBytes: 0 });
    await publisher.quote(quote(6));
    await publisher.flush();
  });

  it('R38 is told by flush once all that came after it has arrived', async () => {
    const { publisher, cut } = await publisherOf();
    gate.holdClients();
    publisher.quote(quote(1));
    let isTold = false;
    const told = publisher.flush().finally(() => {
      isTold = true;
    });
    const expected = expect(told).rejects.toMatchObject({ code: 'unconfirmed' });
    await cut();
    publisher.quote(quote(2));
    await new Promise(resolve => setImmediate(resolve));
    expect(isTold).toBe(false);
    gate.restore();
    await expected;
    expect(publisher.stats.waitingMessages).toBe(0);
  });

  it('R38 is noticed on a connection that was broken when it was handed in', async () => {
    const messages = await everything();
    const { connection, breaks } = await throughGate();
    gate.cut();
    await until(() => breaks() > 0);
    const publisher = await connectPublisher(connection);
    publisher.quote(quote(1));
    await until(() => publisher.stats.unconfirmed === 1);
    publisher.quote(quote(2));
    gate.restore();
    await expect(publisher.flush()).rejects.toMatchObject({ code: 'unconfirmed' });
    await until(() => messages.length === 1);
    expect(seqs(messages)).toEqual([2]);
  });

  it('R38 leaves a hole in the numbers where messages were lost', async () => {
    const messages = await everything();
    const { publisher, cut } = await publisherOf();
    gate.holdClients();
    publisher.quote(quote(1));
    await cut();
    gate.restore();
    publisher.quote(quote(2));
    await expect(publisher.flush()).rejects.toMatchObject({ code: 'unconfirmed' });
    await until(() => messages.length === 1);
    expect(seqs(messages)).toEqual([2]);
  });

  it('R38 does not keep a publisher from closing, which says what is lost', async () => {
    const { publisher, cut } = await publisherOf();
    await cut();
    publisher.quote(quote(1));
    await expect(publisher.close()).rejects.toMatchObject({ code: 'unconfirmed', message: /1 message\(s\)/ });
    expect(publisher.stats).toMatchObject({ waitingMessages: 0, unconfirmed: 1 });
    expect(() => publisher.quote(quote(2))).toThrow(expect.objectContaining({ code: 'closed' }));
  });
});

describe('R38 what waits is bounded', () => {
  it('R38 beyond the bound a publish throws, and nothing is taken', async () => {
    const { publisher, cut } = await publisherOf({ waitingBytesMax: SMALL_BYTES_MAX });
    await cut();
    const fill = () => {
      for (;;) publisher.quote(quote(1));
    };
    expect(fill).toThrow(PublisherOverflow);
    const { published, waitingBytes } = publisher.stats;
    expect(waitingBytes).toBeLessThanOrEqual(SMALL_BYTES_MAX);
    expect(fill).toThrow(expect.objectContaining({ code: 'overflow', waitingBytes }));
    gate.restore();
    await publisher.flush();
    expect(publisher.stats).toMatchObject({ published, waitingMessages: 0, waitingBytes: 0 });
    expect(await publisher.quote(quote(2))).toMatchObject({ seq: published + 1 });
  });

  it('R38 a loop that awaits is held back before it meets the bound', async () => {
    const messages = await everything();
    const { publisher } = await publisherOf({ waitingBytesMax: SMALL_BYTES_MAX });
    const count = 10_000;
    for (let n = 1; n <= count; n++) await publisher.quote(quote(n));
    await publisher.flush();
    await until(() => messages.length === count);
    expect(seqs(messages)).toEqual(upTo(count));
  });

  it('R38 a publisher that was held back goes on when the connection breaks', async () => {
    const { publisher, cut } = await publisherOf({ waitingBytesMax: SMALL_BYTES_MAX });
    gate.holdClients();
    const waits = () => publisher.stats.waitingBytes > SMALL_BYTES_MAX / 2;
    while (!waits()) void publisher.quote(quote(1));
    const held = publisher.quote(quote(2));
    await cut();
    expect(await held).toMatchObject({ duplicate: false });
  });
});

describe('R38 a core publisher', () => {
  it('R38 sends MessagePack when told so', async () => {
    const messages = await everything();
    const { publisher } = await publisherOf({ format: 'msgpack' });
    publisher.bookSnapshot('BTC/USDT', [['64993.00', '1.5']], []);
    await publisher.close();
    await until(() => messages.length === 1);
    const book = { symbol: 'BTC/USDT', bids: [['64993.00', '1.5']], asks: [], snapshot: true };
    expect(unpack(messages[0]?.data ?? new Uint8Array(0))).toEqual(book);
  });

  it('R38 leaves a connection open that it was given', async () => {
    const messages = await everything();
    const { connection } = await throughGate();
    const publisher = await connectPublisher(connection);
    publisher.quote(quote(1));
    await publisher.close();
    expect(connection.isClosed()).toBe(false);
    await until(() => messages.length === 1);
  });

  it('R38 is told which subject it has no permission for', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-permissions-'));
    ends.push(() => rm(directory, { recursive: true }));
    const config = join(directory, 'nats.conf');
    const permissions = 'permissions: { publish: "md.quotes.>" }';
    await writeFile(config, `authorization { users: [{ user: pub, password: pub, ${permissions} }] }`);
    const server = await startNatsServer({ args: ['-c', config] });
    ends.push(() => server.stop());
    const publisher = await connectPublisher({ servers: server.url, user: 'pub', pass: 'pub' });
    ends.push(() => publisher.close());
    publisher.quote(quote(1));
    await publisher.flush();
    publisher.room('desk-7', 'alice', 'hi');
    await expect(publisher.flush()).rejects.toMatchObject({ code: 'refused', message: /rooms\.desk-7/ });
  });

  it.each<[string, PublisherOptions]>([
    ['numbered', { jetstream: true, numbered: true }],
    ['epoch', { jetstream: true, epoch: 'e1' }],
    ['epoch', { epoch: 'not an epoch' }],
    ['epoch', { numbered: false, epoch: 'e1' }],
    ['format', { format: 'xml' as never }],
    ['waitingBytesMax', { waitingBytesMax: 1024 }],
    ['inFlightMax', { jetstream: true, inFlightMax: 0 }],
  ])('R38 is not made with an option that cannot be: %s %j', async (name, options) => {
    const made = connectPublisher({ servers: nats.url }, options);
    await expect(made).rejects.toThrow(TypeError);
    await expect(made).rejects.toThrow(name);
  });

  it('R38 is not made with an option of its own among those of nats.js', async () => {
    const made = connectPublisher({ servers: nats.url, jetstream: true } as never);
    await expect(made).rejects.toThrow(new TypeError('jetstream: belongs in the second argument of connectPublisher'));
  });
});
