/** @module-tag slow */
import { describe, expect, it } from 'vitest';
import { CaptureReader } from '../../bench/captured/capture.js';
import { canonical } from '../../bench/captured/decimal.js';
import { checksumOf, ExchangeBook } from '../../bench/captured/exchange-book.js';
import { microsOf, parseKeepingDigits, readLine, writeKeepingDigits } from '../../bench/captured/exchange-json.js';
import { Mapping } from '../../bench/captured/mapping.js';
import type { BookEvent, Level } from '../../bench/captured/market-event.js';

function read(...lines: readonly unknown[]) {
  const reader = new CaptureReader();
  return lines.map(line => reader.read(typeof line === 'string' ? line : JSON.stringify(line)));
}

const published = (...lines: readonly unknown[]) => {
  const mapping = new Mapping();
  return read(...lines)
    .flatMap(({ events, receivedMicros }) => events.map(event => mapping.publicationOf(event, receivedMicros)))
    .map(publication => publication && { ...publication, payload: JSON.parse(publication.payload) as unknown });
};

describe('captured messages', () => {
  it('keep the digits of their numbers', () => {
    const text = '{"a":[0.10000000,-1E-7,9007199254740993],"b":"1.50 \\" 2","c":null,"d":true}';
    expect(writeKeepingDigits(parseKeepingDigits(text))).toBe(text);
    for (const garbage of ['{"a":01}', '{"a":1.}', '{"a"', '', '-', '{"a":--1}']) {
      expect(readLine(garbage), garbage).toBeUndefined();
    }
  });

  it('are found in an object or a pair that says when they came', () => {
    const ticker = { type: 'ticker', product_id: 'A-B', price: '1' };
    const text = JSON.stringify(ticker);
    for (const line of [
      `{"received":"2026-01-02T03:04:05.000250Z","message":${text}}`,
      `{"ts":1767323045.00025,"msg":${JSON.stringify(text)}}`,
      `[1767323045000.25,${text}]`,
      `[1767323045000250000,${JSON.stringify(text)}]`,
    ]) {
      const [found] = read(line);
      expect(found, line).toMatchObject({ shape: 'Coinbase', receivedMicros: 1_767_323_045_000_250 });
    }
    expect(read('{"type":"error","message":"x"}')[0]).toMatchObject({ kind: 'silent', shape: 'Coinbase' });
    expect(microsOf('')).toBeUndefined();
  });

  it('of no exchange are not mapped', () => {
    const lines = ['{"hello":1}', '[1,2,3]', '[77,[1,2,3]]', '"x"', '5', 'nonsense'];
    expect(read(...lines).map(({ kind }) => kind)).toEqual([...Array(5).fill('unknown'), 'not JSON']);
  });

  it('of Coinbase Advanced Trade are mapped as those of the Exchange', () => {
    const update = (side: string, price_level: string, new_quantity: string) => ({ side, price_level, new_quantity });
    const book = { product_id: 'A-B', updates: [update('bid', '1', '2'), update('offer', '3', '0')] };
    const trade = (id: string) => ({ trade_id: id, product_id: 'A-B', price: '1', size: '2', side: 'BUY' });
    const [snapshot, change, first, second] = published(
      { channel: 'l2_data', timestamp: '2026-01-02T03:04:05Z', events: [{ type: 'snapshot', ...book }] },
      { channel: 'l2_data', events: [{ type: 'update', ...book }] },
      { channel: 'market_trades', events: [{ type: 'update', trades: [trade('2'), trade('1')] }] },
      { channel: 'heartbeats', events: [{ heartbeat_counter: 1 }] },
    );
    expect(snapshot).toMatchObject({ subject: 'md.books.A-B', seq: 1, tsEventMicros: 1_767_323_045_000_000 });
    const levels = { symbol: 'A-B', bids: [['1', '2']], asks: [['3', '0']] };
    expect(snapshot?.payload).toMatchObject({ ...levels, snapshot: true });
    expect(change).toMatchObject({ seq: 2, payload: levels });
    expect([first, second].map(message => message?.payload)).toMatchObject([
      { trade_id: '1', side: 'buy', quantity: '2' },
      { trade_id: '2' },
    ]);
  });

  it('that are whole books without saying so are mapped as such', () => {
    const [okx, deribit, empty] = published(
      {
        arg: { channel: 'books5', instId: 'X' },
        data: [{ bids: [['1', '2', '0', '1']], asks: [], ts: '1', seqId: 5 }],
      },
      { params: { channel: 'book.Y.none.20.100ms', data: { instrument_name: 'Y', bids: [[1, 2]], asks: [] } } },
      { arg: { channel: 'books', instId: 'X' }, action: 'snapshot', data: [{ bids: [], asks: [], prevSeqId: -1 }] },
    );
    for (const message of [okx, deribit, empty]) expect(message?.payload).toMatchObject({ snapshot: true });
  });

  it('of a book that the exchange keeps to a depth delete what it pushes out', () => {
    const level = (price: number) => [String(price), '1', '1'];
    const ten = Array.from({ length: 10 }, (_, i) => level(100 - i));
    const [, change] = published(
      [1, { as: [], bs: ten }, 'book-10', 'A/B'],
      [1, { b: [level(95.5)] }, 'book-10', 'A/B'],
    );
    expect(change?.payload).toMatchObject({
      bids: [
        ['95.5', '1'],
        ['91', '0'],
      ],
    });
  });

  it('that the exchange numbers leave a number out where it does', () => {
    const message = (prev: number | undefined, id: number) => {
      const type = prev === undefined ? 'snapshot' : 'change';
      const data = { type, instrument_name: 'X', prev_change_id: prev, change_id: id, bids: [], asks: [] };
      return { params: { channel: 'book.X.raw', data } };
    };
    const seqs = published(message(undefined, 10), message(10, 11), message(13, 14), message(14, 15));
    expect(seqs.map(publication => publication?.seq)).toEqual([1, 2, 4, 5]);
  });

  it('of Bitfinex have a meaning once their channel is known', () => {
    const subscribed = { event: 'subscribed', channel: 'trades', chanId: 7, symbol: 'tBTCF0:USTF0' };
    const trades = published(
      subscribed,
      '[7,[[2,1,-1e-7,5],[1,1,1,5]]]',
      '[7,"te",[3,1,-0.5,5]]',
      '[7,"tu",[3,1,-0.5,5]]',
    );
    expect(trades.map(trade => trade?.payload)).toMatchObject([
      { symbol: 'BTCF0:USTF0', trade_id: 1, side: 'buy' },
      { trade_id: 2, side: 'sell', quantity: 1e-7 },
      { trade_id: 3, side: 'sell', quantity: 0.5 },
    ]);
  });
});

describe('the book that judges', () => {
  const levels = (...prices: readonly string[]): Level[] => prices.map(price => [price, '0.00000500']);

  it('has the checksum of the example that Kraken publishes', () => {
    const asks = levels(...Array.from({ length: 10 }, (_, i) => (0.05005 + i * 0.00005).toFixed(5)));
    const bids = levels(
      ...'0.05000 0.04995 0.04990 0.04980 0.04975 0.04970 0.04965 0.04960 0.04955 0.04950'.split(' '),
    );
    expect(checksumOf('kraken', bids, asks)).toBe(974947235);
    const withExponents = bids.map(([price]): Level => [price, '5.00E-6']);
    expect(checksumOf('kraken', withExponents, asks)).toBe(974947235);
  });

  it('is unknown until it is whole, and from a hole or a wrong amount to the next whole one', () => {
    const book = new ExchangeBook();
    const event = (members: Partial<BookEvent>): BookEvent => {
      return { kind: 'book', symbol: 'X', isWhole: false, bids: [], asks: [], ...members };
    };
    const states = [
      event({ bids: [['1', '1']] }),
      event({ isWhole: true, number: '1', bids: [['1.0', '1']] }),
      event({ follows: '1', number: '2', bids: [['1.00', '2E+1']] }),
      event({ follows: '3', number: '4' }),
      event({ isWhole: true, number: '9' }),
      event({ bids: [['0x1', '1']] }),
    ].map(next => {
      book.apply(next);
      return [book.state, book.best(10)];
    });
    expect(states.map(([state]) => state)).toEqual(['unknown', 'whole', 'whole', 'unknown', 'whole', 'unknown']);
    expect(states[2]?.[1]).toBe('1=20|');
  });

  it('compares by value', () => {
    for (const text of ['1.50', '15e-1', '+1.5', '001.5', '0.15E+1']) expect(canonical(text)).toBe('1.5');
    expect(['-0', '0E-8', '.0'].map(canonical)).toEqual(['0', '0', '0']);
    expect(() => canonical('0x10')).toThrow(RangeError);
  });
});
