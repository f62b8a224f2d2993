/** PROTOCOL.md sections 2 and 3: what publishers send and what clients get, in both formats on both sides. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SeededRandom } from '../../src/feed/simulator/seeded-random.js';
import { type Frame, TestClient } from '../support/client.js';
import { Documents, levels } from '../support/documents.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { type Encoding, TestPublisher } from '../support/publisher.js';
import { until } from '../support/until.js';

let nats: NatsServer;
let gateway: TestGateway;
let publisher: TestPublisher;
let token: string;
const clients: TestClient[] = [];

beforeAll(async () => {
  nats = await startNatsServer();
  gateway = await startGateway({ NATS_URL: nats.url, SYMBOLS: 'NEW-*', WORKERS: '1', ENCODERS: '2' });
  publisher = await TestPublisher.connect(nats.url);
  token = await testToken();
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map(client => client.close()));
});

afterAll(async () => {
  await publisher?.close();
  await gateway?.stop();
  await nats?.stop();
});

async function open(path: string, query: Record<string, string> = {}): Promise<TestClient> {
  const client = await TestClient.connect(`${gateway.url}${path}?${new URLSearchParams(query)}`);
  clients.push(client);
  return client;
}

let symbols = 0;
/** Every test has symbols of its own. */
const newSymbol = (prefix = 'S'): string => `${prefix}${++symbols}`;

const operations = (frame: Frame | undefined) => frame?.operations as { op: string; path: string; value?: unknown }[];

function quote(symbol: string, price: number | string) {
  return {
    symbol,
    current_price: price,
    base_price: 150,
    change: 0.25,
    change_percent: 0.17,
    bid: 150.2,
    ask: 150.3,
    volume: 1_000_000,
    last_updated: '2025-01-02T03:04:05Z',
  };
}

function trade(symbol: string, n: number) {
  return {
    type: 'trade_executed',
    trade_id: `${symbol}-${n}`,
    symbol,
    price: '50000.10',
    quantity: '0.50000000',
    buyer_id: 'bob',
    seller_id: 'sue',
    buyer_fee: '0.10',
    seller_fee: '0.20',
    executed_at: '2025-01-02T03:04:05.678Z',
  };
}

const ENCODINGS: readonly Encoding[] = ['json', 'msgpack'];
const PAIRS = ENCODINGS.flatMap(from => ENCODINGS.map(to => ({ from, to })));

describe.each(PAIRS)('from a $from publisher to a $to client', ({ from, to }) => {
  const put = (subject: string, value: object) => publisher.put(subject, value, from);
  const quotes = (symbol: string, query = {}) => open('/ws/quotes', { symbols: symbol, token, format: to, ...query });
  const market = (symbol: string, query = {}) => open(`/ws/markets/${symbol}`, { token, format: to, ...query });

  it('R7 sends a whole quote once, then the changed fields of whole messages only', async () => {
    const symbol = newSymbol();
    put(`md.quotes.${symbol}`, quote(symbol, 150));
    await publisher.settled(gateway);
    const client = await quotes(symbol);
    await client.arrived('quotes_patch');
    put(`md.quotes.${symbol}`, { ...quote(symbol, 150.25), volume: 1_000_100 });
    const [snapshot, delta] = await client.arrived('quotes_patch', 2);
    const epoch = snapshot?.epoch;
    expect(snapshot).toEqual({
      type: 'quotes_patch',
      snapshot: true,
      complete: true,
      epoch: expect.stringMatching(/.+/),
      seqs: { [symbol]: 1 },
      operations: [{ op: 'add', path: `/quotes/${symbol}`, value: quote(symbol, 150) }],
    });
    expect(delta).toEqual({
      type: 'quotes_patch',
      symbol,
      epoch,
      prev_seq: 1,
      seq: 2,
      operations: [
        { op: 'replace', path: `/quotes/${symbol}/current_price`, value: 150.25 },
        { op: 'replace', path: `/quotes/${symbol}/volume`, value: 1_000_100 },
      ],
    });
  });

  it('R7 merges partial messages into the quote', async () => {
    const symbol = newSymbol();
    put(`md.quotes.${symbol}`, quote(symbol, 150));
    await publisher.settled(gateway);
    const client = await quotes(symbol);
    await client.arrived('quotes_patch');
    put(`md.quotes.${symbol}`, { symbol, bid: 150.2, ask: 150.4, partial: true });
    const [, delta] = await client.arrived('quotes_patch', 2);
    expect(operations(delta)).toEqual([{ op: 'replace', path: `/quotes/${symbol}/ask`, value: 150.4 }]);
    const { document } = new Documents().follow(client);
    expect(document.quotes[symbol]).toEqual({ ...quote(symbol, 150), ask: 150.4 });
  });

  it('R7 adds and removes the publisher’s own fields', async () => {
    const symbol = newSymbol();
    put(`md.quotes.${symbol}`, quote(symbol, 150));
    await publisher.settled(gateway);
    const client = await quotes(symbol);
    await client.arrived('quotes_patch');
    const documents = new Documents();
    const own = { venue: 'XNAS', flags: ['halted', { since: 3 }], 'a/b~c': null };
    put(`md.quotes.${symbol}`, { ...quote(symbol, 150), ...own });
    await client.arrived('quotes_patch', 2);
    expect(documents.follow(client).document.quotes[symbol]).toEqual({ ...quote(symbol, 150), ...own });
    expect(operations(client.frames[1]).map(({ op, path }) => [op, path])).toEqual([
      ['add', `/quotes/${symbol}/venue`],
      ['add', `/quotes/${symbol}/flags`],
      ['add', `/quotes/${symbol}/a~1b~0c`],
    ]);
    put(`md.quotes.${symbol}`, { ...quote(symbol, 150), flags: ['halted', { since: 4 }], 'a/b~c': null });
    await client.arrived('quotes_patch', 3);
    expect(operations(client.frames[2])).toEqual([
      { op: 'replace', path: `/quotes/${symbol}/flags`, value: ['halted', { since: 4 }] },
      { op: 'remove', path: `/quotes/${symbol}/venue` },
    ]);
  });

  it('R7 keeps prices that are strings as strings and prices that are numbers as numbers', async () => {
    const symbol = newSymbol();
    put(`md.quotes.${symbol}`, quote(symbol, '150.250000000000000001'));
    await publisher.settled(gateway);
    const client = await quotes(symbol);
    await client.arrived('quotes_patch');
    put(`md.quotes.${symbol}`, quote(symbol, '150.250000000000000002'));
    put(`md.quotes.${symbol}`, quote(symbol, 150.26));
    await client.arrived('quotes_patch', 3);
    expect(operations(client.frames[0])[0]?.value).toMatchObject({ current_price: '150.250000000000000001' });
    expect(operations(client.frames[1])[0]?.value).toBe('150.250000000000000002');
    expect(operations(client.frames[2])[0]?.value).toBe(150.26);
  });

  it('R7 escapes the slash of a symbol in paths', async () => {
    const symbol = `${newSymbol('BTC')}/USDT`;
    put(`md.quotes.${symbol}`, quote(symbol, 50_000));
    await publisher.settled(gateway);
    const client = await quotes(symbol);
    await client.arrived('quotes_patch');
    put(`md.quotes.${symbol}`, quote(symbol, 50_001));
    const [snapshot, delta] = await client.arrived('quotes_patch', 2);
    const path = `/quotes/${symbol.replace('/', '~1')}`;
    expect(snapshot).toMatchObject({ seqs: { [symbol]: 1 }, operations: [{ op: 'add', path }] });
    expect(delta).toMatchObject({ symbol, operations: [{ op: 'replace', path: `${path}/current_price` }] });
  });

  it('R24 sends the snapshot of a known symbol with its first data', async () => {
    const symbol = newSymbol('NEW-');
    const client = await quotes(symbol);
    const book = await market(symbol);
    const depth = await market(symbol, { depth: '10' });
    client.send({ action: 'subscribe', stream: 'quotes', symbol });
    await client.arrived('subscribed');
    put(`md.quotes.${symbol}`, quote(symbol, 1));
    put(`md.books.${symbol}`, { symbol, bids: [['1', '2']], asks: [], snapshot: true });
    const first = await client.next('data', frame => operations(frame)?.length > 0);
    expect(first).toMatchObject({ snapshot: true, seqs: { [symbol]: 1 } });
    expect(new Documents().follow(client).document.quotes[symbol]).toEqual(quote(symbol, 1));
    expect((await book.arrived('orderbook_update'))[0]).toMatchObject({ snapshot: true, seq: 1, best_bid: '1' });
    expect((await depth.arrived('depth_patch'))[0]).toMatchObject({ snapshot: true, seq: 1 });
  });

  it('R8 sends trades without parties and fees, unless the credential is entitled to trades:full', async () => {
    const symbol = newSymbol();
    put(`md.trades.${symbol}`, trade(symbol, 0));
    await publisher.settled(gateway);
    const anonymous = await open('/ws/trades', { symbols: symbol, format: to });
    const plain = await open('/ws/trades', { symbols: symbol, format: to, token });
    const entitled = await testToken({ entitlements: ['trades:full'] });
    const full = await open('/ws/trades', { symbols: symbol, format: to, token: entitled });
    put(`md.trades.${symbol}`, trade(symbol, 1));
    put(`md.trades.${symbol}`, trade(symbol, 2));
    const { buyer_id: _, seller_id: _s, buyer_fee: _b, seller_fee: _f, ...open_ } = trade(symbol, 1);
    const epoch = expect.stringMatching(/.+/);
    for (const client of [anonymous, plain]) {
      await client.arrived('trade_executed', 2);
      expect(client.frames[0]).toEqual({ ...open_, epoch, prev_seq: 1, seq: 2 });
    }
    await full.arrived('trade_executed', 2);
    expect(full.frames).toEqual([
      { ...trade(symbol, 1), epoch, prev_seq: 1, seq: 2 },
      { ...trade(symbol, 2), epoch, prev_seq: 2, seq: 3 },
    ]);
  });

  it('R8 keeps a trade’s price and quantity as they came: text exactly, numbers as numbers', async () => {
    const symbol = newSymbol();
    put(`md.trades.${symbol}`, trade(symbol, 0));
    await publisher.settled(gateway);
    const client = await open('/ws/trades', { symbols: symbol, format: to });
    put(`md.trades.${symbol}`, { ...trade(symbol, 1), price: '0.1000000000000000000001', quantity: '007.50' });
    put(`md.trades.${symbol}`, { ...trade(symbol, 2), trade_id: 4711, price: 50_000.1, quantity: 3 });
    const [texts, numbers] = await client.arrived('trade_executed', 2);
    expect(texts).toMatchObject({ price: '0.1000000000000000000001', quantity: '007.50' });
    expect(numbers).toMatchObject({ trade_id: 4711, price: 50_000.1, quantity: 3 });
  });

  it('R8 sends each trade once to a client that has all trades and those of a symbol', async () => {
    const [a, b] = [newSymbol(), newSymbol()];
    for (const symbol of [a, b]) put(`md.trades.${symbol}`, trade(symbol, 0));
    await publisher.settled(gateway);
    const client = await open('/ws/trades', { symbols: a, format: to });
    client.send({ action: 'subscribe', stream: 'trades' });
    await client.arrived('subscribed');
    for (const n of [1, 2]) for (const symbol of [a, b]) put(`md.trades.${symbol}`, trade(symbol, n));
    await client.arrived('trade_executed', 4);
    client.send({ action: 'unsubscribe', stream: 'trades' });
    await client.arrived('unsubscribed');
    for (const symbol of [b, a]) put(`md.trades.${symbol}`, trade(symbol, 3));
    await client.arrived('trade_executed', 5);
    const ids = (symbol: string) =>
      client.ofType('trade_executed').flatMap(frame => (frame.symbol === symbol ? [frame.trade_id] : []));
    expect(ids(a)).toEqual([1, 2, 3].map(n => `${a}-${n}`));
    expect(ids(b)).toEqual([1, 2].map(n => `${b}-${n}`));
  });

  it('R8 sends the best level whole, with the exact spread, whenever it changes and only then', async () => {
    const symbol = newSymbol();
    const bids = [
      ['0.10', '100'],
      ['0.09', '5'],
    ];
    put(`md.books.${symbol}`, { symbol, bids, asks: [['0.300', '1.00']], snapshot: true });
    await publisher.settled(gateway);
    const client = await market(symbol);
    await client.arrived('orderbook_update');
    put(`md.books.${symbol}`, { symbol, bids: [['0.09', '6']], asks: [['0.4', '1']] });
    put(`md.books.${symbol}`, { symbol, bids: [['0.10', '0']], timestamp: '2025-01-02T03:04:05Z' });
    put(`md.books.${symbol}`, { symbol, asks: [['0.300', '0.00']] });
    put(`md.books.${symbol}`, { symbol, asks: [['0.4', '0']] });
    const updates = await client.arrived('orderbook_update', 4);
    const common = { type: 'orderbook_update', symbol, epoch: updates[0]?.epoch };
    const timestamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
    const first = { best_bid: '0.10', bid_quantity: '100', best_ask: '0.300', ask_quantity: '1.00', spread: '0.200' };
    const second = { ...first, best_bid: '0.09', bid_quantity: '6', spread: '0.210' };
    const third = { ...second, best_ask: '0.4', ask_quantity: '1', spread: '0.31' };
    expect(updates).toEqual([
      { ...common, snapshot: true, ...first, timestamp, prev_seq: expect.any(Number), seq: 1 },
      { ...common, ...second, timestamp: '2025-01-02T03:04:05Z', prev_seq: 1, seq: 3 },
      { ...common, ...third, timestamp, prev_seq: 3, seq: 4 },
      { ...common, ...third, best_ask: null, ask_quantity: null, spread: null, timestamp, prev_seq: 4, seq: 5 },
    ]);
  });

  it.each([10, 25, 100])('R9 keeps %i levels of the book right by patches, with a checksum each', async depth => {
    const symbol = newSymbol();
    const bids = new Map<number, string>();
    const asks = new Map<number, string>();
    const random = new SeededRandom(depth);
    const pick = (count: number, side: Map<number, string>, base: number, sign: number) =>
      Array.from({ length: count }, () => {
        const cents = base + sign * random.below(150);
        const quantity = random.below(3) === 0 ? '0' : `${random.below(1000)}.${random.between(1, 9)}0`;
        if (quantity === '0') side.delete(cents);
        else side.set(cents, quantity);
        return [(cents / 100).toFixed(2), quantity];
      });
    const levelsOf = (count: number) => ({ bids: pick(count, bids, 9_999, -1), asks: pick(count, asks, 10_001, 1) });
    put(`md.books.${symbol}`, { symbol, ...levelsOf(150), snapshot: true });
    await publisher.settled(gateway);
    const client = await market(symbol, { depth: String(depth) });
    const documents = new Documents();
    // Changes that come before the snapshot would be in it.
    await until(() => documents.follow(client).books.has(symbol));
    for (let n = 0; n < 40; n++) put(`md.books.${symbol}`, { symbol, ...levelsOf(random.between(1, 8)) });
    // Surely within every depth, and seen by no patch before.
    put(`md.books.${symbol}`, { symbol, bids: [['99.995', '7']], asks: [] });
    await until(() => documents.follow(client).books.get(symbol)?.bids['99.995'] === '7');
    const best = (side: Map<number, string>, sign: 1 | -1) =>
      [...side].sort(([a], [b]) => (a - b) * sign).map(([cents, quantity]) => [(cents / 100).toFixed(2), quantity]);
    const book = documents.books.get(symbol);
    expect(levels(book?.asks ?? {}, 1)).toEqual(best(asks, 1).slice(0, depth));
    expect(levels(book?.bids ?? {}, -1)).toEqual([['99.995', '7'], ...best(bids, -1)].slice(0, depth));
    expect(documents.chained).toBeGreaterThan(20);
  });

  it('R9 replaces the book at a snapshot, and writes numbers out as decimals', async () => {
    const symbol = newSymbol();
    put(`md.books.${symbol}`, { symbol, bids: [['1.50', '2']], asks: [['1.60', '2']], snapshot: true });
    await publisher.settled(gateway);
    const client = await market(symbol, { depth: '10' });
    const bids = [
      [1.4, 5e-7],
      [1.3, 12],
      [1.2, 0],
    ];
    put(`md.books.${symbol}`, { symbol, bids, asks: [[1.6, 2]], snapshot: true });
    await client.arrived('depth_patch', 2);
    const book = new Documents().follow(client).books.get(symbol);
    expect(book).toEqual({ bids: { '1.4': '0.0000005', '1.3': '12' }, asks: { '1.6': '2' } });
  });

  it('R20 stamps what it sends with ts_event and ts_sent for timestamps=1', async () => {
    const symbol = newSymbol();
    const tsEvent = 1_735_787_045_678_901;
    const putAll = (n: number) => {
      publisher.put(`md.quotes.${symbol}`, quote(symbol, 150 + n), from, { tsEvent: tsEvent + n });
      const level = [['1', String(n + 1)]];
      publisher.put(`md.books.${symbol}`, { symbol, bids: level, asks: [], snapshot: true }, from, { tsEvent });
      publisher.put(`md.trades.${symbol}`, trade(symbol, n), from, { tsEvent: tsEvent + n });
    };
    putAll(0);
    await publisher.settled(gateway);
    const before = Date.now() * 1000;
    const client = await quotes(symbol, { timestamps: '1' });
    client.send({ action: 'subscribe', stream: 'trades', symbol });
    client.send({ action: 'subscribe', stream: 'orderbook', symbol });
    client.send({ action: 'subscribe', stream: 'depth', symbol });
    await client.arrived('depth_patch');
    putAll(1);
    await client.arrived('depth_patch', 2);
    await client.arrived('trade_executed');
    const data = client.frames.filter(frame => frame.type !== 'subscribed');
    expect(data).toHaveLength(7);
    for (const frame of data) {
      expect(frame.ts_sent).toBeGreaterThanOrEqual(before);
      expect(frame.ts_sent).toBeLessThanOrEqual((Date.now() + 1) * 1000);
      // The snapshot of several quotes has no one event.
      if (frame.type !== 'quotes_patch' || frame.snapshot !== true)
        expect(frame.ts_event).toBeGreaterThanOrEqual(tsEvent);
    }
    expect(client.ofType('trade_executed')[0]?.ts_event).toBe(tsEvent + 1);
    expect(client.ofType('quotes_patch')[1]?.ts_event).toBe(tsEvent + 1);
  });

  it('R27 sends nothing but its format', async () => {
    const symbol = newSymbol();
    put(`md.quotes.${symbol}`, quote(symbol, 1));
    await publisher.settled(gateway);
    const client = await quotes(`${symbol},UNKNOWN`);
    client.send({ action: 'subscribe', stream: 'nothing', id: 1 });
    client.send({ action: 'subscribe', stream: 'trades', symbol });
    await client.arrived('subscribed');
    put(`md.quotes.${symbol}`, quote(symbol, 2));
    put(`md.trades.${symbol}`, trade(symbol, 1));
    await client.arrived('trade_executed');
    await client.arrived('quotes_patch', 2);
    expect(client.received).toEqual(to === 'json' ? { text: 6, binary: 0 } : { text: 0, binary: 6 });
  });
});

describe('R10 classes', () => {
  it.each([
    ['16ms', 'json'],
    ['100ms', 'json'],
    ['1000ms', 'msgpack'],
  ] as const)(
    'R10 conflates %s: fewer messages, each following the last, ending in the same document (%s)',
    async (name, format) => {
      const symbol = newSymbol();
      publisher.put(`md.quotes.${symbol}`, quote(symbol, 0));
      publisher.put(`md.books.${symbol}`, { symbol, bids: [['1', '0.5']], asks: [['2', '1']], snapshot: true });
      await publisher.settled(gateway);
      const slow = await open('/ws/quotes', { symbols: symbol, token, class: name, format });
      const fast = await open('/ws/quotes', { symbols: symbol, token, format });
      for (const client of [slow, fast]) {
        client.send({ action: 'subscribe', stream: 'depth', symbol });
        await client.arrived('depth_patch');
      }
      const held = { slow: new Documents(), fast: new Documents() };
      const isAt = (documents: Documents, n: number) =>
        documents.document.quotes[symbol]?.current_price === n && documents.books.get(symbol)?.bids['1'] === String(n);
      for (let n = 1; n <= 200; n++) {
        publisher.put(`md.quotes.${symbol}`, quote(symbol, n));
        publisher.put(`md.books.${symbol}`, { symbol, bids: [['1', String(n)]] });
        // One network read each, so that the realtime class has something to keep apart.
        if (n % 10 === 0) await publisher.nats.flush();
      }
      await until(() => isAt(held.fast.follow(fast), 200));
      await until(() => isAt(held.slow.follow(slow), 200));
      expect(held.fast.chained).toBe(400);
      expect(held.slow.chained).toBeLessThan(200);
      expect(held.slow.chained).toBeGreaterThanOrEqual(2);
    },
  );

  it('R10 sends a class at its interval, not before', async () => {
    const symbol = newSymbol();
    publisher.put(`md.quotes.${symbol}`, quote(symbol, 0));
    await publisher.settled(gateway);
    const client = await open('/ws/quotes', { symbols: symbol, token, class: '100ms', timestamps: '1' });
    await client.arrived('quotes_patch');
    let n = 0;
    await until(async () => {
      publisher.put(`md.quotes.${symbol}`, quote(symbol, ++n));
      return client.ofType('quotes_patch').length >= 9;
    });
    // A tenth may have come between two looks.
    const nine = client.ofType('quotes_patch').slice(0, 9);
    const sent = nine.slice(1).map(frame => Number(frame.ts_sent));
    const last = sent.at(-1) ?? 0;
    // Eight sends span seven intervals, less what the first was late.
    expect((last - (sent[0] ?? 0)) / 1000).toBeGreaterThan(450);
    expect(new Documents().follow(client, nine.at(-1)).chained).toBe(8);
  });

  it('R10 says nothing of a change that was undone within the interval', async () => {
    const symbol = newSymbol();
    publisher.put(`md.quotes.${symbol}`, quote(symbol, 1));
    await publisher.settled(gateway);
    const client = await open('/ws/quotes', { symbols: symbol, token, class: '1000ms' });
    await client.arrived('quotes_patch');
    // Behind a flush of the class, so that what follows falls into one interval.
    publisher.put(`md.quotes.${symbol}`, quote(symbol, 2));
    await client.arrived('quotes_patch', 2);
    for (const price of [3, 4, 2]) publisher.put(`md.quotes.${symbol}`, quote(symbol, price));
    publisher.put(`md.quotes.${symbol}`, { ...quote(symbol, 2), volume: 7 });
    const [, , delta] = await client.arrived('quotes_patch', 3);
    expect(delta).toMatchObject({ prev_seq: 2, seq: 6 });
    expect(operations(delta)).toEqual([{ op: 'replace', path: `/quotes/${symbol}/volume`, value: 7 }]);
  });
});

describe('R6 the publisher’s own numbers', () => {
  const numbered = (subject: string, value: object, seq: number, epoch: string) =>
    publisher.put(subject, value, 'json', { seq, epoch });

  it('R6 are the sequence and epoch that clients see', async () => {
    const symbol = newSymbol();
    numbered(`md.quotes.${symbol}`, quote(symbol, 1), 41, 'e-1');
    numbered(`md.trades.${symbol}`, trade(symbol, 1), 7, 'day:1');
    await publisher.settled(gateway);
    const client = await open('/ws/quotes', { symbols: symbol, token });
    client.send({ action: 'subscribe', stream: 'trades', symbol });
    await client.arrived('subscribed');
    numbered(`md.quotes.${symbol}`, quote(symbol, 2), 42, 'e-1');
    numbered(`md.trades.${symbol}`, trade(symbol, 2), 8, 'day:1');
    const [snapshot, delta] = await client.arrived('quotes_patch', 2);
    expect(snapshot).toMatchObject({ epoch: 'e-1', seqs: { [symbol]: 41 } });
    expect(delta).toMatchObject({ epoch: 'e-1', prev_seq: 41, seq: 42 });
    expect((await client.arrived('trade_executed'))[0]).toMatchObject({ epoch: 'day:1', prev_seq: 7, seq: 8 });
  });

  it('R6 let duplicates be dropped', async () => {
    const symbol = newSymbol();
    numbered(`md.trades.${symbol}`, trade(symbol, 1), 1, 'e');
    await publisher.settled(gateway);
    const before = await gateway.metric('millrace_feed_duplicates_total');
    const client = await open('/ws/trades', { symbols: symbol });
    for (const n of [2, 2, 1, 3, 3, 2, 4]) numbered(`md.trades.${symbol}`, trade(symbol, n), n, 'e');
    const trades = await client.arrived('trade_executed', 3);
    expect(trades.map(({ prev_seq, seq }) => [prev_seq, seq])).toEqual([
      [1, 2],
      [2, 3],
      [3, 4],
    ]);
    expect(await gateway.metric('millrace_feed_duplicates_total')).toBe(before + 4);
  });

  it('R6 show a hole, which is announced as a gap before the next trade', async () => {
    const symbol = newSymbol();
    numbered(`md.trades.${symbol}`, trade(symbol, 1), 1, 'e');
    await publisher.settled(gateway);
    const one = await open('/ws/trades', { symbols: symbol });
    const all = await open('/ws/trades');
    for (const n of [2, 5, 6]) numbered(`md.trades.${symbol}`, trade(symbol, n), n, 'e');
    for (const client of [one, all]) {
      await client.arrived('trade_executed', 3);
      expect(client.frames.map(({ type, prev_seq, seq }) => [type, prev_seq, seq])).toEqual([
        ['trade_executed', 1, 2],
        ['gap', undefined, undefined],
        ['trade_executed', 4, 5],
        ['trade_executed', 5, 6],
      ]);
      expect(client.frames[1]).toMatchObject({ topic: `trades:${symbol}`, from: 3, to: 4, reason: expect.any(String) });
    }
  });

  it('R6 show a hole also behind the first', async () => {
    const symbol = newSymbol();
    numbered(`md.trades.${symbol}`, trade(symbol, 1), 1, 'e');
    await publisher.settled(gateway);
    const client = await open('/ws/trades', { symbols: symbol });
    numbered(`md.trades.${symbol}`, trade(symbol, 4), 4, 'e');
    await client.arrived('trade_executed');
    expect(client.frames[0]).toMatchObject({ type: 'gap', from: 2, to: 3 });
  });

  it('R6 begin at 1: a 0 counts as no number, and nothing is lost by it', async () => {
    const symbol = newSymbol();
    numbered(`md.quotes.${symbol}`, quote(symbol, 1), 1, 'e');
    await publisher.settled(gateway);
    const client = await open('/ws/trades', { symbols: symbol });
    numbered(`md.trades.${symbol}`, trade(symbol, 0), 0, 'e');
    numbered(`md.trades.${symbol}`, trade(symbol, 1), 1, 'e');
    const trades = await client.arrived('trade_executed', 2);
    expect(trades.map(({ seq }) => seq)).toEqual([1, 1]);
    expect(trades[1]).toMatchObject({ epoch: 'e' });
    expect(trades[0]?.epoch).not.toBe('e');
  });

  it('R6 show a hole, after which changes wait for a whole document', async () => {
    const symbol = newSymbol();
    numbered(`md.quotes.${symbol}`, quote(symbol, 1), 1, 'e');
    numbered(`md.books.${symbol}`, { symbol, bids: [['1', '1']], asks: [], snapshot: true }, 1, 'e');
    await publisher.settled(gateway);
    const client = await open('/ws/quotes', { symbols: symbol, token });
    client.send({ action: 'subscribe', stream: 'depth', symbol });
    await client.arrived('depth_patch');
    numbered(`md.quotes.${symbol}`, { symbol, bid: 99, partial: true }, 3, 'e');
    numbered(`md.books.${symbol}`, { symbol, bids: [['1', '99']] }, 3, 'e');
    numbered(`md.quotes.${symbol}`, { symbol, ask: 99, partial: true }, 4, 'e');
    numbered(`md.books.${symbol}`, { symbol, bids: [['2', '99']] }, 4, 'e');
    numbered(`md.quotes.${symbol}`, quote(symbol, 5), 5, 'e');
    numbered(`md.books.${symbol}`, { symbol, bids: [['5', '5']], asks: [], snapshot: true }, 5, 'e');
    await client.arrived('quotes_patch', 2);
    await client.arrived('depth_patch', 2);
    const documents = new Documents().follow(client);
    expect(documents.document.quotes[symbol]).toEqual(quote(symbol, 5));
    expect(documents.books.get(symbol)).toEqual({ bids: { '5': '5' }, asks: {} });
    expect(client.frames.map(frame => frame.type)).not.toContain('gap');
  });

  it('R6 begin a new epoch, which a state topic opens with a snapshot', async () => {
    const symbol = newSymbol();
    numbered(`md.quotes.${symbol}`, quote(symbol, 1), 90, 'monday');
    numbered(`md.books.${symbol}`, { symbol, bids: [['1', '1']], asks: [], snapshot: true }, 90, 'monday');
    numbered(`md.trades.${symbol}`, trade(symbol, 1), 90, 'monday');
    await publisher.settled(gateway);
    const client = await open('/ws/quotes', { symbols: symbol, token });
    for (const stream of ['trades', 'orderbook', 'depth']) client.send({ action: 'subscribe', stream, symbol });
    await client.arrived('depth_patch');
    // A partial message proves nothing about the document before it.
    numbered(`md.quotes.${symbol}`, { symbol, bid: 99, partial: true }, 1, 'tuesday');
    numbered(`md.quotes.${symbol}`, quote(symbol, 2), 2, 'tuesday');
    numbered(`md.books.${symbol}`, { symbol, bids: [['2', '2']], asks: [], snapshot: true }, 1, 'tuesday');
    numbered(`md.trades.${symbol}`, trade(symbol, 2), 1, 'tuesday');
    numbered(`md.quotes.${symbol}`, quote(symbol, 3), 3, 'tuesday');
    await client.arrived('quotes_patch', 3);
    await client.arrived('trade_executed');
    await client.arrived('depth_patch', 2);
    expect(client.ofType('quotes_patch')[1]).toMatchObject({ snapshot: true, epoch: 'tuesday', seqs: { [symbol]: 2 } });
    expect(client.ofType('quotes_patch')[2]).toMatchObject({ epoch: 'tuesday', prev_seq: 2, seq: 3 });
    expect(client.ofType('orderbook_update')[1]).toMatchObject({ snapshot: true, epoch: 'tuesday', seq: 1 });
    expect(client.ofType('depth_patch')[1]).toMatchObject({ snapshot: true, epoch: 'tuesday', seq: 1 });
    expect(client.ofType('trade_executed')[0]).toMatchObject({ epoch: 'tuesday', prev_seq: 0, seq: 1 });
    const documents = new Documents().follow(client);
    expect(documents.document.quotes[symbol]).toEqual(quote(symbol, 3));
    expect(documents.books.get(symbol)).toEqual({ bids: { '2': '2' }, asks: {} });
  });

  it('R6 are never mixed with the gateway’s: a return to unnumbered messages is an epoch that was never used', async () => {
    const symbol = newSymbol();
    publisher.put(`md.trades.${symbol}`, trade(symbol, 0));
    await publisher.settled(gateway);
    const client = await open('/ws/trades', { symbols: symbol });
    publisher.put(`md.trades.${symbol}`, trade(symbol, 1));
    numbered(`md.trades.${symbol}`, trade(symbol, 2), 5, 'own');
    publisher.put(`md.trades.${symbol}`, trade(symbol, 3));
    publisher.put(`md.trades.${symbol}`, trade(symbol, 4));
    const trades = await client.arrived('trade_executed', 4);
    const names = trades.map(({ epoch, seq }) => `${epoch} ${seq}`);
    expect(new Set(names).size).toBe(4);
    expect(trades[3]?.epoch).toBe(trades[2]?.epoch);
    expect(trades[2]?.epoch).not.toBe(trades[0]?.epoch);
  });
});

describe('R7 quotes with names that JavaScript objects have anyway', () => {
  it('R7 are added, replaced and removed as any other', async () => {
    const symbol = newSymbol();
    publisher.put(`md.quotes.${symbol}`, quote(symbol, 1));
    await publisher.settled(gateway);
    const client = await open('/ws/quotes', { symbols: symbol, token });
    await client.arrived('quotes_patch');
    publisher.put(`md.quotes.${symbol}`, { ...quote(symbol, 2), toString: 1, valueOf: 'x' });
    await client.arrived('quotes_patch', 2);
    publisher.put(`md.quotes.${symbol}`, { ...quote(symbol, 3), valueOf: 'y' });
    await client.arrived('quotes_patch', 3);
    expect(operations(client.frames[1]).filter(({ path }) => /toString|valueOf/.test(path))).toEqual([
      { op: 'add', path: `/quotes/${symbol}/toString`, value: 1 },
      { op: 'add', path: `/quotes/${symbol}/valueOf`, value: 'x' },
    ]);
    expect(operations(client.frames[2]).filter(({ path }) => /toString|valueOf/.test(path))).toEqual([
      { op: 'replace', path: `/quotes/${symbol}/valueOf`, value: 'y' },
      { op: 'remove', path: `/quotes/${symbol}/toString` },
    ]);
  });
});

describe('R20 timestamps', () => {
  it.each(ENCODINGS)('R20 stand once in a trade whose publisher sends members of those names (%s)', async format => {
    const symbol = newSymbol();
    publisher.put(`md.trades.${symbol}`, trade(symbol, 0));
    await publisher.settled(gateway);
    const client = await open('/ws/trades', { symbols: symbol, format, timestamps: '1' });
    const before = Date.now() * 1000;
    publisher.put(`md.trades.${symbol}`, { ...trade(symbol, 1), ts_sent: 1, ts_event: 2 }, 'json', {
      tsEvent: 1e15 + 3,
    });
    const [frame] = await client.arrived('trade_executed');
    expect(frame).toMatchObject({ ts_event: 1e15 + 3 });
    expect(frame?.ts_sent).toBeGreaterThanOrEqual(before);
  });

  it('R20 are those of the moment also in deltas that waited behind a snapshot of several symbols', async () => {
    const names = Array.from({ length: 40 }, () => newSymbol());
    for (const symbol of names) publisher.put(`md.quotes.${symbol}`, quote(symbol, 0));
    await publisher.settled(gateway);
    let n = 0;
    let stopped = false;
    const flood = (async () => {
      while (!stopped) {
        n++;
        for (const symbol of names) publisher.put(`md.quotes.${symbol}`, quote(symbol, n));
        await publisher.nats.flush();
      }
    })();
    const before = Date.now() * 1000;
    for (let round = 0; round < 10; round++) {
      const client = await open('/ws/quotes', { symbols: names.join(), token, timestamps: '1' });
      await client.arrived('quotes_patch', 120);
      const documents = new Documents().follow(client);
      expect(documents.chained).toBeGreaterThan(100);
      for (const frame of client.ofType('quotes_patch')) expect(frame.ts_sent).toBeGreaterThanOrEqual(before);
      await client.close();
    }
    stopped = true;
    await flood;
  });
});
