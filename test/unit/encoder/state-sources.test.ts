import { describe, expect, it } from 'vitest';
import { BooksSource } from '../../../src/encoder/books-source.js';
import { FrameEncoder } from '../../../src/encoder/frame-encoder.js';
import { QuotesSource } from '../../../src/encoder/quotes-source.js';
import { createDoorbells, createRing, RingWriter } from '../../../src/protocol/ring.js';

const out = () => new FrameEncoder(new RingWriter(createRing(64 * 1024), createDoorbells(1)), () => 0);
const at = { seq: 1, tsEventMicros: 0, hubMicros: 0, bytes: 0 };

describe.each([
  {
    kind: 'quotes',
    source: () => new QuotesSource(1, 'A', out(), () => undefined),
    whole: { symbol: 'A', current_price: 1, bid: 1 },
    change: { symbol: 'A', bid: 2, partial: true },
    refused: { symbol: 'A', bid: 'no number', partial: true },
  },
  {
    kind: 'books',
    source: () => new BooksSource(1, 'A', out(), () => undefined),
    whole: { symbol: 'A', bids: [['1', '1']], asks: [['2', '1']], snapshot: true },
    change: { symbol: 'A', bids: [['1', '2']] },
    refused: { symbol: 'A', bids: [['no number', '2']] },
  },
])('R4 R7: $kind after messages were lost', ({ source, whole, change, refused }) => {
  it('change nothing until there is a whole message, also where what comes next is refused', () => {
    const one = source();
    const take = (value: object) => one.data(value as Record<string, unknown>, at, false);
    expect(take(change)).toBe('no_base');
    expect([take(whole), take(change)]).toEqual(['applied', 'applied']);
    one.lost('publisher_gap');
    expect([take(refused), take(change), take(change)]).toEqual(['invalid_field', 'no_base', 'no_base']);
    expect([take(whole), take(change)]).toEqual(['applied', 'applied']);
    one.lost('publisher_gap');
    expect([take(whole), take(change)]).toEqual(['applied', 'applied']);
  });
});
