/** From the encoder's ring to the books of FIX clients, under losses, pauses, changes of class and holds. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FixBooksMarket, fixBooksStep, runStep } from '../../../support/fix-books-market.js';
import { positionsIn, TestJournal } from '../../../support/fix-journal.js';

const topOf = (side: Map<number, number>, sign: number, levels: number): [string, string][] =>
  [...side]
    .sort(([a], [b]) => (a - b) * sign)
    .slice(0, levels)
    .map(([price, size]) => [String(price), String(size)]);

describe('R73 the books of FIX clients', () => {
  it('R73 end as the encoder’s, whatever was lost, paused, conflated or held back in between, and the journal knows each message', () => {
    fc.assert(
      fc.property(fc.array(fixBooksStep, { maxLength: 60 }), steps => {
        const journal = new TestJournal();
        const market = new FixBooksMarket(journal);
        for (const each of steps) runStep(market, each);
        market.settle();
        for (const { books, levels: wanted } of market.clients) {
          for (const [id, book] of books) {
            const levels = wanted.get(id) || 100;
            expect(book.levels, id).toEqual({
              bids: topOf(market.bids, -1, levels),
              offers: topOf(market.asks, 1, levels),
            });
          }
        }
        for (const [i, { market: data, got }] of market.clients.entries()) {
          data.close(false);
          expect(journal.gotBy(`c${i}`)).toEqual(positionsIn(got));
        }
      }),
      { numRuns: 1000 },
    );
  });
});
