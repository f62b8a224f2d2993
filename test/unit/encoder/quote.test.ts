import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { EMPTY_QUOTE, mergeQuote, objectOf, type Quote, readQuote } from '../../../src/encoder/quote.js';

const names = fc.constantFrom('symbol', 'bid', 'ask', 'volume', 'venue', 'note', 'toString', '1', 'é');
const messages = fc.record({
  isPartial: fc.boolean(),
  members: fc.dictionary(names, fc.nat(), { maxKeys: 6 }),
});

function accepted(quote: Quote | 'invalid_field'): Quote {
  if (quote === 'invalid_field') throw new Error('refused');
  return quote;
}

describe('R7: a quote in columns', () => {
  it('shares its fields with all that have the same in the same order', async () => {
    // A module of its own: only so many orders of fields are remembered, and other tests' messages have any.
    vi.resetModules();
    const { readQuote, mergeQuote } = await import('../../../src/encoder/quote.js');
    const first = accepted(readQuote({ symbol: 'A', bid: 1, ask: 2 }, []));
    const next = accepted(readQuote({ symbol: 'A', bid: 2, ask: 3 }, first.layout));
    const stranger = accepted(readQuote({ symbol: 'B', bid: 1, ask: 2 }, []));
    const merged = accepted(mergeQuote(first, { ask: 4, bid: 3, partial: true }));
    for (const other of [next, stranger, merged]) expect(other.layout).toBe(first.layout);
    expect(accepted(readQuote({ symbol: 'A', ask: 2, bid: 1 }, first.layout)).layout).not.toBe(first.layout);
    expect(accepted(readQuote({ symbol: 'A', bid: 1 }, first.layout)).layout).not.toBe(first.layout);
  });

  it('is what its messages say, one after another, in the order in which the members came', () => {
    fc.assert(
      fc.property(fc.array(messages, { maxLength: 8 }), all => {
        let quote = EMPTY_QUOTE;
        let model: Record<string, unknown> = {};
        for (const { isPartial, members } of all) {
          const before = structuredClone(quote.values);
          const held = quote;
          quote = accepted(
            isPartial ? mergeQuote(quote, { ...members, partial: true }) : readQuote(members, quote.layout),
          );
          model = isPartial ? { ...model, ...members } : members;
          expect(objectOf(quote)).toEqual(model);
          // A quote that somebody holds is never changed.
          expect(held.values).toEqual(before);
        }
      }),
    );
  });

  it('has 64 members at most, with names of 128 characters, and own values of 4096', () => {
    const members = (from: number, count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`own${from + i}`, i]));
    const full = accepted(readQuote(members(0, 64), []));
    expect(readQuote(members(0, 65), [])).toBe('invalid_field');
    expect(readQuote(members(0, 65), full.layout)).toBe('invalid_field');
    expect(mergeQuote(full, members(0, 64))).not.toBe('invalid_field');
    expect(mergeQuote(full, members(64, 1))).toBe('invalid_field');
    for (const read of [
      readQuote.bind(null, { ['n'.repeat(129)]: 1 }, []),
      () => mergeQuote(full, { ['n'.repeat(129)]: 1 }),
    ]) {
      expect(read()).toBe('invalid_field');
    }
    expect(readQuote({ note: 'x'.repeat(4096) }, [])).not.toBe('invalid_field');
    expect(readQuote({ note: 'x'.repeat(4097) }, [])).toBe('invalid_field');
    expect(mergeQuote(EMPTY_QUOTE, { bid: 'no number' })).toBe('invalid_field');
    expect(mergeQuote(EMPTY_QUOTE, { last_updated: 5 })).toBe('invalid_field');
  });
});
