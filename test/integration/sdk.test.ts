/** The client SDK as applications use it, against gateways as operators run them. */
import { describe, expect, it } from 'vitest';
import type { Resync } from '../../src/client/index.js';
import { refusedUpgrade } from '../support/client.js';
import { testToken } from '../support/gateway.js';
import type { Encoding } from '../support/publisher.js';
import { followed, gatewayWith, market, newClient, orderUpdate, quote, sockets, trade } from '../support/sdk-market.js';
import { until } from '../support/until.js';

const RECOVERY_TIMEOUT_MS = 30_000;

const FORMATS: readonly Encoding[] = ['json', 'msgpack'];

describe.each(FORMATS)('R34 a client in %s', format => {
  it('R34 holds the quotes, the best levels and the books of the publisher', async () => {
    const { gateway, publisher } = await market({ SYMBOLS: 'AAPL,BTC/USDT' });
    const client = newClient(gateway, { format, timestamps: true });
    const quotes = client.quotes(['AAPL', 'BTC/USDT']);
    const depth = client.depth(['BTC/USDT'], { levels: 25 });
    const best = client.orderbook(['BTC/USDT']);
    const resyncs: Resync[] = [];
    const lags: unknown[] = [];
    quotes.on('resync', resync => resyncs.push(resync)).on('change', ({ lag }) => lags.push(lag?.sinceSentMs));
    depth.on('resync', resync => resyncs.push(resync));
    await Promise.all([quotes.ready, depth.ready, best.ready]);

    const bids = new Map<string, string>();
    for (let n = 0; n < 200; n++) {
      publisher.put('md.quotes.AAPL', quote('AAPL', 100 + n), format);
      publisher.put('md.quotes.BTC/USDT', quote('BTC/USDT', `${50_000 + n}.10`), format);
      const price = `${49_000 + (n % 20)}.00`;
      const quantity = n % 7 === 3 ? '0' : `${n + 1}.5`;
      if (quantity === '0') bids.delete(price);
      else bids.set(price, quantity);
      const change = { symbol: 'BTC/USDT', bids: [[price, quantity]], asks: [['50000.00', `${n + 1}.25`]] };
      publisher.put('md.books.BTC/USDT', n === 0 ? { ...change, snapshot: true } : change, format);
    }
    await publisher.settled(gateway);
    const wholeBook = { bids: Object.fromEntries(bids), asks: { '50000.00': '200.25' } };
    await until(() => depth.get('BTC/USDT')?.asks['50000.00'] === '200.25', 30_000, 'the last book');
    await until(() => quotes.get('AAPL')?.current_price === 299, 30_000, 'the last quote');
    await until(() => quotes.get('BTC/USDT')?.current_price === '50199.10', 30_000, 'the last quote with a slash');
    expect(quotes.get('AAPL')).toEqual(quote('AAPL', 299));
    expect(quotes.get('BTC/USDT')).toEqual(quote('BTC/USDT', '50199.10'));
    expect(depth.get('BTC/USDT')).toEqual(wholeBook);
    const [[bestPrice, bestQuantity] = []] = depth.best('BTC/USDT', 'bids', 1);
    await until(() => best.get('BTC/USDT')?.ask_quantity === '200.25', 30_000, 'the last best level');
    expect(best.get('BTC/USDT')).toMatchObject({ best_bid: bestPrice, bid_quantity: bestQuantity });
    expect(resyncs).toEqual([]);
    expect(lags.length).toBeGreaterThan(0);
    for (const lag of lags) expect(lag).toSatisfy((ms: number) => Math.abs(ms) < 5_000);
  });

  it('R34 gives every trade once and in order, of all symbols and of one', async () => {
    const { gateway, publisher } = await market({ SYMBOLS: 'A,B' });
    const client = newClient(gateway, { format });
    const all = followed(client.trades());
    const one = followed(client.trades(['A']));
    await Promise.all([client.trades().ready, client.trades(['A']).ready]);
    for (let n = 0; n < 300; n++) publisher.put(`md.trades.${n % 2 ? 'A' : 'B'}`, trade(n % 2 ? 'A' : 'B', n), format);
    await publisher.settled(gateway);
    await until(() => all.events.length === 300, 30_000, 'all trades');
    const ids = (name: string) => all.events.filter(event => event.name === name).map(({ message }) => message);
    expect(ids('A').map(message => (message as { trade_id: string }).trade_id)).toEqual(
      Array.from({ length: 150 }, (_, n) => `A-${2 * n + 1}`),
    );
    expect(one.events).toEqual(all.events.filter(({ name }) => name === 'A'));
    expect([...all.gaps, ...one.gaps]).toEqual([]);
  });

  it('R34 keeps books that change fast right, checksums included', async () => {
    const gateway = await gatewayWith({ SIM_RATE: '2000', SYMBOLS: 'AAPL,MSFT' });
    const client = newClient(gateway, { format });
    const depth = client.depth(['AAPL', 'MSFT'], { levels: 100 });
    const resyncs: Resync[] = [];
    const errors: string[] = [];
    let changes = 0;
    depth.on('resync', resync => resyncs.push(resync)).on('change', () => changes++);
    client.on('error', ({ message }) => errors.push(message));
    await until(() => changes > 1000, 30_000, 'a thousand changes');
    expect(resyncs).toEqual([]);
    expect(errors).toEqual([]);
  });
});

describe('R34 what a gateway refuses', () => {
  it('R34 is told to the stream that asked for it', async () => {
    const { gateway } = await market({ SYMBOLS: 'AAPL' });
    const client = newClient(gateway);
    await expect(client.quotes(['NOPE']).ready).rejects.toMatchObject({ code: 'invalid_symbol' });
    const partly = client.quotes(['AAPL', 'NADA']);
    const refused: unknown[] = [];
    partly.on('error', ({ code, names }) => refused.push([code, names]));
    await partly.ready;
    await until(() => refused.length > 0);
    expect(refused).toEqual([['invalid_symbol', ['NADA']]]);
    expect(partly.names).toEqual(['AAPL']);
  });

  it('R34 J8 before the upgrade is seen as what ws says of it, then as the reason that ends the client', async () => {
    const gateway = await gatewayWith();
    const client = newClient(gateway, { token: 'no token at all' });
    const ended = new Promise(resolve => client.on('closed', resolve));
    await until(() => client.status.attempts > 0);
    expect(client.status.lastError).toMatchObject({ code: 'connection_failed', isRetried: true });
    expect(client.status.lastError?.message).toContain('401');
    expect(await ended).toMatchObject({ code: 4501, reason: expect.stringContaining('the token was refused') });
    expect(client.status.state).toBe('closed');
  });
});

describe('R34 rooms and orders', () => {
  it('R34 what one member publishes into a room comes to all members in one order', async () => {
    const { gateway } = await market();
    const alice = newClient(gateway).rooms('desk-7');
    const bob = newClient(gateway, { token: () => testToken({ sub: 'bob' }), format: 'msgpack' }).rooms('desk-7');
    const seen = [followed(alice), followed(bob)];
    await Promise.all([alice.ready, bob.ready]);
    const places = await Promise.all([alice.publish({ n: 1 }), bob.publish({ n: 2 }), alice.publish({ n: 3 })]);
    await until(() => seen.every(({ events }) => events.length === 3), 30_000, 'three messages for both');
    const [first, second] = seen.map(({ events }) =>
      events.map(({ seq, message }) => [seq, message.from, message.data]),
    );
    expect(first).toEqual(second);
    expect(first?.map(([seq]) => seq).sort()).toEqual(places.map(({ seq }) => seq).sort());
    expect(new Set(first?.map(([, from]) => from))).toEqual(new Set(['alice', 'bob']));
  });

  it('R34 a publication that is interrupted is published once', async () => {
    const { gateway } = await market();
    const client = newClient(gateway);
    const room = client.rooms('desk-7');
    const { events } = followed(room);
    await room.ready;
    for (let n = 0; n < 5; n++) {
      const published = room.publish({ n });
      sockets.at(-1)?.terminate();
      await published;
    }
    await room.publish('the last');
    await until(() => events.at(-1)?.message.data === 'the last', RECOVERY_TIMEOUT_MS, 'the last message');
    expect(events.map(({ message }) => message.data)).toEqual(
      [0, 1, 2, 3, 4].map(n => ({ n })).concat('the last' as never),
    );
  });

  it('R34 nobody gets the orders of another', async () => {
    const { gateway, publisher } = await market();
    const alice = newClient(gateway).orders();
    const bob = newClient(gateway, { token: () => testToken({ sub: 'bob' }) }).orders();
    const [forAlice, forBob] = [followed(alice), followed(bob)];
    await Promise.all([alice.ready, bob.ready]);
    expect(alice.names).toEqual(['alice']);
    publisher.put('orders.alice', orderUpdate('alice', 1));
    publisher.put('orders.bob', orderUpdate('bob', 2));
    await until(() => forAlice.events.length === 1 && forBob.events.length === 1);
    expect(forAlice.events[0]?.message.order_id).toBe('o1');
    expect(forBob.events[0]?.message.order_id).toBe('o2');
  });

  it('R34 without a credential neither is given', async () => {
    const { gateway } = await market();
    const client = newClient(gateway, { token: undefined });
    await expect(client.orders().ready).rejects.toMatchObject({ code: 'unauthorized' });
    await expect(client.rooms('desk-7').publish(1)).rejects.toMatchObject({ code: 'unauthorized' });
  });
});

describe('R34 credentials', () => {
  it('R34 a token that expires is replaced without a reconnect', async () => {
    const { gateway, publisher } = await market({ SYMBOLS: 'AAPL' });
    const tokens: string[] = [];
    const token = async () => {
      const next = await testToken({ ttlMs: tokens.length === 0 ? 4_000 : 3_600_000 });
      tokens.push(next);
      return next;
    };
    const client = newClient(gateway, { token });
    const codes: string[] = [];
    client.on('warning', ({ code }) => codes.push(code));
    const quotes = client.quotes(['AAPL']);
    await quotes.ready;
    await until(() => tokens.length === 2, 30_000, 'the client asks for another token before the expiry');
    expect(codes).toEqual(['token_expiring']);
    const isRefused = () => refusedUpgrade(`${gateway.url}/ws?token=${tokens[0]}`).then(({ status }) => status === 401);
    await until(isRefused, 30_000, 'the first token is expired');
    expect(client.status).toMatchObject({ state: 'open', attempts: 0, lastError: undefined });
    publisher.put('md.quotes.AAPL', quote('AAPL', 7));
    await until(() => quotes.get('AAPL')?.current_price === 7);
  });

  it('R34 a revoked credential ends the client, with the reason', async () => {
    const { gateway, publisher } = await market({ SYMBOLS: 'AAPL' });
    const client = newClient(gateway);
    const quotes = client.quotes(['AAPL']);
    await quotes.ready;
    const closings: number[] = [];
    client.on('closed', ({ code }) => closings.push(code));
    publisher.nats.publish('control.revoke', JSON.stringify({ sub: 'alice' }));
    await until(() => closings.length > 0, 30_000, 'the client is told');
    expect(closings).toEqual([4500]);
    expect(client.status.state).toBe('closed');
    expect(quotes.isClosed).toBe(true);
  });
});
