import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareDecimal, isZeroDecimal } from '../../../src/protocol/decimal.js';

const digits = (min: number, max: number) =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength: min, maxLength: max }).map(list => list.map(String).join(''));
const decimalText = fc.oneof(
  digits(1, 40),
  fc.tuple(digits(1, 20), digits(1, 19)).map(([whole, part]) => `${whole}.${part}`),
  // Short texts meet often enough that equal values and shared prefixes are really tried.
  fc
    .tuple(digits(1, 2), digits(1, 2))
    .map(([whole, part]) => `${whole}.${part}`),
);

/** The value times 10^40, computed with BigInt: an independent reference. */
function scaled(text: string): bigint {
  const [whole = '', part = ''] = text.split('.');
  return BigInt(whole + part.padEnd(40, '0'));
}

describe('isZeroDecimal', () => {
  it.each(['0', '00', '0.0', '00.000'])('says that %s is zero', text => {
    expect(isZeroDecimal(text)).toBe(true);
  });

  it.each(['1', '0.01', '10', '0.0001'])('says that %s is not', text => {
    expect(isZeroDecimal(text)).toBe(false);
  });
});

describe('compareDecimal', () => {
  it.each([
    ['1', '1', 0],
    ['1.50', '01.5', 0],
    ['0', '0.000', 0],
    ['9', '10', -1],
    ['0.1', '0.09', 1],
    ['100', '99.999999999999999999', 1],
    ['9007199254740993', '9007199254740992', 1],
    ['0.1000000000000000000000000000000000001', '0.1', 1],
  ])('compares %s with %s by value', (a, b, expected) => {
    expect(Math.sign(compareDecimal(a, b))).toBe(expected);
  });

  it('agrees with a BigInt comparison for any two decimals', () => {
    fc.assert(
      fc.property(decimalText, decimalText, (a, b) => {
        const difference = scaled(a) - scaled(b);
        expect(Math.sign(compareDecimal(a, b))).toBe(difference < 0n ? -1 : difference > 0n ? 1 : 0);
      }),
      { numRuns: 2000 },
    );
  });

  it('ignores zeros that add no value', () => {
    fc.assert(
      fc.property(digits(1, 10), digits(1, 10), (whole, part) => {
        expect(compareDecimal(`${whole}.${part}`, `000${whole}.${part}000`)).toBe(0);
      }),
    );
  });
});
