import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isSymbol,
  parseSubject,
  pointerToken,
  SOURCE_KINDS,
  STREAMS,
  SYMBOL_LENGTH_MAX,
  sourceKindOf,
  subjectOf,
  symbolMatcher,
  topicOf,
} from '../../../src/protocol/topics.js';

describe('isSymbol', () => {
  it.each(['AAPL', 'BTC/USDT', 'BRK.B', 'ES=F', '^GSPC', 'a:b', 'x'.repeat(SYMBOL_LENGTH_MAX)])('accepts %s', text => {
    expect(isSymbol(text)).toBe(true);
  });

  it.each([
    ['empty text', ''],
    ['65 characters', 'x'.repeat(SYMBOL_LENGTH_MAX + 1)],
    ['a space', 'A B'],
    ['a control character', 'A\n'],
    ['DEL', 'A\x7f'],
    ['an NATS wildcard *', 'A*'],
    ['an NATS wildcard >', '>'],
    ['a leading dot', '.A'],
    ['a trailing dot', 'A.'],
    ['an empty token', 'A..B'],
    ['a letter outside ASCII', 'Ä'],
    ['a number', 7],
  ])('refuses %s', (_, value) => {
    expect(isSymbol(value)).toBe(false);
  });
});

describe('parseSubject', () => {
  const symbol = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 20 }).filter(isSymbol);

  it('gives back what subjectOf was made of', () => {
    fc.assert(
      fc.property(fc.constantFrom(...SOURCE_KINDS), symbol, (kind, name) => {
        expect(parseSubject(subjectOf(kind, name))).toEqual({ kind, symbol: name });
      }),
    );
  });

  it.each([
    '',
    'md',
    'md.',
    'md.quotes',
    'md.quotes.',
    'md.depth.AAPL',
    'orders.alice',
    'md.quotes.A..B',
    'MD.quotes.A',
  ])('refuses %j', subject => {
    expect(parseSubject(subject)).toBeUndefined();
  });
});

describe('topics and sources', () => {
  it('serves orderbook and depth from one source', () => {
    expect(STREAMS.map(sourceKindOf)).toEqual(['quotes', 'trades', 'books', 'books']);
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
    expect(matches('a'.repeat(SYMBOL_LENGTH_MAX))).toBe(false);
  });
});
