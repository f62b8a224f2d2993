import { describe, expect, it } from 'vitest';
import { BooksSource } from '../../../src/encoder/books-source.js';
import { FrameEncoder } from '../../../src/encoder/frame-encoder.js';
import { QuotesSource } from '../../../src/encoder/quotes-source.js';
import { readWrittenOut } from '../../../src/protocol/amount.js';
import { parseExact } from '../../../src/protocol/exact-json.js';
import { createDoorbells, createRing, RingWriter } from '../../../src/threads/ring.js';

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

describe('R74 a captured document', () => {
  it('R74 has as many levels as clients can see, and says whether it is held back', () => {
    const one = new BooksSource(1, 'A', out(), () => undefined);
    expect(one.capture()).toBeUndefined();
    const side = (from: number) => Array.from({ length: 150 }, (_, n) => [`${from + n}`, '1']);
    const book = { symbol: 'A', bids: side(1), asks: side(1000), snapshot: true, timestamp: '2026-01-01T00:00:00Z' };
    one.beginEpoch('e1');
    one.data(book, { ...at, seq: 7, tsEventMicros: 5 }, false);
    const captured = one.capture();
    expect(captured).toMatchObject({ epoch: 'e1', seq: 7, tsEventMicros: 5, hold: null });
    const document = JSON.parse(captured?.text ?? '') as { bids: string[][]; asks: string[][]; snapshot: boolean };
    expect([document.bids.length, document.asks.length, document.snapshot]).toEqual([100, 100, true]);
    expect([document.bids[0], document.asks[0]]).toEqual([
      ['150', '1'],
      ['1000', '1'],
    ]);
    one.lost('publisher_gap');
    expect(one.capture()).toMatchObject({ seq: 7, hold: { reason: 'publisher_gap' } });
  });

  it('R74 of a quote has what was merged, and stays that of its epoch until the next one has a document', () => {
    const one = new QuotesSource(1, 'A', out(), () => undefined);
    one.beginEpoch('e1');
    one.data({ symbol: 'A', bid: '1.50', ask: 2 }, at, false);
    one.data({ symbol: 'A', ask: 3, partial: true }, { ...at, seq: 2 }, false);
    one.beginEpoch('e2');
    const captured = one.capture();
    expect(captured).toMatchObject({ epoch: 'e1', seq: 2 });
    expect(JSON.parse(captured?.text ?? '')).toMatchObject({ symbol: 'A', bid: '1.50', ask: 3 });
  });
});

describe('D3: what rebuilds a source', () => {
  const read = (text: string) => parseExact(text) as Record<string, unknown>;

  it.each(['1e64', '1e-64', '1.50e-64', 5e-324, 1e300])('holds the amount %s as it was accepted', amount => {
    const book = { symbol: 'A', bids: [[amount, '1']], asks: [], snapshot: true };
    const quote = { symbol: 'A', bid: amount };
    for (const { Source, message } of [
      { Source: BooksSource, message: book },
      { Source: QuotesSource, message: quote },
    ]) {
      const one = new Source(1, 'A', out(), () => undefined);
      expect(one.data(message, at, false)).toBe('applied');
      const { text } = one.checkpoint(true) ?? { text: '' };
      const other = new Source(1, 'A', out(), () => undefined);
      expect(readWrittenOut(() => other.data(read(text), at, true))).toBe('applied');
      expect(other.checkpoint(true)?.text).toBe(text);
    }
  });

  it('says when the newest message of the book was published, or came', () => {
    const book = { symbol: 'A', bids: [['1', '1']], asks: [], snapshot: true };
    const one = new BooksSource(1, 'A', out(), () => undefined);
    const times = { ...at, tsEventMicros: 1_700_000_000_123_456 };
    one.data(book, times, false);
    const checkpoint = one.checkpoint(true);
    expect(checkpoint?.tsEventMicros).toBe(times.tsEventMicros);
    expect(read(checkpoint?.text ?? '').timestamp).toBe('2023-11-14T22:13:20.123Z');
  });
});
