import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SYMBOL_BYTES_MAX } from '../../../src/protocol/content-limits.js';
import {
  CHANNELS,
  isSymbol,
  parseSubject,
  pointerToken,
  SOURCE_KINDS,
  STREAMS,
  sourceKindOf,
  subjectOf,
  symbolMatcher,
  topicOf,
} from '../../../src/protocol/topics.js';

describe('isSymbol', () => {
  it.each([
    'AAPL',
    '币安人生USDT',
    'Ä',
    '💹',
    'constructor',
    'BTC/USDT',
    'BRK.B',
    'ES=F',
    '^GSPC',
    'a:b',
    'x'.repeat(SYMBOL_BYTES_MAX),
  ])('accepts %s', text => {
    expect(isSymbol(text)).toBe(true);
  });

  it.each([
    ['empty text', ''],
    ['129 characters', 'x'.repeat(SYMBOL_BYTES_MAX + 1)],
    ['a space', 'A B'],
    ['a control character', 'A\n'],
    ['DEL', 'A\x7f'],
    ['an NATS wildcard *', 'A*'],
    ['an NATS wildcard >', '>'],
    ['a leading dot', '.A'],
    ['a trailing dot', 'A.'],
    ['an empty token', 'A..B'],
    ['half of a UTF-16 pair', '\ud83d'],
    ['a blank outside ASCII', 'A\u00a0B'],
    ['a control character outside ASCII', 'A\u0085'],
    ['more bytes than characters', '币'.repeat(43)],
    ['a number', 7],
  ])('refuses %s', (_, value) => {
    expect(isSymbol(value)).toBe(false);
  });
});

describe('parseSubject', () => {
  const NAMED_FREELY = SOURCE_KINDS.filter(kind => kind !== 'analytics');
  const symbol = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 20 }).filter(isSymbol);

  it('gives back what subjectOf was made of', () => {
    fc.assert(
      fc.property(fc.constantFrom(...NAMED_FREELY), symbol, (kind, name) => {
        expect(parseSubject(subjectOf(kind, name))).toEqual({ kind, symbol: name });
      }),
    );
  });

  it('R25 knows the four channels of analytics, and no others', () => {
    for (const channel of Object.keys(CHANNELS)) {
      expect(parseSubject(`analytics.${channel}`)).toEqual({ kind: 'analytics', symbol: channel });
    }
    expect(parseSubject('analytics.gossip')).toBeUndefined();
  });

  it.each([
    '',
    'md',
    'md.',
    'md.quotes',
    'md.quotes.',
    'md.depth.AAPL',
    'md.orders.alice',
    'quotes.AAPL',
    'orders.',
    'control.revoke',
    'md.quotes.A..B',
    'MD.quotes.A',
  ])('refuses %j', subject => {
    expect(parseSubject(subject)).toBeUndefined();
  });
});

describe('topics and sources', () => {
  it('serves orderbook and depth from one source', () => {
    const kinds = ['quotes', 'trades', 'books', 'books', 'orders', 'analytics', 'rooms'];
    expect(STREAMS.map(sourceKindOf)).toEqual(kinds);
  });

  it('names a topic stream:symbol', () => {
    expect(topicOf('depth', 'BTC/USDT')).toBe('depth:BTC/USDT');
  });

  it('escapes a symbol for JSON Pointer as RFC 6901 says', () => {
    expect(pointerToken('BTC/USDT')).toBe('BTC~1USDT');
    expect(pointerToken('a~1b')).toBe('a~01b');
  });
});

describe('symbolMatcher', () => {
  it.each([
    ['AAPL', 'AAPL', true],
    ['AAPL', 'AAPLX', false],
    ['*', 'anything', true],
    ['BTC/*', 'BTC/USDT', true],
    ['BTC/*', 'BTC/', true],
    ['BTC/*', 'XBTC/USDT', false],
    ['*/USDT', 'BTC/USDT', true],
    ['A*A', 'A', false],
    ['A*A', 'AA', true],
    ['A*B*C', 'AxxByyC', true],
    ['A*B*C', 'AxxCyyB', false],
    ['.', 'x', false],
  ])('matches %s against %s: %s', (pattern, symbol, expected) => {
    expect(symbolMatcher([pattern])(symbol)).toBe(expected);
  });

  it('matches when any of several patterns does', () => {
    const matches = symbolMatcher(['AAPL', 'BTC/*']);
    expect(['AAPL', 'BTC/EUR', 'MSFT'].map(matches)).toEqual([true, true, false]);
  });

  it('agrees with the regular expression that the pattern stands for', () => {
    const text = (alphabet: string) =>
      fc.array(fc.constantFrom(...alphabet), { minLength: 1, maxLength: 8 }).map(list => list.join(''));
    fc.assert(
      fc.property(text('ab*'), text('ab'), (pattern, symbol) => {
        const regular = new RegExp(`^${pattern.replaceAll('*', '.*')}$`);
        expect(symbolMatcher([pattern])(symbol)).toBe(regular.test(symbol));
      }),
      { numRuns: 3000 },
    );
  });

  it('stays linear for a pattern that would make backtracking explode', () => {
    const matches = symbolMatcher([`${'*a'.repeat(30)}*b`]);
    expect(matches('a'.repeat(SYMBOL_BYTES_MAX))).toBe(false);
  });
});
