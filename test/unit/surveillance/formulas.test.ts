/** Each pattern at and beside its thresholds, as any publisher may write it, through the decoder. R72. */
import { describe, expect, it } from 'vitest';
import { Market, type Members, times } from '../../support/written-market.js';

describe('order-to-trade ratio (R72)', () => {
  const spam = (market: Market, orders: number, members: Members = {}) =>
    times(orders, n => {
      market.order(n, 'mallory', { action: 'created', order_id: n, ...members });
      market.order(n + 0.7, 'mallory', { action: 'cancelled', order_id: n, ...members });
    });

  it.each([
    [99, {}, 0],
    [100, {}, 1],
    [100, { cancelled_by: 'user' }, 1],
  ])('R72 %i orders that never trade, %o, are %i alerts', (orders, members, alerts) => {
    const market = new Market();
    spam(market, orders, members);
    expect(market.found).toEqual(times(alerts, () => 'order_to_trade'));
  });

  it('R72 is messages / trades − 1, and quotes count twice', () => {
    const limits = { order_to_trade: { ratio_by_number: 39, ratio_by_volume: 1e9 } };
    const plain = new Market(limits);
    times(5, n => plain.trade(n, { trade_id: n, buyer_id: 'mallory', seller_id: 'a' }));
    spam(plain, 100);
    expect(plain.found).toEqual([]);
    spam(plain, 1);
    expect(plain.alerts).toMatchObject([{ figures: { messages: 201, trades: 5, ratio_by_number: 39.2 } }]);
    const quotes = new Market(limits);
    times(10, n => quotes.trade(n, { trade_id: n, buyer_id: 'mallory', seller_id: 'a' }));
    spam(quotes, 101, { order_type: 'quote' });
    expect(quotes.alerts).toMatchObject([{ figures: { messages: 402, trades: 10 } }]);
  });

  it('R72 fills count as trades where trades name no parties, and what the venue cancels is no message', () => {
    const market = new Market();
    times(300, n => {
      market.order(n, 'alice', { action: 'created', order_id: `a${n}` });
      market.order(n, 'alice', { action: 'partially_filled', order_id: `a${n}`, filled_quantity: '4' });
      market.order(n, 'alice', { action: 'filled', order_id: `a${n}`, filled_quantity: '10' });
    });
    times(101, n => {
      market.order(n, 'bob', { action: 'created', order_id: `b${n}` });
      market.order(n, 'bob', { action: 'cancelled', order_id: `b${n}`, cancelled_by: 'exchange' });
    });
    expect(market.found).toEqual([]);
  });

  it('R72 a market maker that quotes both sides may cancel 99 of 100, unless its limit is its own', () => {
    const quote = (market: Market) =>
      times(1000, n => {
        for (const side of ['buy', 'sell']) {
          if (n > 0) market.order(n, 'maker', { action: 'cancelled', side, order_id: `${side}${n - 1}` });
          market.order(n, 'maker', { action: 'created', side, order_id: `${side}${n}` });
        }
        if (n % 100 === 20) market.trade(n, { trade_id: n, buyer_id: 'maker', seller_id: `taker${n}` });
        if (n % 100 === 40) market.trade(n, { trade_id: n, buyer_id: `taker${n}`, seller_id: 'maker' });
      });
    const ordinary = new Market();
    quote(ordinary);
    expect(ordinary.found).toEqual([]);
    const limited = new Market({
      overrides: [{ users: ['maker'], symbols: ['BRK/B'], order_to_trade: { both_sides_factor: 1 } }],
    });
    quote(limited);
    expect(limited.found).toContain('order_to_trade');
  });

  it.each<[string, readonly string[]]>([
    ['never trades', []],
    ['only buys', ['buy', 'buy', 'buy']],
    ['only buys, as updates of orders say', ['filled', 'filled']],
  ])('R72 who quotes both sides and %s is no market maker', (_what, trades) => {
    const market = new Market();
    for (const [n, trade] of trades.entries()) {
      if (trade === 'buy') market.trade(n, { trade_id: n, buyer_id: 'mallory', seller_id: 'x' });
      else market.order(n, 'mallory', { action: trade, order_id: `f${n}` });
    }
    times(250, n => {
      for (const action of ['created', 'cancelled']) {
        for (const side of ['buy', 'sell']) market.order(n, 'mallory', { action, side, order_id: `${side}${n}` });
      }
    });
    expect(market.found).toContain('order_to_trade');
  });

  it('R72 updates of orders that do not say their side tell that a user trades on both', () => {
    const market = new Market();
    times(200, n => {
      for (const side of ['buy', 'sell'])
        market.order(n, 'maker', { action: 'created', side, order_id: `${side}${n}` });
      for (const side of ['buy', 'sell']) {
        const action = n === 10 ? 'filled' : 'cancelled';
        market.order(n, 'maker', { action, side: undefined, order_id: `${side}${n}` });
      }
    });
    expect(market.found).toEqual([]);
  });
});

describe('quote stuffing (R72)', () => {
  const burst = (market: Market, orders: number, spacing: number, life: number, members: Members = {}) => {
    const events = Array.from({ length: orders }, (_, n) => [
      { at: 0.6 + n * spacing, action: 'created', order_id: `x${n}` },
      { at: 0.6 + n * spacing + life, action: 'cancelled', order_id: `x${n}`, ...members },
    ]).flat();
    for (const { at, ...event } of events.toSorted((a, b) => a.at - b.at)) market.order(at, 'mallory', event);
  };

  it.each([
    ['25 orders within a second, across a second of the clock', 25, 0.038, 0.01, {}, 1],
    ['24 of them', 24, 0.038, 0.01, {}, 0],
    ['that live 499 ms', 60, 0.01, 0.499, {}, 1],
    ['that live 500 ms', 60, 0.01, 0.5, {}, 0],
    ['whose rest the venue cancels', 60, 0.01, 0.001, { cancelled_by: 'exchange' }, 0],
    ['for a minute', 2_000, 0.03, 0.4, {}, 1],
  ])('R72 %s', (_what, orders, spacing, life, members, alerts) => {
    const market = new Market({ order_to_trade: { orders_min: 100_000 } });
    burst(market, orders, spacing, life, members);
    expect(market.found).toEqual(times(alerts, () => 'quote_stuffing'));
  });

  it('R72 a clock that jumps ahead for one message does not add up the seconds after it', () => {
    const market = new Market({ order_to_trade: { orders_min: 100_000 } });
    market.order(200, 'alice', { action: 'created', order_id: 'ahead' });
    times(100, n => {
      market.order(n, 'alice', { action: 'created', order_id: n });
      market.order(n + 0.3, 'alice', { action: 'cancelled', order_id: n });
    });
    expect(market.found).toEqual([]);
  });
});

describe('layering (R72)', () => {
  interface Episode {
    readonly levels?: number;
    readonly quantity?: string;
    readonly fillAt?: number;
    readonly cancelAt?: number;
    readonly cancelled?: number;
    readonly cancel?: Members;
    readonly bids?: number;
    readonly fillAsTrade?: boolean;
  }

  function play(market: Market, { levels = 5, quantity = '0.7', fillAt = 2, cancelAt = 3, ...rest }: Episode): void {
    const { cancelled = levels, cancel = {}, bids = 1, fillAsTrade = false } = rest;
    const sell = { side: 'sell', quantity };
    times(levels, n => market.order(0, 'mallory', { ...sell, action: 'created', order_id: `s${n}`, price: `1.0${n}` }));
    times(bids, n =>
      market.order(0.5, 'mallory', { action: 'created', order_id: `b${n}`, price: `0.9${n}`, quantity: '0.7' }),
    );
    if (fillAsTrade) market.trade(fillAt, { trade_id: 't', buyer_id: 'mallory', seller_id: 'x' });
    // It does not say its side.
    else market.order(fillAt, 'mallory', { action: 'filled', order_id: 'b0', filled_quantity: '0.7', side: undefined });
    times(cancelled, n =>
      market.order(cancelAt, 'mallory', { ...sell, action: 'cancelled', order_id: `s${n}`, ...cancel }),
    );
  }

  it.each<[string, Episode, number]>([
    ['three levels', { levels: 3 }, 1],
    ['two levels', { levels: 2 }, 0],
    ['two levels of 20 % of the depth', { levels: 2, quantity: '10' }, 1],
    ['two levels of less', { levels: 2, quantity: '9.99' }, 0],
    ['80 % cancelled', { cancelled: 4 }, 1],
    ['60 % cancelled', { cancelled: 3 }, 0],
    ['filled 10 s later', { fillAt: 10, cancelAt: 11 }, 1],
    ['filled 10.1 s later', { fillAt: 10.1, cancelAt: 11 }, 0],
    ['cancelled 5 s later', { cancelAt: 7 }, 1],
    ['cancelled 5.1 s later', { cancelAt: 7.1 }, 0],
    ['a fill that only a trade tells of', { fillAsTrade: true }, 1],
    ['cancelled by the venue', { cancel: { cancelled_by: 'exchange' } }, 0],
    ['as many orders on the other side', { bids: 5 }, 0],
  ])('R72 %s: %o is %i alerts', (_what, episode, alerts) => {
    const market = new Market();
    market.book({
      bids: [],
      asks: [
        ['1.0', '60'],
        ['1.1', '40'],
      ],
    });
    play(market, episode);
    expect(market.found).toEqual(times(alerts, () => 'layering'));
  });
});

describe('wash trades (R72)', () => {
  it.each([
    ['95.01', 1],
    ['95', 0],
    ['94.99', 0],
  ])('R72 a twentieth of net per gross quantity: 105 bought and %s sold is %i alerts', (last, alerts) => {
    const market = new Market();
    for (const [n, quantity] of ['26.25', '26.25', '26.25', '26.25'].entries()) {
      market.trade(n, { trade_id: n, buyer_id: 'x', seller_id: 'y', quantity });
    }
    market.trade(9, { trade_id: 9, buyer_id: 'y', seller_id: 'x', quantity: last });
    expect(market.found).toEqual(times(alerts, () => 'wash_trades'));
  });

  it('R72 a customer of the only market maker is none, and two who take from each other are', () => {
    const market = new Market();
    const deal = (n: number, user: string, partner: string, aggressor: string) => {
      const isBuying = n % 2 === 0;
      const [buyer_id, seller_id] = isBuying ? [user, partner] : [partner, user];
      const aggressor_side = (aggressor === user) === isBuying ? 'buy' : 'sell';
      market.trade(n, { trade_id: `${user}${n}`, buyer_id, seller_id, aggressor_side });
    };
    // The market maker has other customers, who trade more.
    times(4, n => market.trade(n, { trade_id: n, buyer_id: 'maker', seller_id: `big${n}`, quantity: '20' }));
    for (const user of ['a', 'b', 'c', 'd']) times(6, n => deal(n, user, 'maker', user));
    expect(market.found).toEqual([]);
    times(6, n => deal(n, 'w1', 'w2', n % 2 === 0 ? 'w1' : 'w2'));
    expect(market.alerts).toMatchObject([{ detector: 'wash_trades', users: ['w1', 'w2'] }]);
  });
});

describe('momentum ignition (R72)', () => {
  function ordinary(market: Market, price: (n: number) => number, seconds = 130): void {
    times(seconds, n =>
      market.trade(n, {
        trade_id: `o${n}`,
        price: price(n),
        quantity: '2',
        buyer_id: `b${n}`,
        seller_id: `s${n}`,
        aggressor_side: n % 3 === 0 ? 'sell' : 'buy',
      }),
    );
  }

  /** Buys from 133.2 s on, across a window of the clock, then sells. */
  function ignite(market: Market, sold: number, sellAt: number, quantity = '3'): void {
    times(10, n =>
      market.trade(133.2 + n * 0.3, {
        trade_id: `i${n}`,
        price: 100 + n * 0.3,
        quantity,
        buyer_id: 'mallory',
        seller_id: `x${n}`,
        aggressor_side: 'buy',
      }),
    );
    times(sold, n =>
      market.trade(sellAt + n * 0.1, {
        trade_id: `r${n}`,
        price: 102,
        quantity: 3,
        buyer_id: `y${n}`,
        seller_id: 'mallory',
        aggressor_side: 'sell',
      }),
    );
  }

  it.each([
    ['all sold at once', 10, 137, 1],
    ['80 % sold', 8, 160, 1],
    ['70 % sold', 7, 160, 0],
    ['sold a minute later', 10, 200, 0],
  ])('R72 %s', (_what, sold, sellAt, alerts) => {
    for (const price of [(n: number) => 100 + (n % 2) / 10, () => 100]) {
      const market = new Market();
      ordinary(market, price);
      ignite(market, sold, sellAt);
      expect(market.found).toEqual(times(alerts, () => 'momentum_ignition'));
    }
  });

  it.each([
    ['5.9', 0],
    ['6', 1],
  ])('R72 one trade of %s is %i alerts where 2 are usual', (quantity, alerts) => {
    const market = new Market();
    ordinary(market, n => 100 + (n % 2) / 10);
    const members = { price: 103, quantity };
    market.trade(133, { ...members, trade_id: 'i', buyer_id: 'mallory', seller_id: 'x', aggressor_side: 'buy' });
    market.trade(140, { ...members, trade_id: 'r', buyer_id: 'y', seller_id: 'mallory', aggressor_side: 'sell' });
    expect(market.found).toEqual(times(alerts, () => 'momentum_ignition'));
  });

  it('R72 needs no more than the windows of the first 35 s', () => {
    const market = new Market();
    ordinary(market, n => 100 + (n % 2) / 10, 35);
    const members = { price: 103, quantity: 6 };
    market.trade(36, { ...members, trade_id: 'i', buyer_id: 'mallory', seller_id: 'x', aggressor_side: 'buy' });
    market.trade(40, { ...members, trade_id: 'r', buyer_id: 'y', seller_id: 'mallory', aggressor_side: 'sell' });
    expect(market.found).toEqual(['momentum_ignition']);
  });
});
