import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BookChecksum, BookSide, Level } from '../../../src/encoder/book.js';
import { bookChecksum } from '../../../src/protocol/checksum.js';

const prices = fc.integer({ min: 1, max: 30 }).map(price => price.toFixed(2));
/** Where a price is looked for first: it may be anywhere else. */
const near = fc.nat(35);
const steps = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('set' as const), price: prices, size: fc.constantFrom('1', '2'), near }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), price: prices, near }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const) }) },
);

describe('R4: one side of a book', () => {
  it.each(['bids', 'asks'] as const)('has the best %s on top, in arrays that stay the same while they do', side => {
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 60 }), all => {
        const book = new BookSide(side);
        const model = new Map<string, string>();
        for (const step of all) {
          const before = [1, 5, 100].map(count => ({ top: book.top(count), copy: [...book.top(count)] }));
          if (step.do === 'set') {
            book.set(new Level(step.price, step.size), step.near);
            model.set(step.price, step.size);
          } else if (step.do === 'remove') {
            book.remove(step.price, step.near);
            model.delete(step.price);
          } else {
            book.restore([]);
            model.clear();
          }
          const sorted = [...model].sort((a, b) => (Number(a[0]) - Number(b[0])) * (side === 'asks' ? 1 : -1));
          for (const [at, count] of [1, 5, 100].entries()) {
            expect(book.top(count).map(({ pair }) => pair)).toEqual(sorted.slice(0, count));
            // A view that somebody holds is never changed.
            expect(before[at]?.top).toEqual(before[at]?.copy);
          }
        }
      }),
    );
  });

  it('gives the same array again until one of its levels changes', () => {
    const book = new BookSide('asks');
    for (const price of ['1', '2', '3', '4']) book.set(new Level(price, '1'));
    const [two, four] = [book.top(2), book.top(4)];
    book.set(new Level('3', '9'));
    expect(book.top(2)).toBe(two);
    expect(book.top(4)).not.toBe(four);
    book.remove('2');
    expect(book.top(2)).not.toBe(two);
  });
});

const decimals = fc
  .tuple(fc.nat(99_999), fc.nat(99_999_999), fc.nat(8))
  .map(([whole, part, places]) =>
    places === 0 ? `${whole}` : `${whole}.${String(part).padStart(8, '0').slice(0, places)}`,
  );
const sides = fc.array(fc.tuple(decimals, decimals), { maxLength: 15 });

describe('R4: the checksum of levels that remember what they add', () => {
  it('is that of their texts, however often it is asked for and whatever stands before them', () => {
    fc.assert(
      fc.property(sides, sides, (asks, bids) => {
        const [asked = [], bid = []] = [asks, bids].map(side =>
          side.map(([price, quantity]) => new Level(price, quantity)),
        );
        const checksum = new BookChecksum();
        for (let i = 0; i < 2; i++) expect(checksum.of(asked, bid)).toBe(bookChecksum(asks, bids));
        expect(checksum.of(asked, [])).toBe(bookChecksum(asks, []));
        expect(checksum.of(bid, asked)).toBe(bookChecksum(bids, asks));
      }),
    );
  });
});
