/** How each exchange writes the events of the made-up market. Shapes as its documentation has them; every value is made up. */
import { checksumOf } from './exchange-book.js';
import type { Level } from './market-event.js';
import type { Changes, SampleBook, SideName } from './sample-market.js';

export interface SampleTrade {
  readonly id: string;
  readonly price: string;
  readonly quantity: string;
  readonly isBuy: boolean;
}

export interface SampleWriter {
  readonly file: string;
  readonly symbols: readonly [main: string, spread: string];
  /** Levels a side that are sent; the receiver has to forget the others. */
  readonly depth: number;
  /** What comes before the market: answers and events. */
  readonly opening: readonly string[];
  readonly heartbeat: string;
  snapshot(book: SampleBook): readonly string[];
  update(book: SampleBook, changes: Changes): readonly string[];
  trade(book: SampleBook, trade: SampleTrade): readonly string[];
  /** @param isBare without a bid and a last price, where the exchange has a way to write that */
  ticker(book: SampleBook, isBare: boolean): string;
}

const START_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const ALL_LEVELS = Number.POSITIVE_INFINITY;

/** Ten messages a second, from the same time in every file. */
function ticking() {
  let ms = START_MS;
  const next = () => {
    ms += 100;
    return ms;
  };
  return { ms: next, text: () => new Date(next()).toISOString().replace('Z', '123Z') };
}

function texts(book: SampleBook, changes: Changes, side: SideName): Level[] {
  return changes[side].map(([ticks, units]) => [book.price(ticks), units === 0 ? '0' : book.quantity(units)]);
}

const whole = (book: SampleBook): Changes => ({ bids: book.top('bids'), asks: book.top('asks') });
const side = (book: SampleBook, name: SideName) => texts(book, whole(book), name);
const best = (book: SampleBook, name: SideName) => side(book, name)[0];
const krakenChecksum = (book: SampleBook) => checksumOf('kraken', side(book, 'bids'), side(book, 'asks'));
/** Zero with the decimals of the others, as Kraken writes it. */
const padded = (book: SampleBook, [price, quantity]: Level): Level => [
  price,
  quantity === '0' ? book.quantity(0) : quantity,
];
/** A JSON text with its numbers' digits as they are: members in `#…#` are written without quotation marks. */
const raw = (value: unknown) => JSON.stringify(value).replace(/"#([^"#]*)#"/g, '$1');
const digits = (text: string | undefined) => (text === undefined ? null : `#${text}#`);

export function krakenV1(): SampleWriter {
  const clock = ticking();
  const at = () => `${(clock.ms() / 1000).toFixed(6)}`;
  const timed = (book: SampleBook, levels: readonly Level[]) => levels.map(level => [...padded(book, level), at()]);
  const name = (book: SampleBook) => book.instrument.symbol;
  return {
    file: 'kraken-v1',
    symbols: ['XBT/USD', 'SPR/USD'],
    depth: 10,
    opening: [
      '{"connectionID":1234,"event":"systemStatus","status":"online","version":"1.9.6"}',
      '{"channelID":336,"channelName":"book-10","event":"subscriptionStatus","pair":"XBT/USD","status":"subscribed","subscription":{"depth":10,"name":"book"}}',
    ],
    heartbeat: '{"event":"heartbeat"}',
    snapshot: book => [
      JSON.stringify([
        336,
        { as: timed(book, side(book, 'asks')), bs: timed(book, side(book, 'bids')) },
        'book-10',
        name(book),
      ]),
    ],
    update(book, changes) {
      const parts: Record<string, unknown>[] = [];
      if (changes.asks.length > 0) parts.push({ a: timed(book, texts(book, changes, 'asks')) });
      if (changes.bids.length > 0) parts.push({ b: timed(book, texts(book, changes, 'bids')) });
      const last = parts.at(-1);
      if (last === undefined) return [];
      last.c = String(krakenChecksum(book));
      return [JSON.stringify([336, ...parts, 'book-10', name(book)])];
    },
    trade: (book, { price, quantity, isBuy }) => [
      JSON.stringify([337, [[price, quantity, at(), isBuy ? 'b' : 's', 'l', '']], 'trade', name(book)]),
    ],
    ticker(book) {
      const [bid, bidSize] = best(book, 'bids') ?? ['0', '0'];
      const [ask, askSize] = best(book, 'asks') ?? ['0', '0'];
      const day = (value: string) => [value, value];
      const body = {
        ...{ a: [ask, 1, askSize], b: [bid, 1, bidSize], c: [bid, '0.10000000'], v: day('1234.00000001') },
        ...{ p: day(bid), t: [10, 20], l: day(bid), h: day(ask), o: day(bid) },
      };
      return JSON.stringify([338, body, 'ticker', name(book)]);
    },
  };
}

export function krakenV2(): SampleWriter {
  const clock = ticking();
  const levels = (book: SampleBook, changes: Changes, name: SideName) =>
    texts(book, changes, name).map(level => {
      const [price, qty] = padded(book, level);
      return { price: digits(price), qty: digits(qty) };
    });
  const data = (book: SampleBook, changes: Changes) => ({
    symbol: book.instrument.symbol,
    bids: levels(book, changes, 'bids'),
    asks: levels(book, changes, 'asks'),
    checksum: krakenChecksum(book),
  });
  return {
    file: 'kraken-v2',
    symbols: ['BTC/USD', 'SPR/USD'],
    depth: 10,
    opening: [
      '{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online","api_version":"v2","connection_id":1}]}',
      ...['BTC/USD', 'SPR/USD'].map(
        symbol =>
          `{"method":"subscribe","result":{"channel":"book","depth":10,"snapshot":true,"symbol":"${symbol}"},"success":true}`,
      ),
    ],
    heartbeat: '{"channel":"heartbeat"}',
    snapshot: book => [raw({ channel: 'book', type: 'snapshot', data: [data(book, whole(book))] })],
    update(book, changes) {
      const update = { ...data(book, changes), timestamp: clock.text() };
      return [raw({ channel: 'book', type: 'update', data: [update] })];
    },
    trade(book, { id, price, quantity, isBuy }) {
      const amounts = { qty: digits(quantity), price: digits(price) };
      const rest = { ord_type: 'limit', trade_id: digits(id), timestamp: clock.text() };
      const trade = { symbol: book.instrument.symbol, side: isBuy ? 'buy' : 'sell', ...amounts, ...rest };
      return [raw({ channel: 'trade', type: 'update', data: [trade] })];
    },
    ticker(book) {
      const [[bid, bidQty] = [], [ask, askQty] = []] = [best(book, 'bids'), best(book, 'asks')];
      const ticker = {
        symbol: book.instrument.symbol,
        ...{ bid: digits(bid), bid_qty: digits(bidQty), ask: digits(ask), ask_qty: digits(askQty) },
        ...{ last: digits(bid), volume: digits('1234.00000001'), change: digits('-1.5'), change_pct: digits('-0.01') },
      };
      return raw({ channel: 'ticker', type: 'update', data: [ticker] });
    },
  };
}

export function coinbase(): SampleWriter {
  const clock = ticking();
  const product = (book: SampleBook) => book.instrument.symbol;
  return {
    file: 'coinbase',
    symbols: ['BTC-USD', 'SPR-USD'],
    depth: ALL_LEVELS,
    opening: [
      '{"type":"subscriptions","channels":[{"name":"level2","product_ids":["BTC-USD","SPR-USD"]},{"name":"matches","product_ids":["BTC-USD"]}]}',
    ],
    heartbeat:
      '{"type":"heartbeat","sequence":90,"last_trade_id":20,"product_id":"BTC-USD","time":"2026-01-02T03:04:05.000123Z"}',
    snapshot: book => [
      JSON.stringify({
        type: 'snapshot',
        product_id: product(book),
        bids: side(book, 'bids'),
        asks: side(book, 'asks'),
        time: clock.text(),
      }),
    ],
    update(book, changes) {
      const of = (name: SideName, word: string) =>
        texts(book, changes, name).map(level => [word, ...padded(book, level)]);
      const all = [...of('bids', 'buy'), ...of('asks', 'sell')];
      return [JSON.stringify({ type: 'l2update', product_id: product(book), changes: all, time: clock.text() })];
    },
    trade(book, { id, price, quantity, isBuy }) {
      const head = { type: 'match', trade_id: digits(id), sequence: 50 };
      const rest = { size: quantity, price, product_id: product(book), side: isBuy ? 'buy' : 'sell' };
      return [raw({ ...head, ...rest, time: clock.text() })];
    },
    ticker(book, isBare) {
      const [[bid = '', bidSize = ''] = [], [ask = '', askSize = ''] = []] = [best(book, 'bids'), best(book, 'asks')];
      return JSON.stringify({
        ...{ type: 'ticker', sequence: 51, product_id: product(book), price: isBare ? '' : bid },
        ...{ open_24h: bid, volume_24h: '1234.00000001', low_24h: bid, high_24h: ask },
        ...{ best_bid: isBare ? '' : bid, best_bid_size: isBare ? '' : bidSize },
        ...{ best_ask: ask, best_ask_size: askSize, side: 'buy', time: clock.text(), trade_id: 20, last_size: '0.1' },
      });
    },
  };
}

export function okx(): SampleWriter {
  const clock = ticking();
  const numbers = new Map<string, number>();
  const body = (book: SampleBook, changes: Changes, action: 'snapshot' | 'update') => {
    const instId = book.instrument.symbol;
    const prevSeqId = action === 'snapshot' ? -1 : (numbers.get(instId) ?? -1);
    const seqId = (numbers.get(instId) ?? 1_000) + 7;
    numbers.set(instId, seqId);
    const levels = (name: SideName) => texts(book, changes, name).map(level => [...level, '0', '1']);
    const checksum = checksumOf('okx', side(book, 'bids'), side(book, 'asks'));
    const data = { asks: levels('asks'), bids: levels('bids'), ts: String(clock.ms()), checksum, seqId, prevSeqId };
    return [JSON.stringify({ arg: { channel: 'books', instId }, action, data: [data] })];
  };
  return {
    file: 'okx',
    symbols: ['BTC-USDT', 'BTC-USDT_BTC-USDT-SWAP'],
    depth: ALL_LEVELS,
    opening: ['{"event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"},"connId":"a4d3ae55"}'],
    heartbeat: '"pong"',
    snapshot: book => body(book, whole(book), 'snapshot'),
    update: (book, changes) => body(book, changes, 'update'),
    trade(book, { id, price, quantity, isBuy }) {
      const instId = book.instrument.symbol;
      const trade = { instId, tradeId: id, px: price, sz: quantity, side: isBuy ? 'buy' : 'sell' };
      const data = [{ ...trade, ts: String(clock.ms()), count: '1' }];
      return [JSON.stringify({ arg: { channel: 'trades', instId }, data })];
    },
    ticker(book, isBare) {
      const instId = book.instrument.symbol;
      const [[bidPx = '', bidSz = ''] = [], [askPx = '', askSz = ''] = []] = [best(book, 'bids'), best(book, 'asks')];
      const quote = {
        ...{ instType: 'SPOT', instId, last: isBare ? '' : bidPx, lastSz: '0.1', askPx, askSz },
        ...{ bidPx: isBare ? '' : bidPx, bidSz: isBare ? '' : bidSz, open24h: bidPx, high24h: askPx, low24h: bidPx },
        ...{ volCcy24h: '1', vol24h: '1234.00000001', ts: String(clock.ms()) },
      };
      return JSON.stringify({ arg: { channel: 'tickers', instId }, data: [quote] });
    },
  };
}

export function deribit(): SampleWriter {
  const clock = ticking();
  const numbers = new Map<string, number>();
  const notification = (channel: string, data: unknown) =>
    raw({ jsonrpc: '2.0', method: 'subscription', params: { channel, data } });
  const name = (book: SampleBook) => book.instrument.symbol;
  /** As Erlang writes floats: small ones with an exponent. */
  const amount = (text: string) => digits(/^0\.000*[1-9]/.test(text) ? Number(text).toExponential() : text);
  const body = (book: SampleBook, changes: Changes, isWhole: boolean) => {
    const before = numbers.get(name(book)) ?? 297_217;
    numbers.set(name(book), before + 1);
    const levels = (which: SideName) =>
      texts(book, changes, which).map(([price, quantity]) => {
        const action = isWhole ? 'new' : quantity === '0' ? 'delete' : 'change';
        return [action, digits(price), amount(quantity)];
      });
    const chain = isWhole ? {} : { prev_change_id: before };
    const kind = { type: isWhole ? 'snapshot' : 'change', timestamp: clock.ms(), instrument_name: name(book) };
    const sidesOf = { bids: levels('bids'), asks: levels('asks') };
    return [notification(`book.${name(book)}.raw`, { ...kind, ...chain, change_id: before + 1, ...sidesOf })];
  };
  return {
    file: 'deribit',
    symbols: ['BTC-PERPETUAL', 'BTC-FS-27MAR26_PERP'],
    depth: ALL_LEVELS,
    opening: [
      '{"jsonrpc":"2.0","id":42,"result":["book.BTC-PERPETUAL.raw","trades.BTC-PERPETUAL.raw"],"usIn":1,"usOut":2,"usDiff":1,"testnet":false}',
    ],
    heartbeat: '{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}',
    snapshot: book => body(book, whole(book), true),
    update: (book, changes) => body(book, changes, false),
    trade(book, { id, price, quantity, isBuy }) {
      const head = { trade_seq: 30_289_442, trade_id: id, timestamp: clock.ms(), tick_direction: 0 };
      const rest = { price: digits(price), instrument_name: name(book), direction: isBuy ? 'buy' : 'sell' };
      return [notification(`trades.${name(book)}.raw`, [{ ...head, ...rest, amount: amount(quantity) }])];
    },
    ticker(book, isBare) {
      const [[bid, bidAmount] = [], [ask, askAmount] = []] = [best(book, 'bids'), best(book, 'asks')];
      const stats = {
        volume: digits('1234.00000001'),
        low: digits(bid),
        high: digits(ask),
        price_change: digits('-0.5'),
      };
      const quote = {
        ...{ timestamp: clock.ms(), state: 'open', instrument_name: name(book), stats },
        ...{ last_price: isBare ? null : digits(bid), mark_price: digits('1.0e-4'), index_price: digits(bid) },
        ...{ best_bid_price: isBare ? null : digits(bid), best_bid_amount: isBare ? digits('0.0') : digits(bidAmount) },
        ...{ best_ask_price: digits(ask), best_ask_amount: digits(askAmount), open_interest: digits('0.3') },
      };
      return notification(`ticker.${name(book)}.100ms`, quote);
    },
  };
}

export function bitfinex(): SampleWriter {
  const clock = ticking();
  const channels = { book: { BTCUSD: 10, SPRUSD: 11 }, trades: { BTCUSD: 20, SPRUSD: 21 } } as const;
  const idOf = (kind: 'book' | 'trades', book: SampleBook) =>
    channels[kind][book.instrument.symbol as keyof (typeof channels)[typeof kind]];
  /** As JavaScript writes numbers: no zeros at the end, and an exponent where they are small. */
  const number = (text: string) => String(Number(text));
  const short = (book: SampleBook, name: SideName): Level[] =>
    side(book, name).map(([price, quantity]) => [number(price), number(quantity)]);
  const levels = (book: SampleBook, changes: Changes) =>
    (['bids', 'asks'] as const).flatMap(name =>
      texts(book, changes, name).map(([price, quantity]) => {
        const sign = name === 'asks' ? '-' : '';
        return quantity === '0'
          ? [digits(number(price)), 0, digits(`${sign}1`)]
          : [digits(number(price)), 1, digits(`${sign}${number(quantity)}`)];
      }),
    );
  const checksum = (book: SampleBook) =>
    JSON.stringify([idOf('book', book), 'cs', checksumOf('bitfinex', short(book, 'bids'), short(book, 'asks'))]);
  const subscribed = (channel: string, symbol: string, chanId: number) =>
    JSON.stringify({ event: 'subscribed', channel, chanId, symbol: `t${symbol}`, prec: 'P0', freq: 'F0', len: '25' });
  return {
    file: 'bitfinex',
    symbols: ['BTCUSD', 'SPRUSD'],
    depth: ALL_LEVELS,
    opening: [
      '{"event":"info","version":2,"platform":{"status":1}}',
      '{"event":"conf","status":"OK","flags":131072}',
      subscribed('book', 'BTCUSD', 10),
      subscribed('book', 'SPRUSD', 11),
      subscribed('trades', 'BTCUSD', 20),
      subscribed('trades', 'SPRUSD', 21),
      subscribed('ticker', 'BTCUSD', 30),
    ],
    heartbeat: '[10,"hb"]',
    snapshot: book => [raw([idOf('book', book), levels(book, whole(book))]), checksum(book)],
    update: (book, changes) => [
      ...levels(book, changes).map(level => raw([idOf('book', book), level])),
      checksum(book),
    ],
    trade(book, { id, price, quantity, isBuy }) {
      const amount = digits(`${isBuy ? '' : '-'}${number(quantity)}`);
      const trade = [digits(id), clock.ms(), amount, digits(number(price))];
      return ['te', 'tu'].map(word => raw([idOf('trades', book), word, trade]));
    },
    ticker(book, isBare) {
      const [[bid = '0', bidSize = '0'] = [], [ask = '0', askSize = '0'] = []] = [
        best(book, 'bids'),
        best(book, 'asks'),
      ].map(level => level?.map(number));
      const head = [isBare ? null : digits(bid), digits(bidSize), digits(ask), digits(askSize)];
      return raw([
        30,
        [...head, digits('-1.5'), digits('-1e-7'), digits(bid), digits('1234.00000001'), digits(ask), digits(bid)],
      ]);
    },
  };
}
