/** Which products a credential grants. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Product } from '../../../../src/auth/product.js';
import { overlapOutside, patternsOverlap } from '../../../../src/journal/usage/patterns.js';
import { EntitledProducts } from '../../../../src/journal/usage/product-months.js';

const PRODUCT: Product = {
  code: 'XLON-L2',
  vendor: 'LSEG',
  topics: ['depth:*.L'],
  timeZone: 'Europe/London',
  holidays: [],
  delayMs: undefined,
  use: undefined,
  professional: undefined,
};
const OTHER: Product = { ...PRODUCT, code: 'XLON-T', topics: ['trades:*.L'] };
const NO_STATUS = { professional: undefined, use: undefined };

describe('R74 an entitlement', () => {
  it.each([
    ['*', 'VOD.L', true],
    ['*.L', 'VOD.*', true],
    ['*.L', 'VOD.N', false],
    ['BTC/*', '*/USD', true],
    ['a*b', 'b*a', false],
    ['', '*', true],
    ['*x*', 'y', false],
    ['VOD.L', 'VOD.L', true],
  ])('R74 for %j and a product of %j overlap: %s', (one, other, overlap) => {
    expect([patternsOverlap(one, other), patternsOverlap(other, one)]).toEqual([overlap, overlap]);
  });

  it('R74 grants a product for its use and its status only', () => {
    const limited = new EntitledProducts([{ ...PRODUCT, use: 'display', professional: false }]);
    const of = (professional: boolean | undefined, use: string | undefined) =>
      limited.of({ entitlements: ['depth:VOD.L'], reserved: [] }, { professional, use });
    expect([of(false, 'display'), of(true, 'display'), of(undefined, 'display'), of(false, undefined)]).toEqual([
      [0],
      [],
      [],
      [],
    ]);
    expect(new EntitledProducts([OTHER]).of({ entitlements: ['trades:full'], reserved: [] }, NO_STATUS)).toEqual([0]);
  });

  it('R74 grants nothing of a product whose topics also belong to one that the status does not fit', () => {
    const narrow = { ...OTHER, topics: ['depth:VOD.*'], professional: true };
    const of = (text: string) =>
      new EntitledProducts([PRODUCT, narrow]).of({ entitlements: [text], reserved: [] }, NO_STATUS);
    expect([of('depth:VOD.L'), of('depth:*')]).toEqual([[], [0]]);
  });

  it.each([
    [['depth:*'], []],
    [['depth:VOD.L'], [0]],
    [['depth:*.L'], []],
    [['depth:A*', 'depth:B*'], [0]],
    [['orderbook:*', 'trades:*'], [0]],
  ])('R74 that POLICY_FILE keeps %j of for other roles grants the products %j', (reserved, found) => {
    expect(new EntitledProducts([PRODUCT]).of({ entitlements: ['depth:*'], reserved }, NO_STATUS)).toEqual(found);
  });

  it('R74 outside of reserved patterns is found as by trying all short names', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '*'), minLength: 1, maxLength: 4 });
    const matches = (pattern: string, name: string) => new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(name);
    const letters = ['', 'a', 'b', 'c'];
    const names = letters.flatMap(one => letters.flatMap(two => letters.map(three => one + two + three)));
    const long = [...new Set(names.flatMap(name => names.map(other => name + other)))];
    fc.assert(
      fc.property(text, text, fc.array(text, { maxLength: 3 }), (one, other, excluded) => {
        const isFound = long.some(
          name => matches(one, name) && matches(other, name) && !excluded.some(pattern => matches(pattern, name)),
        );
        expect([overlapOutside(one, other, excluded), overlapOutside(other, one, excluded)]).toEqual([
          isFound,
          isFound,
        ]);
      }),
      { numRuns: 300 },
    );
  });
});
