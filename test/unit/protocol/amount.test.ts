import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AMOUNT_DIGITS_MAX,
  AMOUNT_EXPONENT_MAX,
  decimalOf,
  normalAmount,
  normalQuantity,
} from '../../../src/protocol/amount.js';
import { compareDecimal } from '../../../src/protocol/decimal.js';
import { parseExact, stringifyExact } from '../../../src/protocol/exact-json.js';
import { ExactNumber } from '../../../src/protocol/exact-number.js';
import { foreignPython } from '../../support/foreign/python.js';

const digits = (max: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${max}}$`));
const exponent = fc.integer({ min: -AMOUNT_EXPONENT_MAX, max: AMOUNT_EXPONENT_MAX });
/** Any form of the grammar: signs, a dot at either end, exponents. */
const forms = fc
  .tuple(fc.constantFrom('', '-', '+'), digits(32), fc.option(digits(32)), fc.nat(3), fc.option(exponent))
  .map(([sign, whole, fraction, dots, power]) => {
    const mantissa =
      fraction === null ? (dots === 0 ? `${whole}.` : whole) : dots === 0 ? `.${fraction}` : `${whole}.${fraction}`;
    return (
      sign + mantissa + (power === null ? '' : `${dots === 1 ? 'e' : 'E'}${power > 0 && dots === 2 ? '+' : ''}${power}`)
    );
  });
/** As java.math.BigDecimal's toString writes an unscaled value and a scale. */
const javaTexts = fc
  .tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.integer({ min: -30, max: 40 }))
  .map(bigDecimalText);

function bigDecimalText([unscaled, scale]: [bigint, number]): string {
  const sign = unscaled < 0n ? '-' : '';
  const text = String(unscaled < 0n ? -unscaled : unscaled);
  const adjusted = -scale + text.length - 1;
  if (scale >= 0 && adjusted >= -6) {
    if (scale === 0) return sign + text;
    const padded = text.padStart(scale + 1, '0');
    return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
  }
  const mantissa = text.length > 1 ? `${text[0]}.${text.slice(1)}` : text;
  return `${sign}${mantissa}${adjusted === 0 ? '' : `E${adjusted > 0 ? '+' : ''}${adjusted}`}`;
}

const PROGRAM = `
import json, sys
from decimal import Decimal, getcontext
getcontext().prec = 400
for line in sys.stdin:
    given, written = json.loads(line)
    print(json.dumps([Decimal(given) == Decimal(written), format(Decimal(given), 'f')]))
`;

/** What Python's decimal makes of the texts: whether what was written is the same, and how it would write it. */
function judged(pairs: readonly (readonly [string, string])[]): [boolean, string][] {
  const input = pairs.map(pair => JSON.stringify(pair)).join('\n');
  const { stdout, stderr } = spawnSync(foreignPython(), ['-c', PROGRAM], {
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (stderr !== '') throw new Error(stderr);
  return stdout.trim().split('\n').map(line => JSON.parse(line) as [boolean, string]); // biome-ignore format: one line
}

describe('D3: an amount', () => {
  it('D3 R14: is written plainly, with its value and its zeros, as Python’s decimal has them', () => {
    const texts = [...fc.sample(forms, 3000), ...fc.sample(javaTexts, 2000)];
    const pairs = texts.map(text => [text, decimalOf(text) ?? 'refused'] as const);
    expect(pairs.filter(([, written]) => !/^-?\d+(\.\d+)?$/.test(written))).toEqual([]);
    judged(pairs).forEach(([isSame, plain], i) => {
      const [given, written] = pairs[i] as [string, string];
      expect([given, written, isSame]).toEqual([given, written, true]);
      // The same digits behind the dot.
      expect([given, written.split('.')[1]?.length ?? 0]).toEqual([given, plain.split('.')[1]?.length ?? 0]);
    });
  });

  it('D3: in the forms that Python and Java write is taken everywhere alike', () => {
    const written = { '0E-8': '0.00000000', '1E-7': '0.0000001', '1.5E+3': '1500', '.5': '0.5', '100.': '100', '+1': '1', '-0': '0', '0E+500': '0', '1.50': '1.50', '007': '007' }; // biome-ignore format: one line
    for (const [text, plain] of Object.entries(written)) {
      expect([text, normalAmount(text), normalQuantity(text), decimalOf(text)]).toEqual([text, plain, plain, plain]);
    }
    expect(decimalOf(5e-324)).toBe(`0.${'0'.repeat(323)}5`);
    expect(decimalOf(1.5e300)).toBe(`15${'0'.repeat(299)}`);
    expect([normalAmount(5e-324), normalAmount(2n ** 60n), normalAmount(-1.5)]).toEqual([5e-324, 2n ** 60n, -1.5]);
  });

  it('D18: is refused where it is none', () => {
    const long = '1'.repeat(AMOUNT_DIGITS_MAX + 1);
    const none = ['  ', '0x10', '0b11', ' 5\n', '5 ', '1,5', '1_000', '١', '.', '-', '+', 'e5', '1e', '1e+', '--1', '1.2.3', 'NaN', 'Infinity', '1e65', '1e-65', long, `0.${long}`, [], {}, true, Number.NaN, Number.POSITIVE_INFINITY, undefined]; // biome-ignore format: one line
    for (const value of none)
      expect([value, normalAmount(value), decimalOf(value)]).toEqual([value, undefined, undefined]);
    expect(normalAmount('1'.repeat(AMOUNT_DIGITS_MAX))).toBe('1'.repeat(AMOUNT_DIGITS_MAX));
    expect([normalAmount(''), normalAmount(null), decimalOf(''), decimalOf(null)]).toEqual([
      null,
      null,
      undefined,
      undefined,
    ]);
  });

  it('D12: may be negative, unless it is a quantity', () => {
    for (const value of ['-37.63', -37.63, -(2n ** 60n), new ExactNumber('-0.12345678901234567890')]) {
      expect([normalAmount(value), normalQuantity(value)]).toEqual([value, undefined]);
    }
    expect([normalQuantity('-0'), normalQuantity(-0), normalQuantity('-0e5')]).toEqual(['0', -0, '0']);
  });

  it('D12: decimals are in order whatever their signs', () => {
    const scaled = (text: string) => BigInt(text.replace('.', '').padEnd(text.includes('.') ? text.indexOf('.') + 40 : 0, '0')) * (text.includes('.') ? 1n : 1n); // biome-ignore format: one line
    const plain = fc
      .tuple(fc.constantFrom('', '-'), digits(3), digits(3))
      .map(([sign, whole, part]) => `${sign}${whole}.${part.padEnd(39, '0')}`);
    fc.assert(
      fc.property(plain, plain, (a, b) => {
        const [first, second] = [decimalOf(a) ?? '', decimalOf(b) ?? ''];
        const difference = scaled(a) - scaled(b);
        expect(Math.sign(compareDecimal(first, second)) + 0).toBe(difference > 0n ? 1 : difference < 0n ? -1 : 0);
      }),
    );
  });
});

describe('D4: numbers in JSON', () => {
  it('D4 R14: keep their value, whatever their length and form', () => {
    const numbers = fc
      .tuple(
        fc.constantFrom('', '-'),
        fc.bigInt({ min: 0n, max: 10n ** 25n }),
        fc.option(digits(25)),
        fc.option(fc.integer({ min: -400, max: 400 })),
      )
      .map(
        ([sign, whole, fraction, power]) =>
          `${sign}${whole}${fraction === null ? '' : `.${fraction}`}${power === null ? '' : `e${power}`}`,
      );
    const pairs = fc.sample(numbers, 3000).map(text => [text, stringifyExact(parseExact(text))] as const);
    const wrong = judged(pairs).flatMap(([isSame], i) => (isSame ? [] : [pairs[i]]));
    expect(wrong).toEqual([]);
  });

  it('D4: are what JSON.parse makes of them where a double holds them, and refused where they are none', () => {
    fc.assert(
      fc.property(fc.json(), text => {
        expect(JSON.parse(stringifyExact(parseExact(text)))).toEqual(JSON.parse(text));
      }),
    );
    for (const text of [
      '[01234567890123456789]',
      '12345678901234567890x',
      '[-]',
      '1234567890123456.',
      '[12345678901234567890 1]',
      '"12345678901234567890',
    ]) {
      expect(() => parseExact(text), text).toThrow(SyntaxError);
    }
    const held = parseExact(
      '{"id":8389766145050670869,"s":"8389766145050670870","x":[9007199254740993,0.1234567890123456789]}',
    );
    expect(held).toEqual({ id: 8389766145050670869n, s: '8389766145050670870', x: [9007199254740993n, new ExactNumber('0.1234567890123456789')] }); // biome-ignore format: one line
  });
});
