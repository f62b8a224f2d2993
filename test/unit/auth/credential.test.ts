import { describe, expect, it } from 'vitest';
import { ANONYMOUS, type Credential, compileEntitlements, isEntitlement } from '../../../src/auth/credential.js';
import { STREAMS } from '../../../src/protocol/topics.js';

function entitled(entitlements: readonly string[] | undefined) {
  const credential: Credential = { sub: 'u', tier: 'retail', roles: [], entitlements, expiresAtMs: 0, jti: undefined };
  return compileEntitlements(credential);
}

describe('entitlements', () => {
  it('open every public stream when the credential has none, but not the full view of trades', () => {
    const all = entitled(undefined);
    expect(STREAMS.map(stream => all.maySubscribe(stream, 'AAPL'))).toEqual([true, true, true, true]);
    expect(all.maySubscribe('trades', '*')).toBe(true);
    expect(all.hasFullTrades).toBe(false);
  });

  it('open nothing when the list is empty', () => {
    const none = entitled([]);
    expect(STREAMS.map(stream => none.maySubscribe(stream, 'AAPL'))).toEqual([false, false, false, false]);
  });

  it('are for the stream they name and no other', () => {
    const books = entitled(['orderbook:AAPL']);
    expect(STREAMS.filter(stream => books.maySubscribe(stream, 'AAPL'))).toEqual(['orderbook']);
    expect(books.maySubscribe('orderbook', 'MSFT')).toBe(false);
  });

  it('take * for any characters within a pattern', () => {
    const some = entitled(['quotes:BTC/*', 'quotes:A*L', 'depth:*']);
    expect(some.maySubscribe('quotes', 'BTC/USDT')).toBe(true);
    expect(some.maySubscribe('quotes', 'AAPL')).toBe(true);
    expect(some.maySubscribe('quotes', 'AAPLX')).toBe(false);
    expect(some.maySubscribe('depth', 'anything')).toBe(true);
  });

  it('open all symbols at once only to a pattern for all', () => {
    expect(entitled(['trades:*']).maySubscribe('trades', '*')).toBe(true);
    expect(entitled(['trades:A*', 'trades:*A']).maySubscribe('trades', '*')).toBe(false);
    expect(entitled(['trades:AAPL']).maySubscribe('trades', '*')).toBe(false);
  });
});

describe('the full view of trades', () => {
  it('comes with the literal trades:full, and with all trades', () => {
    const full = entitled(['trades:full']);
    expect(full.hasFullTrades).toBe(true);
    expect(full.maySubscribe('trades', '*')).toBe(true);
    expect(full.maySubscribe('trades', 'AAPL')).toBe(true);
    expect(full.maySubscribe('quotes', 'AAPL')).toBe(false);
  });

  it.each(['trades:*', 'trades:f*', 'trades:ful*', 'trades:*full', 'orders:full'])('does not come with %s', text => {
    expect(entitled([text]).hasFullTrades).toBe(false);
  });
});

describe('an anonymous connection', () => {
  const anonymous = compileEntitlements(ANONYMOUS);

  it('may see trades, best levels and depth, but no quotes', () => {
    expect(STREAMS.filter(stream => anonymous.maySubscribe(stream, 'AAPL'))).toEqual(['trades', 'orderbook', 'depth']);
    expect(anonymous.maySubscribe('trades', '*')).toBe(true);
    expect(anonymous.hasFullTrades).toBe(false);
  });

  it('is retail, nobody, and never expires', () => {
    expect(ANONYMOUS).toMatchObject({ sub: '', tier: 'retail', roles: [] });
    expect(ANONYMOUS.expiresAtMs).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('isEntitlement', () => {
  it.each([
    'quotes:AAPL',
    'quotes:*',
    'depth:BTC/*',
    'trades:full',
    'orders:alice',
    'analytics:alerts',
    'rooms:desk-*',
  ])('accepts %s', text => {
    expect(isEntitlement(text)).toBe(true);
  });

  it.each([
    '',
    'quotes',
    'quotes:',
    ':AAPL',
    '*:AAPL',
    '*',
    'Quotes:AAPL',
    'futures:ES',
    'quotes:A B',
    'quotes:A\n',
    'quotes:>',
    'quotes:Ä',
    `quotes:${'x'.repeat(257)}`,
    7,
    null,
    ['quotes:*'],
  ])('refuses %j', value => {
    expect(isEntitlement(value)).toBe(false);
  });
});
