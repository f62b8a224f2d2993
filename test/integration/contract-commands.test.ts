/** PROTOCOL.md section 2: what clients say on a live connection, and what they are answered. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Frame, TestClient } from '../support/client.js';
import { Documents } from '../support/documents.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { until } from '../support/until.js';

const SUBSCRIPTIONS_MAX = 40;

let nats: NatsServer;
let gateway: TestGateway;
let publisher: TestPublisher;
let token: string;
const clients: TestClient[] = [];

beforeAll(async () => {
  nats = await startNatsServer();
  const limits = { WS_MAX_SUBSCRIPTIONS: String(SUBSCRIPTIONS_MAX) };
  gateway = await startGateway({ NATS_URL: nats.url, SYMBOLS: 'MANY-*', WORKERS: '2', ENCODERS: '2', ...limits });
  publisher = await TestPublisher.connect(nats.url);
  token = await testToken();
  for (const symbol of ['AAPL', 'MSFT', 'BTC/USDT']) putAll(symbol, 1);
  await publisher.settled(gateway);
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map(client => client.close()));
});

afterAll(async () => {
  await publisher?.close();
  await gateway?.stop();
  await nats?.stop();
});

async function open(query: Record<string, string> = {}): Promise<TestClient> {
  const client = await TestClient.connect(`${gateway.url}/ws?${new URLSearchParams({ token, ...query })}`);
  clients.push(client);
  return client;
}

async function openAnonymous(): Promise<TestClient> {
  const client = await TestClient.connect(`${gateway.url}/ws`);
  clients.push(client);
  return client;
}

const putQuote = (symbol: string, n: number) => publisher.put(`md.quotes.${symbol}`, { symbol, current_price: n });

function putAll(symbol: string, n: number): void {
  const levels = (base: number) => Array.from({ length: 30 }, (_, i) => [String(base + i), String(n)]);
  putQuote(symbol, n);
  publisher.put(`md.books.${symbol}`, { symbol, bids: levels(1), asks: levels(100), snapshot: true });
  publisher.put(`md.trades.${symbol}`, { symbol, trade_id: n, price: '1', quantity: '1' });
}

/** The answer to a command is the first frame with its id. */
let lastId = 0;
async function ask(client: TestClient, command: object): Promise<Frame> {
  const id = `c${++lastId}`;
  client.send({ ...command, id });
  return client.next(`answer to ${JSON.stringify(command)}`, frame => frame.id === id);
}

describe.each(['json', 'msgpack'])('in %s', format => {
  it('R23 subscribes to one topic', async () => {
    const client = await open({ format });
    const answer = await ask(client, { action: 'subscribe', stream: 'quotes', symbol: 'AAPL' });
    const topics = ['quotes:AAPL'];
    expect(answer).toEqual({ type: 'subscribed', id: answer.id, stream: 'quotes', topics, class: 'realtime' });
    await client.arrived('quotes_patch');
    expect(client.frames.map(frame => frame.type)).toEqual(['subscribed', 'quotes_patch']);
  });

  it('R23 subscribes to many symbols with one snapshot', async () => {
    const client = await open({ format });
    const symbols = ['AAPL', 'MSFT', 'AAPL', 'BTC/USDT'];
    const answer = await ask(client, { action: 'subscribe', stream: 'quotes', symbols, class: '100ms' });
    expect(answer).toMatchObject({ topics: ['quotes:AAPL', 'quotes:MSFT', 'quotes:BTC/USDT'], class: '100ms' });
    const [snapshot] = await client.arrived('quotes_patch');
    expect(Object.keys(snapshot?.seqs as object).sort()).toEqual(['AAPL', 'BTC/USDT', 'MSFT']);
  });

  it('R23 subscribes to a depth', async () => {
    const client = await open({ format });
    const command = { action: 'subscribe', stream: 'depth', symbol: 'BTC/USDT', depth: 25, class: '16ms' };
    expect(await ask(client, command)).toMatchObject({ topics: ['depth:BTC/USDT'], class: '16ms' });
    await client.arrived('depth_patch');
    const book = new Documents().follow(client).books.get('BTC/USDT');
    expect([Object.keys(book?.bids ?? {}).length, Object.keys(book?.asks ?? {}).length]).toEqual([25, 25]);
  });

  it('R23 echoes the id as it came, and none where none came', async () => {
    const client = await open({ format });
    for (const id of ['x', '', 7, 0, 1.5]) client.send({ action: 'ping', id });
    client.send({ action: 'ping' });
    const pongs = await client.arrived('pong', 6);
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
    const withIds = ['x', '', 7, 0, 1.5].map(id => ({ type: 'pong', id, time }));
    expect(pongs).toEqual([...withIds, { type: 'pong', time }]);
  });

  it('R23 answers an unsubscribe, and sends nothing of the topic any more', async () => {
    const client = await open({ format });
    await ask(client, { action: 'subscribe', stream: 'quotes', symbols: ['AAPL', 'MSFT'] });
    await client.arrived('quotes_patch');
    const answer = await ask(client, { action: 'unsubscribe', stream: 'quotes', symbol: 'AAPL' });
    expect(answer).toMatchObject({ type: 'unsubscribed', topics: ['quotes:AAPL'] });
    const mark = client.frames.length;
    for (const symbol of ['AAPL', 'MSFT']) putQuote(symbol, lastId + 1000);
    await publisher.settled(gateway);
    await ask(client, { action: 'subscribe', stream: 'quotes', symbol: 'AAPL' });
    const isSnapshot = (frame: Frame) => (frame.seqs as { AAPL?: number })?.AAPL !== undefined;
    await until(() => client.frames.slice(mark).some(isSnapshot));
    const since = client.frames.slice(mark, client.frames.findLastIndex(isSnapshot));
    expect(since.filter(frame => frame.symbol === 'AAPL')).toEqual([]);
    await client.next('change of the other symbol', frame => frame.symbol === 'MSFT');
  });

  it('R23 is idempotent: a repeated subscribe brings no second snapshot, a repeated unsubscribe no error', async () => {
    const client = await open({ format });
    const topic = { stream: 'quotes', symbol: 'AAPL' };
    await ask(client, { action: 'subscribe', ...topic });
    await client.arrived('quotes_patch');
    expect(await ask(client, { action: 'subscribe', ...topic })).toMatchObject({ type: 'subscribed' });
    putQuote('AAPL', lastId + 2000);
    await client.arrived('quotes_patch', 2);
    expect(client.ofType('quotes_patch')[1]?.snapshot).toBeUndefined();
    expect(new Documents().follow(client).chained).toBe(1);
    for (const _ of [1, 2]) {
      expect(await ask(client, { action: 'unsubscribe', ...topic })).toMatchObject({ type: 'unsubscribed' });
    }
    expect(client.ofType('error')).toEqual([]);
  });

  it('R23 changes the class with a new snapshot, after which the topic goes on in the new class', async () => {
    const client = await open({ format });
    const topic = { stream: 'quotes', symbol: 'AAPL' };
    await ask(client, { action: 'subscribe', ...topic });
    await client.arrived('quotes_patch');
    const answer = await ask(client, { action: 'subscribe', ...topic, class: '1000ms' });
    expect(answer).toMatchObject({ type: 'subscribed', class: '1000ms' });
    const snapshots = (await client.arrived('quotes_patch', 2)).map(frame => frame.snapshot);
    expect(snapshots).toEqual([true, true]);
    const base = lastId + 3000;
    // Behind a send of the class, so that what follows falls into one interval.
    putQuote('AAPL', base);
    const [, , first] = await client.arrived('quotes_patch', 3);
    for (const n of [1, 2, 3]) putQuote('AAPL', base + n);
    const [, , , second] = await client.arrived('quotes_patch', 4);
    expect(second).toMatchObject({ prev_seq: first?.seq, seq: Number(first?.seq) + 3 });
    expect(new Documents().follow(client).document.quotes.AAPL).toMatchObject({ current_price: base + 3 });
  });

  it('R23 changes the depth with a new snapshot', async () => {
    const client = await open({ format });
    const topic = { action: 'subscribe', stream: 'depth', symbol: 'AAPL' };
    await ask(client, { ...topic, depth: 10 });
    await client.arrived('depth_patch');
    await ask(client, { ...topic, depth: 25 });
    await client.arrived('depth_patch', 2);
    expect(client.ofType('depth_patch').map(frame => frame.snapshot)).toEqual([true, true]);
    expect(Object.keys(new Documents().follow(client).books.get('AAPL')?.bids ?? {})).toHaveLength(25);
  });

  it('R23 answers a resync with a fresh snapshot, from which the topic goes on', async () => {
    const client = await open({ format });
    const documents = new Documents();
    for (const [stream, type] of [
      ['quotes', 'quotes_patch'],
      ['orderbook', 'orderbook_update'],
      ['depth', 'depth_patch'],
    ] as const) {
      await ask(client, { action: 'subscribe', stream, symbol: 'MSFT' });
      await client.arrived(type);
      client.send({ action: 'resync', stream, symbol: 'MSFT' });
      const [, snapshot] = await client.arrived(type, 2);
      expect(snapshot?.snapshot).toBe(true);
    }
    putAll('MSFT', lastId + 4000);
    await client.arrived('quotes_patch', 3);
    await client.arrived('orderbook_update', 3);
    await client.arrived('depth_patch', 3);
    expect(documents.follow(client).chained).toBe(3);
    expect(client.ofType('error')).toEqual([]);
  });
});

describe('R23 an invalid command', () => {
  const text = (value: string) => (client: TestClient) => client.socket.send(value);
  const json = (value: unknown) => text(JSON.stringify(value));

  it.each([
    ['invalid_json', 'half an object', text('{"action":')],
    ['invalid_json', 'nothing', text('')],
    ['invalid_json', 'a word', text('subscribe')],
    ['invalid_json', 'NaN', text('{"action":NaN}')],
    ['invalid_json', 'binary', (client: TestClient) => client.socket.send(Buffer.from('{"action":"ping"}'))],
    ['invalid_message', 'an array', json([{ action: 'ping' }])],
    ['invalid_message', 'a number', json(1)],
    ['invalid_message', 'null', json(null)],
    ['invalid_message', 'no action', json({ stream: 'quotes' })],
    ['invalid_message', 'an action that is no text', json({ action: 1 })],
    ['invalid_message', 'no stream', json({ action: 'subscribe', symbol: 'AAPL' })],
    ['invalid_message', 'a stream that is no text', json({ action: 'subscribe', stream: 7 })],
    ['invalid_message', 'symbols that are no list', json({ action: 'subscribe', stream: 'quotes', symbols: 'AAPL' })],
    ['invalid_message', 'symbols that are no texts', json({ action: 'subscribe', stream: 'quotes', symbols: [1] })],
    [
      'invalid_message',
      'an unknown class',
      json({ action: 'subscribe', stream: 'quotes', symbol: 'AAPL', class: '5ms' }),
    ],
    ['invalid_message', 'an unknown depth', json({ action: 'subscribe', stream: 'depth', symbol: 'AAPL', depth: 7 })],
    ['invalid_message', 'an id that is no id', json({ action: 'ping', id: { a: 1 } })],
    ['unknown_action', 'an unknown action', json({ action: 'dance' })],
    ['unknown_action', 'a name that objects have', json({ action: 'toString' })],
    ['unknown_stream', 'an unknown stream', json({ action: 'subscribe', stream: 'weather', symbol: 'AAPL' })],
    [
      'unknown_stream',
      'an unknown stream to leave',
      json({ action: 'unsubscribe', stream: 'weather', symbol: 'AAPL' }),
    ],
    ['missing_symbol', 'no symbol', json({ action: 'subscribe', stream: 'quotes' })],
    ['missing_symbol', 'an empty list of symbols', json({ action: 'subscribe', stream: 'orderbook', symbols: [] })],
    ['missing_symbol', 'an empty symbol', json({ action: 'subscribe', stream: 'depth', symbol: '' })],
    ['invalid_symbol', 'an unknown symbol', json({ action: 'subscribe', stream: 'quotes', symbol: 'NOPE' })],
    ['invalid_symbol', 'a symbol that cannot be', json({ action: 'subscribe', stream: 'trades', symbol: 'A B' })],
    ['unknown_channel', 'an unknown channel', json({ action: 'subscribe', channels: ['gossip'] })],
    ['not_subscribed', 'a resync without subscription', json({ action: 'resync', stream: 'quotes', symbol: 'AAPL' })],
  ] as const)('R23 is answered by %s: %s; the connection lives on', async (code, _what, send) => {
    const client = await open();
    send(client);
    client.send({ action: 'ping', id: 'after' });
    await client.next('pong', frame => frame.id === 'after');
    expect(client.frames).toEqual([
      { type: 'error', code, message: expect.stringMatching(/.+/) },
      { type: 'pong', id: 'after', time: expect.any(String) },
    ]);
  });

  it('R23 is answered with its id', async () => {
    const client = await open();
    expect(await ask(client, { action: 'dance' })).toMatchObject({ type: 'error', code: 'unknown_action' });
    expect(await ask(client, { action: 'subscribe', stream: [] })).toMatchObject({ code: 'invalid_message' });
    expect(await ask(client, { action: 'subscribe', stream: 'quotes', symbol: 'NOPE' })).toMatchObject({
      code: 'invalid_symbol',
      message: expect.stringContaining('NOPE'),
    });
  });

  it('R23 does not keep the valid part of a subscribe from being served', async () => {
    const client = await open();
    client.send({ action: 'subscribe', stream: 'quotes', symbols: ['AAPL', 'NOPE'], id: 1 });
    await client.arrived('quotes_patch');
    await client.arrived('error');
    expect(client.ofType('subscribed')).toMatchObject([{ id: 1, topics: ['quotes:AAPL'] }]);
    expect(client.ofType('error')).toMatchObject([{ id: 1, code: 'invalid_symbol' }]);
    expect(client.ofType('quotes_patch')[0]).toMatchObject({ snapshot: true, seqs: { AAPL: expect.any(Number) } });
  });

  it('R10 is answered by forbidden when it asks for a class faster than the tier’s', async () => {
    const client = await open({ token: await testToken({ tier: 'retail' }) });
    const subscribe = { action: 'subscribe', stream: 'quotes', symbol: 'AAPL' };
    expect(await ask(client, { ...subscribe, class: '16ms' })).toMatchObject({ type: 'error', code: 'forbidden' });
    expect(await ask(client, { ...subscribe, class: '1000ms' })).toMatchObject({ type: 'subscribed', class: '1000ms' });
  });

  it('R32 is answered by forbidden when it asks for what the credential is not entitled to', async () => {
    const client = await open({ token: await testToken({ entitlements: ['quotes:AAPL', 'depth:BTC/*'] }) });
    const answers = await Promise.all(
      [
        { stream: 'quotes', symbol: 'MSFT' },
        { stream: 'depth', symbol: 'AAPL' },
        { stream: 'orderbook', symbol: 'BTC/USDT' },
        { stream: 'trades' },
        { stream: 'depth', symbol: 'BTC/USDT' },
      ].map(topic => ask(client, { action: 'subscribe', ...topic })),
    );
    const refused = { type: 'error', code: 'forbidden' };
    expect(answers).toMatchObject([refused, refused, refused, refused, { type: 'subscribed' }]);
  });

  it('R20 is answered by unauthorized when it asks for quotes without a credential', async () => {
    const client = await openAnonymous();
    const answer = await ask(client, { action: 'subscribe', stream: 'quotes', symbol: 'AAPL' });
    expect(answer).toMatchObject({ type: 'error', code: 'unauthorized' });
    expect(await ask(client, { action: 'subscribe', stream: 'trades' })).toMatchObject({ type: 'subscribed' });
  });

  it('R23 is answered by too_many_subscriptions over WS_MAX_SUBSCRIPTIONS, and nothing of it is served', async () => {
    const client = await open();
    const names = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `MANY-${from + i}`);
    const subscribe = (symbols: string[]) => ask(client, { action: 'subscribe', stream: 'orderbook', symbols });
    expect(await subscribe(names(0, SUBSCRIPTIONS_MAX))).toMatchObject({ type: 'subscribed' });
    expect(await subscribe(names(0, 10))).toMatchObject({ type: 'subscribed' });
    expect(await subscribe(['MANY-x'])).toMatchObject({ type: 'error', code: 'too_many_subscriptions' });
    expect(await subscribe(names(0, SUBSCRIPTIONS_MAX + 5))).toMatchObject({ code: 'too_many_subscriptions' });
    await ask(client, { action: 'unsubscribe', stream: 'orderbook', symbol: 'MANY-0' });
    expect(await subscribe(['MANY-x'])).toMatchObject({ type: 'subscribed' });
  });
});

describe('R23 the order of answers', () => {
  it('R23 is that of the commands, also where one has to be looked up', async () => {
    const client = await open();
    const expected: unknown[] = [];
    const send = (command: object, type: string) => {
      const id = expected.length;
      client.send({ ...command, id });
      expected.push([id, type]);
    };
    for (let round = 0; round < 20; round++) {
      send({ action: 'subscribe', stream: 'quotes', symbol: `NOPE${round}` }, 'error');
      send({ action: 'ping' }, 'pong');
      send({ action: 'subscribe', stream: 'trades', symbol: 'AAPL' }, 'subscribed');
      send({ action: 'unsubscribe', stream: 'trades', symbol: 'AAPL' }, 'unsubscribed');
      send({ action: 'subscribe', stream: 'depth', symbol: 'MSFT' }, 'subscribed');
      send({ action: 'nonsense' }, 'error');
      send({ action: 'unsubscribe', stream: 'depth', symbol: 'MSFT' }, 'unsubscribed');
    }
    await client.next('last answer', frame => frame.id === expected.length - 1);
    const answers = client.frames.filter(frame => frame.id !== undefined);
    expect(answers.map(({ id, type }) => [id, type])).toEqual(expected);
  });

  it('R23 finds a symbol that was published a moment ago', async () => {
    const client = await open();
    for (let n = 0; n < 20; n++) {
      putQuote(`FRESH${n}`, 1);
      await publisher.settled(gateway);
      const answer = await ask(client, { action: 'subscribe', stream: 'quotes', symbol: `FRESH${n}` });
      expect(answer).toMatchObject({ type: 'subscribed' });
    }
  });
});

describe('R6 R23 under load', () => {
  const PAUSE_MS = 5;
  const CLIENTS = 40;
  const ROUNDS = 20;
  const SYMBOLS = Array.from({ length: 10 }, (_, i) => (i % 3 === 0 ? `L${i}/X` : `L${i}`));
  const STREAMS = ['quotes', 'orderbook', 'depth', 'trades'] as const;
  const CLASSES = ['realtime', '16ms', '100ms'] as const;

  it('R6 R23 every snapshot is followed by exactly what comes behind it, however often clients come and go', async () => {
    let n = 1;
    let isStopped = false;
    for (const symbol of SYMBOLS) putAll(symbol, n);
    await publisher.settled(gateway);
    const flood = (async () => {
      while (!isStopped) {
        n++;
        for (const symbol of SYMBOLS) putAll(symbol, n);
        await publisher.nats.flush();
        // Without a pause, a busy machine is ever further behind.
        await new Promise(resolve => setTimeout(resolve, PAUSE_MS));
      }
    })();
    const retail = await testToken({ sub: 'rita', tier: 'retail' });
    try {
      const all = await Promise.all(Array.from({ length: CLIENTS }, (_, k) => comeAndGo(k, retail)));
      isStopped = true;
      await flood;
      for (const { client, documents } of all) {
        await until(() => isCurrent(documents.follow(client), n), 30_000, 'every document is the newest');
      }
      const chained = all.reduce((sum, { documents }) => sum + documents.chained, 0);
      expect(chained).toBeGreaterThan(CLIENTS * ROUNDS * 2);
    } finally {
      isStopped = true;
      await flood;
    }
  });

  /** Subscribes, changes and unsubscribes some rounds, then stays with all quotes and depths. */
  async function comeAndGo(k: number, retail: string) {
    const isRetail = k % 3 === 0;
    const format = k % 2 === 0 ? 'json' : 'msgpack';
    const client = await open({
      format,
      ...(isRetail ? { token: retail } : {}),
      ...(k % 4 === 0 ? { timestamps: '1' } : {}),
    });
    const documents = new Documents();
    for (let round = 0; round < ROUNDS; round++) {
      const stream = STREAMS[(k + round) % STREAMS.length] ?? 'quotes';
      const symbols = SYMBOLS.slice(round % 5, (round % 5) + 1 + ((k + round) % 5));
      const topic = { stream, symbols, class: isRetail ? '100ms' : CLASSES[(k * 3 + round) % CLASSES.length] };
      await ask(client, { action: 'subscribe', ...topic });
      const begun = documents.follow(client).chained;
      await until(() => documents.follow(client).chained > begun + symbols.length, 30_000, `${stream} flows`);
      // Without waiting: changes of mind that overtake snapshots under way.
      if (stream !== 'trades') for (const symbol of symbols) client.send({ action: 'resync', stream, symbol });
      client.send({ action: 'subscribe', ...topic, class: '100ms' });
      client.send({ action: 'unsubscribe', stream, symbols: symbols.slice(1) });
      client.send({ action: 'subscribe', ...topic });
      await ask(client, { action: 'unsubscribe', stream, symbols });
      documents.follow(client);
    }
    const rateClass = isRetail ? '100ms' : CLASSES[k % CLASSES.length];
    await ask(client, { action: 'subscribe', stream: 'quotes', symbols: SYMBOLS, class: rateClass });
    await ask(client, { action: 'subscribe', stream: 'depth', symbols: SYMBOLS, class: rateClass });
    return { client, documents };
  }

  function isCurrent(documents: Documents, n: number): boolean {
    return SYMBOLS.every(
      symbol =>
        documents.document.quotes[symbol]?.current_price === n &&
        documents.books.get(symbol)?.bids['30'] === String(n) &&
        documents.books.get(symbol)?.asks['100'] === String(n),
    );
  }
});
