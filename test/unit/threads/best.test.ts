import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Best } from '../../../src/threads/best.js';

it('R61 keeps the first of an order, as sorting all of them would', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 })), fc.integer({ min: 1, max: 10 }), (values, max) => {
      const items = values.map((value, at) => ({ value, at }));
      const compare = (a: { value: number; at: number }, b: { value: number; at: number }) =>
        a.value - b.value || a.at - b.at;
      const best = new Best(max, compare);
      for (const item of items) best.add(item);
      expect(best.items).toEqual([...items].sort(compare).slice(0, max));
    }),
  );
});
