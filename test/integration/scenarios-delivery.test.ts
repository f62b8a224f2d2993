/** The scenarios of the trading-updates document, by their names there (2 of 3): broadcasts, and a matching engine. */
import { isDeepStrictEqual } from 'node:util';
import { connect as connectNats } from 'nats';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectPublisher } from '../../src/publisher/index.js';
import type { Frame, TestClient } from '../support/client.js';
import { Documents } from '../support/documents.js';
import { MatchingEngine } from '../support/matching-engine.js';
import { numbered, orderIds, TradingDesk, trade, tradeIds } from '../support/trading-desk.js';

let desk: TradingDesk;

beforeAll(async () => {
  desk = await TradingDesk.open();
});

afterEach(() => desk.endTest());

afterAll(() => desk?.close());

/** Each event follows the one before it. */
function expectChained(frames: readonly Frame[]): void {
  const [first] = frames;
  const before = [first?.prev_seq, ...frames.map(frame => frame.seq)].slice(0, -1);
  expect(frames.map(frame => frame.prev_seq)).toEqual(before);
  expect(new Set(frames.map(frame => frame.epoch)).size).toBe(1);
}

describe('broadcasts', () => {
  it('R37 BroadcastToAllClients: everybody gets the same, whatever thread, tier and format serves him', async () => {
    const symbol = desk.newSymbol();
    const path = `/ws/trades?symbols=${symbol}`;
    const kinds = [{ tier: 'institutional' }, { tier: 'retail' }] as const;
    const clients = await Promise.all(
      numbered(6).flatMap(() =>
        kinds.flatMap(kind => [desk.connect(path, kind), desk.connect(`${path}&format=msgpack`, kind)]),
      ),
    );
    for (let n = 0; n < 20; n++) desk.trade(symbol, n);
    const received = await Promise.all(clients.map(client => client.arrived('trade_executed', 20)));
    expect(received[0]?.map(frame => frame.trade_id)).toEqual([...Array(20).keys()]);
    for (const frames of received) expect(frames).toEqual(received[0]);
  });

  it('R37 FilterByUserID: orders reach every connection of their user and nobody else, whatever he follows', async () => {
    const symbol = desk.newSymbol();
    const alices = [
      await desk.connect('/ws/orders', { sub: 'alice' }),
      await desk.connect('/ws/orders', { sub: 'alice' }),
    ];
    const bob = await desk.connect('/ws/orders', { sub: 'bob' });
    // So many that some share a thread with those above.
    const others = await Promise.all([
      ...numbered(8).map(() => desk.spectator('/ws/trades')),
      ...numbered(8).map(() => desk.connect('/ws/trades', { sub: 'eve' })),
    ]);
    await desk.subscribe(others[8] as TestClient, 'orders');
    for (const n of [1, 2]) desk.order('alice', `a${n}`);
    desk.order('bob', 'b1');
    for (const alice of alices) await alice.arrived('order_update', 2);
    await bob.arrived('order_update');
    // Behind the orders on either encoder.
    for (const name of [symbol, ...numbered(4).map(() => desk.newSymbol())]) desk.trade(name, 'last');
    for (const other of others) await other.arrived('trade_executed', 5);
    expect(alices.map(orderIds)).toEqual([
      ['a1', 'a2'],
      ['a1', 'a2'],
    ]);
    expect(orderIds(bob)).toEqual(['b1']);
    expect(others.flatMap(orderIds)).toEqual([]);
  });

  it('R37 FilterBySymbol: trades and books come of the symbols asked for, and of no other', async () => {
    const [a, b] = [desk.newSymbol(), desk.newSymbol()];
    const [ofA, ofB] = [await desk.spectator('/ws'), await desk.spectator('/ws')];
    for (const [client, symbol] of [
      [ofA, a],
      [ofB, b],
    ] as const) {
      await desk.subscribe(client, 'trades', { symbol });
      await desk.subscribe(client, 'orderbook', { symbol });
    }
    for (const n of [1, 2, 3]) {
      for (const symbol of [a, b]) {
        desk.trade(symbol, `${symbol}-${n}`);
        desk.book(symbol, [[String(n), '1']], [['9', '1']]);
      }
    }
    for (const [client, symbol] of [
      [ofA, a],
      [ofB, b],
    ] as const) {
      await client.arrived('trade_executed', 3);
      await client.next('last book', frame => frame.best_bid === '3');
      expect(tradeIds(client)).toEqual([1, 2, 3].map(n => `${symbol}-${n}`));
      expect(new Set(client.ofType('orderbook_update').map(frame => frame.symbol))).toEqual(new Set([symbol]));
    }
  });

  it('R37 ConcurrentBroadcasting: of many publishers at once, everybody sees every topic in one order', async () => {
    const shared = desk.newSymbol();
    const own = numbered(4).map(() => desk.newSymbol());
    const clients = await Promise.all(numbered(10).map(() => desk.spectator(`/ws/trades?symbols=${[shared, ...own]}`)));
    const connections = await Promise.all(own.map(() => connectNats({ servers: desk.nats.url })));
    await Promise.all(
      connections.map(async (connection, i) => {
        for (let n = 0; n < 200; n++) {
          for (const symbol of [shared, own[i] ?? '']) {
            connection.publish(`md.trades.${symbol}`, JSON.stringify(trade(symbol, `${i}:${n}`)));
          }
          // Lets the others in between.
          if (n % 20 === 0) await connection.flush();
        }
        await connection.drain();
      }),
    );
    const bySymbol = (client: TestClient, symbol: string) =>
      client.ofType('trade_executed').filter(frame => frame.symbol === symbol);
    for (const client of clients) await client.arrived('trade_executed', 8 * 200);
    const inOneOrder = bySymbol(clients[0] as TestClient, shared).map(frame => frame.trade_id as string);
    for (const client of clients) {
      expect(bySymbol(client, shared).map(frame => frame.trade_id)).toEqual(inOneOrder);
      expectChained(bySymbol(client, shared));
      for (const [i, symbol] of own.entries()) {
        expect(bySymbol(client, symbol).map(frame => frame.trade_id)).toEqual(numbered(200, `${i}:`));
      }
    }
    // What one publisher said stays in its order among what the others said.
    for (const i of own.keys()) expect(inOneOrder.filter(id => id.startsWith(`${i}:`))).toEqual(numbered(200, `${i}:`));
  });
});

describe('with a matching engine', () => {
  async function exchange(symbol: string): Promise<MatchingEngine> {
    const publisher = await connectPublisher({ servers: desk.nats.url });
    desk.atEnd(() => publisher.close());
    const engine = new MatchingEngine({ publisher, symbols: [symbol] });
    engine.publishBooks();
    return engine;
  }

  it('R37 PlaceOrder_SendsUpdate: who places an order is told what becomes of it, and nobody else', async () => {
    const symbol = desk.newSymbol();
    const engine = await exchange(symbol);
    const [maker, other] = [
      await desk.connect('/ws/orders', { sub: 'maker' }),
      await desk.connect('/ws/orders', { sub: 'other' }),
    ];
    const limit = { symbol, side: 'sell', price: '10.02', quantity: '5' } as const;
    const { orderId } = engine.place({ userId: 'maker', ...limit });
    const [created] = await maker.arrived('order_update');
    expect(created).toMatchObject({
      action: 'created',
      order_id: orderId,
      user_id: 'maker',
      ...limit,
      filled_quantity: '0',
    });
    engine.cancel(orderId);
    engine.place({ userId: 'maker', ...limit, quantity: '0' });
    engine.place({ userId: 'other', ...limit });
    await maker.arrived('order_update', 3);
    await other.arrived('order_update');
    expect(maker.ofType('order_update').map(frame => frame.action)).toEqual(['created', 'cancelled', 'rejected']);
    expect(other.ofType('order_update').map(frame => frame.user_id)).toEqual(['other']);
    expectChained(maker.ofType('order_update'));
  });

  it('R37 MatchTrade_BroadcastsExecution: a match is told to everybody once, and to its parties as fills', async () => {
    const symbol = desk.newSymbol();
    const engine = await exchange(symbol);
    const spectators = [await desk.spectator('/ws/trades'), await desk.spectator(`/ws/trades?symbols=${symbol}`)];
    const [seller, buyer] = [
      await desk.connect('/ws/orders', { sub: 'seller' }),
      await desk.connect('/ws/orders', { sub: 'buyer' }),
    ];
    engine.place({ userId: 'seller', symbol, side: 'sell', price: '10.02', quantity: '5' });
    engine.place({ userId: 'seller', symbol, side: 'sell', price: '10.03', quantity: '1' });
    engine.place({ userId: 'buyer', symbol, side: 'buy', price: '10.05', quantity: '7.5' });
    for (const client of spectators) {
      const trades = await client.arrived('trade_executed', 2);
      expect(trades.map(({ price, quantity }) => [price, quantity])).toEqual([
        ['10.02', '5'],
        ['10.03', '1'],
      ]);
      expect(trades[0]).not.toHaveProperty('buyer_id');
    }
    await seller.arrived('order_update', 4);
    await buyer.arrived('order_update', 3);
    const told = (client: TestClient) =>
      client.ofType('order_update').map(frame => [frame.action, frame.filled_quantity]);
    expect(told(seller)).toEqual([
      ['created', '0'],
      ['created', '0'],
      ['filled', '5'],
      ['filled', '1'],
    ]);
    expect(told(buyer)).toEqual([
      ['created', '0'],
      ['partially_filled', '5'],
      ['partially_filled', '6'],
    ]);
    expect(spectators.flatMap(orderIds)).toEqual([]);
  });

  it('R37 OrderBookChange_NotifiesSubscribers: who follows a book always comes to hold the engine’s', async () => {
    const symbol = desk.newSymbol();
    const engine = await exchange(symbol);
    const [best, depth] = [
      await desk.connect(`/ws/markets/${symbol}`),
      await desk.connect(`/ws/markets/${symbol}?depth=10`),
    ];
    const [ofBest, ofDepth] = [new Documents(), new Documents()];
    const levels = () => Object.values(engine.book(symbol)).map(side => Object.fromEntries(side));
    const shown = async () => {
      const { bids, asks } = engine.book(symbol);
      const expected = [bids[0]?.[0] ?? null, bids[0]?.[1] ?? null, asks[0]?.[0] ?? null, asks[0]?.[1] ?? null];
      await best.next('best levels of the engine', () => {
        const frame = ofBest.follow(best).best.get(symbol);
        return isDeepStrictEqual(
          [frame?.best_bid, frame?.bid_quantity, frame?.best_ask, frame?.ask_quantity],
          expected,
        );
      });
      await depth.next('book of the engine', () => {
        return isDeepStrictEqual(Object.values(ofDepth.follow(depth).books.get(symbol) ?? {}), levels());
      });
    };
    const place = (side: 'buy' | 'sell', price: string, quantity: string) =>
      engine.place({ userId: 'maker', symbol, side, price, quantity });
    const first = place('buy', '10.00', '5');
    await shown();
    place('sell', '10.10', '2');
    place('buy', '10.05', '1');
    await shown();
    // It takes the best bid whole and a part of the next.
    place('sell', '10.00', '3');
    await shown();
    engine.cancel(first.orderId);
    await shown();
    expect(ofDepth.chained).toBeGreaterThanOrEqual(3);
    expect(best.ofType('orderbook_update').at(-1)).toMatchObject({ best_bid: null, best_ask: '10.1', spread: null });
  });

  it('R37 Load_100Clients_1000Messages: every client has every message, in order', async () => {
    const symbol = desk.newSymbol();
    const kinds = [{ tier: 'institutional' }, { tier: 'retail' }] as const;
    const path = (i: number) => `/ws/trades?symbols=${symbol}${i % 4 < 2 ? '' : '&format=msgpack'}`;
    const clients = await Promise.all(numbered(100).map((_, i) => desk.connect(path(i), kinds[i % 2])));
    for (let n = 0; n < 1000; n++) desk.trade(symbol, n);
    const everything = [...Array(1000).keys()];
    for (const client of clients) {
      const frames = await client.arrived('trade_executed', 1000, 30_000);
      expect(frames.map(frame => frame.trade_id)).toEqual(everything);
      expectChained(frames);
      expect(client.ofType('gap')).toEqual([]);
    }
  });

  it('R37 Reconnection_HistoryNotReplayed: who comes back without saying where it stood begins with what is new', async () => {
    const symbol = desk.newSymbol();
    const come = async () => {
      const client = await desk.connect(`/ws/trades?symbols=${symbol}`, { sub: 'back' });
      await desk.subscribe(client, 'orders');
      await desk.subscribe(client, 'analytics', { channel: 'alerts' });
      await desk.subscribe(client, 'rooms', { room: symbol });
      return client;
    };
    const events = ['trade_executed', 'order_update', 'alert', 'room_message'];
    const [before, witness] = [await come(), await come()];
    desk.oneOfEach(symbol, 'back', 1);
    for (const type of events) await before.arrived(type);
    await before.close();
    for (const n of [2, 3]) desk.oneOfEach(symbol, 'back', n);
    for (const type of events) await witness.arrived(type, 3);
    const after = await come();
    desk.oneOfEach(symbol, 'back', 4);
    for (const type of events) {
      await after.arrived(type);
      expect([type, after.ofType(type).map(frame => frame.seq)]).toEqual([type, [4]]);
    }
  });
});
