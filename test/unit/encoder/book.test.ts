import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BookSide } from '../../../src/encoder/book.js';

const prices = fc.integer({ min: 1, max: 30 }).map(price => price.toFixed(2));
const steps = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('set' as const), price: prices, size: fc.constantFrom('1', '2') }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), price: prices }) },
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
            book.set([step.price, step.size]);
            model.set(step.price, step.size);
          } else if (step.do === 'remove') {
            book.remove(step.price);
            model.delete(step.price);
          } else {
            book.clear();
            model.clear();
          }
          const sorted = [...model].sort((a, b) => (Number(a[0]) - Number(b[0])) * (side === 'asks' ? 1 : -1));
          for (const [at, count] of [1, 5, 100].entries()) {
            expect(book.top(count)).toEqual(sorted.slice(0, count));
            // A view that somebody holds is never changed.
            expect(before[at]?.top).toEqual(before[at]?.copy);
          }
        }
      }),
    );
  });

  it('gives the same array again until one of its levels changes', () => {
    const book = new BookSide('asks');
    for (const price of ['1', '2', '3', '4']) book.set([price, '1']);
    const [two, four] = [book.top(2), book.top(4)];
    book.set(['3', '9']);
    expect(book.top(2)).toBe(two);
    expect(book.top(4)).not.toBe(four);
    book.remove('2');
    expect(book.top(2)).not.toBe(two);
  });
});
