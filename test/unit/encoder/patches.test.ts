import fc from 'fast-check';
import { applyPatch } from 'rfc6902';
import { describe, expect, it } from 'vitest';
import type { LevelOperation } from '../../../src/encoder/book.js';
import { DepthPatch } from '../../../src/encoder/depth-patch.js';
import { patchBeginnings, type Quote, QuotePatch } from '../../../src/encoder/quote-patch.js';
import { isSymbol } from '../../../src/protocol/topics.js';

const SYMBOL_CHARS = [...'AZ09/~"\\.-'];
const symbols = fc
  .array(fc.constantFrom(...SYMBOL_CHARS), { minLength: 1, maxLength: 8 })
  .map(chars => chars.join(''))
  .filter(isSymbol);
const names = fc.oneof(
  fc.constantFrom('bid', 'ask', 'last_updated', 'toString', 'a/b', 'a~b', 'quo"te', 'é', '価格', '\u2028', '\ud800'),
  fc.string({ maxLength: 6 }).filter(name => name !== '__proto__'),
);
const values = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.boolean(),
  fc.constant(null),
  fc.array(fc.integer(), { maxLength: 3 }),
);
const quotes: fc.Arbitrary<Quote> = fc.dictionary(names, values, { maxKeys: 6 });

describe('R7: the change of a quote', () => {
  it('is the same written out and as members, and leads from one quote to the other', () => {
    fc.assert(
      fc.property(symbols, quotes, quotes, fc.nat(), (symbol, from, to, seq) => {
        const patch = new QuotePatch(from, to, patchBeginnings(symbol, 'e"1'), seq, seq + 1);
        // What a client reads: no -0, no lone surrogates.
        const read = JSON.parse(JSON.stringify(patch.members()));
        expect(JSON.parse(patch.json())).toEqual(read);
        expect(patch.json()).toBe(JSON.stringify(patch.members()));
        const document = { quotes: { [symbol]: JSON.parse(JSON.stringify(from)) } };
        const failures = applyPatch(document, read.operations).filter(failure => failure !== null);
        expect(failures).toEqual([]);
        expect(document.quotes[symbol]).toEqual(JSON.parse(JSON.stringify(to)));
        expect(patch.isEmpty).toBe(read.operations.length === 0);
      }),
      { numRuns: 500 },
    );
  });

  it('adds what was not there, replaces what was, and removes what is gone', () => {
    const beginnings = patchBeginnings('BTC/USDT', 'e1');
    const patch = new QuotePatch({ bid: 1, ask: 2, note: 'x' }, { bid: 1, ask: 3, venue: 'N' }, beginnings, 4, 5);
    expect(patch.members()).toEqual({
      type: 'quotes_patch',
      symbol: 'BTC/USDT',
      epoch: 'e1',
      prev_seq: 4,
      seq: 5,
      operations: [
        { op: 'replace', path: '/quotes/BTC~1USDT/ask', value: 3 },
        { op: 'add', path: '/quotes/BTC~1USDT/venue', value: 'N' },
        { op: 'remove', path: '/quotes/BTC~1USDT/note' },
      ],
    });
  });
});

describe('R4: the change of a book', () => {
  it('is the same written out and as members', () => {
    const operations: LevelOperation[] = [
      { op: 'replace', path: '/bids/101.50', value: '2.5' },
      { op: 'add', path: '/asks/102.00', value: '1' },
      { op: 'remove', path: '/asks/103.00' },
    ];
    for (const some of [operations, operations.slice(0, 1), []]) {
      const change = { symbol: 'A"B', epoch: 'e"1', prevSeq: 8, seq: 9, operations: some, checksum: 4_294_967_295 };
      const patch = new DepthPatch(change);
      expect(patch.json()).toBe(JSON.stringify(patch.members()));
    }
  });
});
