import Big from 'big.js';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { BookLevel, OrderUpdate, PublishAck, Trade } from '../../src/publisher/index.js';
import { MatchingEngine, type MatchingEngineOptions } from '../support/matching-engine.js';

type Published =
  | { readonly kind: 'order'; readonly userId: string; readonly update: OrderUpdate }
  | { readonly kind: 'trade'; readonly trade: Trade }
  | {
      readonly kind: 'book';
      readonly isWhole: boolean;
      readonly bids: readonly BookLevel[];
      readonly asks: readonly BookLevel[];
    };

let published: Published[];
let engine: MatchingEngine;
beforeEach(() => {
  published = [];
  engine = engineOf(published);
});

function engineOf(into: Published[]): MatchingEngine {
  const keep = (message: Published): Promise<PublishAck> => {
    into.push(message);
    return Promise.resolve({ subject: '', seq: into.length, duplicate: false });
  };
  const publisher: MatchingEngineOptions['publisher'] = {
    order: (userId, update) => keep({ kind: 'order', userId, update }),
    trade: trade => keep({ kind: 'trade', trade }),
    bookSnapshot: (_symbol, bids, asks) => keep({ kind: 'book', isWhole: true, bids, asks }),
    bookChange: (_symbol, bids, asks) => keep({ kind: 'book', isWhole: false, bids, asks }),
  };
  return new MatchingEngine({ publisher, symbols: ['ACME'] });
}

const buy = (userId: string, price: string, quantity: string) =>
  engine.place({ userId, symbol: 'ACME', side: 'buy', price, quantity });
const sell = (userId: string, price: string, quantity: string) =>
  engine.place({ userId, symbol: 'ACME', side: 'sell', price, quantity });
const trades = () => published.flatMap(message => (message.kind === 'trade' ? [message.trade] : []));
/** `user action filled/quantity` of each order update. */
const updates = () =>
  published.flatMap(message => {
    if (message.kind !== 'order') return [];
    const { action, filled_quantity: filled, quantity } = message.update;
    return [`${message.userId} ${action} ${filled}/${quantity}`];
  });

describe('the matching engine', () => {
  it('rests an order that crosses nothing', () => {
    expect(buy('alice', '10.0', '5')).toMatchObject({ status: 'open', filledQuantity: '0', price: '10' });
    expect(engine.book('ACME')).toEqual({ bids: [['10', '5']], asks: [] });
    expect(trades()).toEqual([]);
  });

  it('trades at the price of the resting order', () => {
    sell('bob', '10', '5');
    buy('alice', '11', '5');
    expect(trades()).toMatchObject([
      { symbol: 'ACME', price: '10', quantity: '5', buyer_id: 'alice', seller_id: 'bob' },
    ]);
    expect(engine.book('ACME')).toEqual({ bids: [], asks: [] });
  });

  it('matches the best price first, and at one price the oldest order', () => {
    sell('dear', '11', '1');
    sell('first', '10', '1');
    sell('second', '10.00', '1');
    buy('alice', '11', '3');
    expect(trades().map(trade => trade.seller_id)).toEqual(['first', 'second', 'dear']);
  });

  it('fills in parts, and rests what is left', () => {
    sell('bob', '10', '0.3');
    expect(buy('alice', '10', '1')).toMatchObject({ status: 'partially_filled', filledQuantity: '0.3' });
    expect(engine.book('ACME')).toEqual({ bids: [['10', '0.7']], asks: [] });
    expect(updates()).toEqual([
      'bob created 0/0.3',
      'alice created 0/1',
      'bob filled 0.3/0.3',
      'alice partially_filled 0.3/1',
    ]);
  });

  it('asks both parties for an exact fee', () => {
    sell('bob', '0.1', '0.2');
    buy('alice', '0.1', '0.2');
    expect(trades()).toMatchObject([{ buyer_fee: '0.00002', seller_fee: '0.00002' }]);
  });

  it('takes a cancelled order out of the book, once', () => {
    const { orderId } = buy('alice', '10', '5');
    expect(engine.cancel(orderId)).toMatchObject({ status: 'cancelled' });
    expect(engine.cancel(orderId)).toBeUndefined();
    expect(engine.book('ACME').bids).toEqual([]);
    expect(published.at(-1)).toEqual({ kind: 'book', isWhole: false, bids: [['10', '0']], asks: [] });
    expect(updates().at(-1)).toBe('alice cancelled 0/5');
  });

  it.each([
    [{ symbol: 'NOPE' }, 'unknown symbol'],
    [{ price: '0' }, 'the price is not a decimal above 0'],
    [{ quantity: '-1' }, 'the quantity is not a decimal above 0'],
  ])('rejects %j, and says why', (wrong, reason) => {
    const order = { userId: 'alice', symbol: 'ACME', side: 'buy' as const, price: '10', quantity: '5', ...wrong };
    expect(engine.place(order)).toMatchObject({ status: 'rejected' });
    expect(published).toMatchObject([{ kind: 'order', userId: 'alice', update: { action: 'rejected', reason } }]);
  });

  it('publishes every book whole when asked to', () => {
    buy('alice', '10', '5');
    engine.publishBooks();
    expect(published.at(-1)).toEqual({ kind: 'book', isWhole: true, bids: [['10', '5']], asks: [] });
  });

  const command = fc.oneof(
    fc.record({
      side: fc.constantFrom('buy' as const, 'sell' as const),
      price: fc.integer({ min: 95, max: 105 }).map(cents => (cents / 10).toFixed(1)),
      quantity: fc.integer({ min: 1, max: 30 }).map(tenths => (tenths / 10).toFixed(1)),
    }),
    fc.record({ cancel: fc.nat(40) }),
  );

  it('publishes changes that add up to its book, which is never crossed, and loses no quantity', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), commands => {
        const messages: Published[] = [];
        const exchange = engineOf(messages);
        exchange.publishBooks();
        const orders = new Map<string, string>();
        for (const given of commands) {
          if ('cancel' in given) exchange.cancel(`O${given.cancel}`);
          else orders.set(exchange.place({ userId: 'u', symbol: 'ACME', ...given }).orderId, given.quantity);
        }
        const { bids, asks } = exchange.book('ACME');
        expect(rebuilt(messages)).toEqual({ bids: Object.fromEntries(bids), asks: Object.fromEntries(asks) });
        const [bid, ask] = [bids[0]?.[0], asks[0]?.[0]];
        if (bid !== undefined && ask !== undefined) expect(new Big(bid).lt(ask)).toBe(true);
        expect(conserved(messages, orders)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

function rebuilt(messages: readonly Published[]) {
  const book: Record<'bids' | 'asks', Record<string, unknown>> = { bids: {}, asks: {} };
  for (const message of messages) {
    if (message.kind !== 'book') continue;
    for (const side of ['bids', 'asks'] as const) {
      if (message.isWhole) book[side] = {};
      for (const [price, quantity] of message[side]) {
        if (quantity === '0') delete book[side][String(price)];
        else book[side][String(price)] = quantity;
      }
    }
  }
  return book;
}

/** What the trades moved is what the orders say that was filled, and no order was filled beyond its quantity. */
function conserved(messages: readonly Published[], orders: ReadonlyMap<string, string>): boolean {
  const filled = new Map<unknown, Big>();
  let traded = new Big(0);
  for (const message of messages) {
    if (message.kind === 'trade') traded = traded.plus(message.trade.quantity);
    if (message.kind === 'order') filled.set(message.update.order_id, new Big(message.update.filled_quantity));
  }
  const sum = [...filled.values()].reduce((total, quantity) => total.plus(quantity), new Big(0));
  const isWithin = [...orders].every(([id, quantity]) => (filled.get(id) ?? new Big(0)).lte(quantity));
  return isWithin && sum.eq(traded.times(2));
}
