import { describe, expect, it } from 'vitest';
import {
  ANONYMOUS,
  type Credential,
  compileEntitlements,
  NO_POLICY,
  type TopicPolicy,
} from '../../../src/auth/credential.js';
import { STREAMS } from '../../../src/protocol/topics.js';

function credentialOf(more: Partial<Credential> = {}): Credential {
  const none = { issuedAtMs: undefined, jti: undefined, apiKeyId: undefined };
  return { sub: 'alice', tier: 'retail', roles: [], entitlements: undefined, expiresAtMs: 0, ...none, ...more };
}

const DEFAULTS = ['quotes:*', 'trades:*', 'orderbook:*', 'depth:*', 'orders:*'];
const compile = (credential: Credential, policy: TopicPolicy = NO_POLICY) =>
  compileEntitlements(credential, policy, DEFAULTS);
const entitled = (entitlements: readonly string[] | undefined) => compile(credentialOf({ entitlements }));
const MARKET_DATA = ['quotes', 'trades', 'orderbook', 'depth'] as const;

describe('R32 entitlements', () => {
  it('I2 are the defaults when the credential has none: market data and its own orders, not the full view of trades', () => {
    const all = entitled(undefined);
    expect(MARKET_DATA.filter(stream => all.maySubscribe(stream, 'AAPL'))).toEqual(MARKET_DATA);
    expect(all.maySubscribe('trades', '*')).toBe(true);
    expect(all.maySubscribe('orders', 'alice')).toBe(true);
    expect(all.maySubscribe('orders', 'bob')).toBe(false);
    expect(all.maySubscribe('analytics', 'alerts')).toBe(false);
    expect(all.maySubscribe('rooms', 'desk-7')).toBe(false);
    expect(all.hasFullTrades).toBe(false);
  });

  it('open nothing when the list is empty', () => {
    const none = entitled([]);
    expect(STREAMS.filter(stream => none.maySubscribe(stream, 'alice'))).toEqual([]);
  });

  it('are for the stream they name and no other', () => {
    const books = entitled(['orderbook:AAPL']);
    expect(STREAMS.filter(stream => books.maySubscribe(stream, 'AAPL'))).toEqual(['orderbook']);
    expect(books.maySubscribe('orderbook', 'MSFT')).toBe(false);
  });

  it('take * for any characters within a pattern', () => {
    const some = entitled(['quotes:BTC/*', 'quotes:A*L', 'depth:*', 'rooms:desk-*']);
    expect(some.maySubscribe('quotes', 'BTC/USDT')).toBe(true);
    expect(some.maySubscribe('quotes', 'AAPL')).toBe(true);
    expect(some.maySubscribe('quotes', 'AAPLX')).toBe(false);
    expect(some.maySubscribe('depth', 'anything')).toBe(true);
    expect(some.maySubscribe('rooms', 'desk-7')).toBe(true);
    expect(some.maySubscribe('rooms', 'board')).toBe(false);
  });

  it('open all symbols at once only to a pattern for all', () => {
    expect(entitled(['trades:*']).maySubscribe('trades', '*')).toBe(true);
    expect(entitled(['trades:A*', 'trades:*A']).maySubscribe('trades', '*')).toBe(false);
    expect(entitled(['trades:AAPL']).maySubscribe('trades', '*')).toBe(false);
  });

  it.each(['*', '>', 'desk.*', 'desk.>', 'a b', ''])('never open a room of the name %j', name => {
    expect(entitled(undefined).maySubscribe('rooms', name)).toBe(false);
    expect(entitled(['rooms:*']).maySubscribe('rooms', name)).toBe(false);
  });
});

describe('R22 R32 orders', () => {
  it('are open to their own user when the credential has no list', () => {
    expect(entitled(undefined).maySubscribe('orders', 'alice')).toBe(true);
    expect(entitled(undefined).maySubscribe('orders', 'bob')).toBe(false);
  });

  it('need a pattern that matches the user where there is a list', () => {
    expect(entitled(['orders:*']).maySubscribe('orders', 'alice')).toBe(true);
    expect(entitled(['orders:al*']).maySubscribe('orders', 'alice')).toBe(true);
    expect(entitled(['quotes:*', 'orders:bob']).maySubscribe('orders', 'alice')).toBe(false);
  });

  it.each(['orders:bob', 'orders:*'])('of another user are closed, even to %s', text => {
    expect(entitled([text]).maySubscribe('orders', 'bob')).toBe(false);
    expect(entitled([text]).maySubscribe('orders', '*')).toBe(false);
  });

  it.each(['*', '>', 'a.*', 'a b', 'alice\n', 'José', 'CN=John Smith,O=Foo', 'spiffe://example.org/ns/x'])(
    'K12: are open to a user who is called %j, and to nobody else',
    sub => {
      for (const entitlements of [undefined, ['orders:*'], [`orders:${sub}`]]) {
        expect(compile(credentialOf({ sub, entitlements })).maySubscribe('orders', sub)).toBe(true);
        expect(compile(credentialOf({ entitlements })).maySubscribe('orders', sub)).toBe(false);
      }
    },
  );

  it.each(['', 'x'.repeat(513), '\ud83d'])('K12: are closed to %j, which is no user', sub => {
    expect(compile(credentialOf({ sub })).maySubscribe('orders', sub)).toBe(false);
  });
});

describe('R32 roles that the policy demands', () => {
  const policy: TopicPolicy = {
    allows: (roles, stream, name) => stream !== 'analytics' || name === 'alerts' || roles.includes('risk'),
    requires: () => [],
    reserves: () => [],
    grants: () => [],
  };
  const may = (roles: readonly string[], entitlements?: readonly string[]) => {
    const compiled = compile(credentialOf({ roles, entitlements }), policy);
    return (channel: string) => compiled.maySubscribe('analytics', channel);
  };

  it('are needed besides the entitlement', () => {
    expect(may([], ['analytics:*'])('exposure-updates')).toBe(false);
    expect(may(['risk'], ['analytics:*'])('exposure-updates')).toBe(true);
    expect(may(['risk'], ['quotes:*'])('exposure-updates')).toBe(false);
    expect(may([], ['analytics:*'])('alerts')).toBe(true);
  });

  it('I1 add the entitlements that the policy grants them, to those of the credential or to the defaults', () => {
    const granting: TopicPolicy = {
      ...NO_POLICY,
      grants: roles => (roles.includes('risk') ? ['analytics:alerts'] : []),
    };
    const risk = compile(credentialOf({ roles: ['risk'] }), granting);
    expect(risk.maySubscribe('analytics', 'alerts')).toBe(true);
    expect(risk.maySubscribe('quotes', 'AAPL')).toBe(true);
    expect(compile(credentialOf({ roles: ['risk'], entitlements: [] }), granting).maySubscribe('quotes', 'A')).toBe(
      false,
    );
    expect(compile(credentialOf({ roles: ['desk'] }), granting).maySubscribe('analytics', 'alerts')).toBe(false);
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

describe('R32 an anonymous connection', () => {
  const anonymous = compile(ANONYMOUS);

  it('may see trades, best levels and depth, and nothing else', () => {
    expect(STREAMS.filter(stream => anonymous.maySubscribe(stream, 'AAPL'))).toEqual(['trades', 'orderbook', 'depth']);
    expect(anonymous.maySubscribe('analytics', 'alerts')).toBe(false);
    expect(anonymous.maySubscribe('orders', '')).toBe(false);
    expect(anonymous.maySubscribe('trades', '*')).toBe(true);
    expect(anonymous.hasFullTrades).toBe(false);
  });

  it('sees no more whatever it is entitled to', () => {
    for (const entitlements of [undefined, STREAMS.map(stream => `${stream}:*`)]) {
      const generous = compile({ ...ANONYMOUS, entitlements });
      expect(STREAMS.filter(stream => generous.maySubscribe(stream, 'alerts'))).toEqual([
        'trades',
        'orderbook',
        'depth',
      ]);
    }
  });

  it('is retail, nobody, and never expires', () => {
    expect(ANONYMOUS).toMatchObject({ sub: '', tier: 'retail', roles: [], jti: undefined, apiKeyId: undefined });
    expect(ANONYMOUS.expiresAtMs).toBe(Number.POSITIVE_INFINITY);
  });
});
