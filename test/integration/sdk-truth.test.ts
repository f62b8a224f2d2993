/** What a publisher wrote reaches an application exactly, or it is told: the SDK against a gateway and NATS, in both formats. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Format, Gap, MillraceClient, Resync, StateStream } from '../../src/client/index.js';
import { connectPublisher } from '../../src/publisher/index.js';
import { startGateway, type TestGateway } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { ends, newClient } from '../support/sdk-market.js';
import { until } from '../support/until.js';

const FORMATS: readonly Format[] = ['json', 'msgpack'];
const ID = 8389766145050670869n;
/** Names that every object has a member of. */
const NAMES = ['constructor', 'prototype', 'toString', 'hasOwnProperty'];

let nats: NatsServer;
let gateway: TestGateway;
let publisher: TestPublisher;

beforeAll(async () => {
  nats = await startNatsServer();
  const SYMBOLS = ['T-*', ...NAMES].join(',');
  gateway = await startGateway({
    NATS_URL: nats.url,
    SYMBOLS,
    HEARTBEAT_INTERVAL: '100ms',
    HEARTBEAT_INTERVAL_MAX: '100ms',
    WORKERS: '1',
    ENCODERS: '1',
  });
  publisher = await TestPublisher.connect(nats.url);
});
afterAll(async () => {
  await publisher?.close();
  await gateway?.stop();
  await nats?.stop();
});

/** What a stream says of its symbols' state, in order. */
function told<Document>(stream: StateStream<Document>) {
  const said: string[] = [];
  const resyncs: Resync[] = [];
  stream
    .on('stale', ({ symbol, reason }) => said.push(`${symbol} ${reason}`))
    .on('whole', ({ symbol }) => said.push(`${symbol} whole`))
    .on('resync', resync => resyncs.push(resync));
  return { said, resyncs };
}

/** A client that hears its topics' heartbeats as often as `count` says, as seen by their age. */
async function heartbeatsPass(stream: StateStream<unknown>, symbol: string, count: number): Promise<void> {
  for (let heard = 0, age = 0; heard < count; ) {
    await until(() => {
      const now = stream.stalenessMs(symbol) ?? 0;
      const isFresh = now < age;
      age = now;
      return isFresh;
    });
    heard++;
  }
}

describe.each(FORMATS)('in %s', format => {
  /** Each test has a symbol of its own. */
  const symbolOf = (test: string) => `T-${test}-${format}`;
  const newFollower = (more: object = {}): MillraceClient => newClient(gateway, { format, class: 'realtime', ...more });

  it('D6: a book that lacks a message is stale, for newcomers too, and whole again with the next whole book', async () => {
    const symbol = symbolOf('D6');
    const put = (seq: number, bids: readonly string[][], more: object = {}) =>
      publisher.put(`md.books.${symbol}`, { symbol, bids, asks: [['101', '1']], ...more }, format, {
        seq,
        epoch: 'p1',
      });
    const book = newFollower().depth([symbol]);
    const { said, resyncs } = told(book);
    await book.ready;
    put(1, [['99', '1']], { snapshot: true });
    await until(() => book.best(symbol, 'bids').length === 1);
    put(3, [['100', '5']]);
    await until(() => book.isStale(symbol));
    put(4, [['100', '6']]);
    await heartbeatsPass(book, symbol, 5);
    expect(book.best(symbol, 'bids')).toEqual([['99', '1']]);
    expect(resyncs).toEqual([]);

    const late = newFollower().depth([symbol]);
    await until(() => late.isStale(symbol));
    expect(late.best(symbol, 'bids')).toEqual([['99', '1']]);

    put(5, [['100', '7']], { snapshot: true });
    await until(() => !book.isStale(symbol) && !late.isStale(symbol));
    expect(book.best(symbol, 'bids')).toEqual([['100', '7']]);
    expect(late.best(symbol, 'bids')).toEqual([['100', '7']]);
    expect(said).toEqual([`${symbol} publisher_gap`, `${symbol} whole`]);
    put(6, [['100', '8']]);
    await until(() => book.best(symbol, 'bids')[0]?.[1] === '8');
  });

  it('D2: a quote whose change is refused is stale until the next whole one', async () => {
    const symbol = symbolOf('D2');
    const quotes = newFollower().quotes([symbol]);
    const { said, resyncs } = told(quotes);
    await quotes.ready;
    publisher.put(`md.quotes.${symbol}`, { symbol, current_price: 10, bid: 9, ask: 11 });
    await until(() => quotes.get(symbol)?.ask === 11);
    publisher.put(`md.quotes.${symbol}`, { symbol, current_price: 20, bid: 'nine', partial: true });
    publisher.put(`md.quotes.${symbol}`, { symbol, ask: 21, partial: true });
    await until(() => quotes.isStale(symbol));
    await heartbeatsPass(quotes, symbol, 3);
    expect(quotes.get(symbol)).toMatchObject({ current_price: 10, ask: 11 });
    publisher.put(`md.quotes.${symbol}`, { symbol, current_price: 20, bid: null, ask: 21 });
    await until(() => !quotes.isStale(symbol));
    expect(quotes.get(symbol)).toEqual({ symbol, current_price: 20, bid: null, ask: 21 });
    expect(said).toEqual([`${symbol} refused`, `${symbol} whole`]);
    expect(resyncs).toEqual([]);
  });

  it('D8: refused trades are a gap with that reason', async () => {
    const symbol = symbolOf('D8');
    const trades = newFollower().trades([symbol]);
    const seqs: number[] = [];
    const gaps: Gap[] = [];
    trades.on('event', ({ seq }) => seqs.push(seq)).on('gap', gap => gaps.push(gap));
    await trades.ready;
    for (const [at, price] of ['1', 'ten', '0x10', '4'].entries()) {
      const trade = { symbol, trade_id: at, price, quantity: '2' };
      publisher.put(`md.trades.${symbol}`, trade, format, { seq: at + 1, epoch: 'p1' });
    }
    await until(() => seqs.length === 2);
    expect(seqs).toEqual([1, 4]);
    expect(gaps).toMatchObject([{ topic: `trades:${symbol}`, from: 2, to: 3, reason: 'refused' }]);
  });

  it('D3: what the publisher library takes as an amount reaches clients written out, negative prices (D12) too', async () => {
    const symbol = symbolOf('D3');
    const library = await connectPublisher({ servers: nats.url }, { format });
    ends.push(() => library.close());
    const client = newFollower();
    const quotes = client.quotes([symbol]);
    const book = client.depth([symbol]);
    await Promise.all([quotes.ready, book.ready]);
    const forms = {
      '1E-7': '0.0000001',
      '1.5E+3': '1500',
      '.5': '0.5',
      '100.': '100',
      '+1': '1',
      '-0': '0',
      '-2E1': '-20',
    };
    for (const [form, plain] of Object.entries(forms)) {
      library.quote({ symbol, current_price: form, bid: null });
      await until(() => quotes.get(symbol)?.current_price === plain);
    }
    expect(quotes.get(symbol)).toEqual({ symbol, current_price: '-20', bid: null });
    library.bookSnapshot(
      symbol,
      [
        [-37.63, '1E1'],
        ['-4E1', 2n],
      ],
      [['-37.60', 5e-7]],
    );
    await until(() => book.best(symbol, 'asks').length === 1);
    expect(book.best(symbol, 'bids')).toEqual([
      ['-37.63', '10'],
      ['-40', '2'],
    ]);
    expect(book.best(symbol, 'asks')).toEqual([['-37.60', '0.0000005']]);
    library.bookChange(symbol, [['-37.63', '0E-8']], []);
    await until(() => book.best(symbol, 'bids').length === 1);
    expect(book.isStale(symbol)).toBe(false);
  });

  it('D4: whole numbers of any size reach documents, events, analytics and rooms exactly', async () => {
    const symbol = symbolOf('D4');
    const library = await connectPublisher({ servers: nats.url }, { format });
    ends.push(() => library.close());
    const client = newFollower();
    const seen: Record<string, unknown> = {};
    const quotes = client.quotes([symbol]).on('change', ({ document }) => {
      seen.volume = document.volume;
      seen.own = document.own;
    });
    const trades = client.trades([symbol]).on('event', ({ message }) => {
      seen.trade = message.trade_id;
    });
    const orders = client.orders().on('event', ({ message }) => {
      seen.order = message.order_id;
    });
    const alerts = client.analytics(['alerts']).on('event', ({ message }) => {
      seen.alert = message.data;
    });
    const room = client.rooms('desk').on('event', ({ message }) => {
      seen.room = message.data;
    });
    await Promise.all([quotes.ready, trades.ready, orders.ready, alerts.ready, room.ready]);
    library.quote({ symbol, volume: 9007199254740993n, own: { nanos: 1_795_000_000_123_456_789n } });
    library.trade({ symbol, trade_id: ID, price: '1', quantity: '2' });
    const amounts = { quantity: '1', filled_quantity: '0' };
    library.order('alice', {
      action: 'created',
      order_id: ID + 1n,
      symbol,
      side: 'buy',
      status: 'open',
      ...amounts,
    });
    library.analytics('alerts', [ID + 2n, 2 ** 40]);
    await room.publish({ id: ID + 3n, least: -(2n ** 63n), most: 2n ** 64n - 1n, small: 7n });
    await until(() => Object.keys(seen).length === 6);
    expect(seen).toEqual({
      volume: 9007199254740993n,
      own: { nanos: 1_795_000_000_123_456_789n },
      trade: ID,
      order: ID + 1n,
      alert: [ID + 2n, 2 ** 40],
      room: { id: ID + 3n, least: -(2n ** 63n), most: 2n ** 64n - 1n, small: 7 },
    });
  });

  it('D5: numbers of the protocol from 2^32 on are numbers, chains are whole, and frames have an age', async () => {
    const symbol = symbolOf('D5');
    const client = newFollower({ timestamps: true, integers: 'string' });
    const quotes = client.quotes([symbol]);
    const { resyncs } = told(quotes);
    const changes: unknown[] = [];
    const ages: (number | undefined)[] = [];
    quotes.on('change', ({ seq, document, lag }) => {
      changes.push([seq, document.volume]);
      ages.push(lag?.sinceSentMs);
    });
    await quotes.ready;
    for (let n = 1; n <= 3; n++) {
      const seq = 5_000_000_000 + n;
      const quote = { symbol, current_price: 1.5, volume: seq };
      publisher.put(`md.quotes.${symbol}`, quote, 'json', { seq, epoch: 'p1' });
      await until(() => changes.length === n);
    }
    await heartbeatsPass(quotes, symbol, 2);
    expect(changes).toEqual([1, 2, 3].map(n => [5_000_000_000 + n, String(5_000_000_000 + n)]));
    for (const age of ages) expect(Math.abs(age ?? Number.NaN)).toBeLessThan(60_000);
    expect(resyncs).toEqual([]);
  });

  it('D17: members and symbols that are called as those every object has', async () => {
    const quotes = newFollower().quotes(NAMES);
    const { resyncs } = told(quotes);
    await quotes.ready;
    for (const name of NAMES) {
      const own = { [name]: { [name]: [1] } };
      publisher.put(`md.quotes.${name}`, { symbol: name, current_price: 1, ...own });
      publisher.put(`md.quotes.${name}`, { symbol: name, [name]: { [name]: [2] }, partial: true });
      const whole = { symbol: name, current_price: 1, [name]: { [name]: [2] } };
      await until(() => JSON.stringify(quotes.get(name)) === JSON.stringify(whole));
    }
    expect(resyncs).toEqual([]);
  });
});
