/**
 * Amounts: a price, a quantity or a ratio, wherever one is published, stored or requested.
 *
 * A JSON number, a MessagePack integer or float, or text: an optional sign, digits with an optional fraction, an
 * optional exponent. Plain text (digits, one dot between digits, a leading minus) stays unchanged. Other forms are
 * written out, without exponent or plus, with a digit on both sides of the dot; trailing zeros stay. Zero has no sign.
 * `null` and `""` mean that there is no value.
 */
import { DECIMAL } from './decimal-parts.js';
import { ExactNumber } from './exact-number.js';

/** Most digits of an amount's text, including leading zeros. */
export const AMOUNT_DIGITS_MAX = 64;
/** Largest exponent that it may be written with, positive or negative. Zero may have any. */
export const AMOUNT_EXPONENT_MAX = 64;
/** Longest text that is examined: digits, an exponent and their marks. */
const TEXT_LENGTH_MAX = 256;

/** An amount as clients receive it. */
export type Amount = number | bigint | string | ExactNumber;

/** The input was accepted before, and written out by this module: see {@link readWrittenOut}. */
let isWrittenOut = false;

/**
 * Runs `read` on data whose amounts this module has written out: they may have more digits than a publisher's (`1e64`
 * has 65, and a double up to 325).
 */
export function readWrittenOut<Result>(read: () => Result): Result {
  isWrittenOut = true;
  try {
    return read();
  } finally {
    isWrittenOut = false;
  }
}

const DOT = 0x2e;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;

/** The amount as clients receive it; null: there is no value; undefined: it is not an amount. */
export function normalAmount(value: unknown): Amount | null | undefined {
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value) ? value : undefined;
    case 'string':
      if (value === '') return null;
      return isPlain(value) ? value : writtenOut(value);
    case 'bigint':
      return writtenOut(String(value)) === undefined ? undefined : value;
    default:
      if (value === null) return null;
      return value instanceof ExactNumber ? plainExact(value) : undefined;
  }
}

/** Without an exponent: MessagePack carries it as text, which must be plain. */
function plainExact(value: ExactNumber): ExactNumber | undefined {
  const plain = writtenOut(value.text);
  if (plain === undefined) return undefined;
  return plain === value.text ? value : new ExactNumber(plain);
}

/** Like {@link normalAmount}, for amounts that cannot be negative. */
export function normalQuantity(value: unknown): Amount | null | undefined {
  const amount = normalAmount(value);
  return amount === undefined || amount === null || !isNegative(amount) ? amount : undefined;
}

/** The amount as a plain decimal text; undefined: it is not an amount, or there is no value. */
export function decimalOf(value: unknown): string | undefined {
  if (typeof value === 'string') return isPlain(value) ? value : writtenOut(value);
  const amount = normalAmount(value);
  if (amount === undefined || amount === null) return undefined;
  return typeof amount === 'number' ? plainNumber(amount) : writtenOut(String(amount));
}

/** Whether a normalized amount is below zero. */
function isNegative(amount: Amount): boolean {
  return typeof amount === 'number' || typeof amount === 'bigint' ? amount < 0 : String(amount).startsWith('-');
}

/**
 * True for digits with at most one dot between digits and at most one leading minus, no more than `AMOUNT_DIGITS_MAX`
 * of them; false for a zero with a minus.
 */
function isPlain(text: string): boolean {
  const { length } = text;
  if (length === 0 || (length > AMOUNT_DIGITS_MAX + 2 && !isWrittenOut)) return false;
  const start = text.charCodeAt(0) === MINUS ? 1 : 0;
  let dotAt = -1;
  let isZero = true;
  for (let i = start; i < length; i++) {
    const c = text.charCodeAt(i);
    if (c >= ZERO && c <= NINE) {
      if (c !== ZERO) isZero = false;
    } else if (c === DOT && dotAt < 0) {
      dotAt = i;
    } else {
      return false;
    }
  }
  const digits = length - start - (dotAt < 0 ? 0 : 1);
  if (dotAt === start || dotAt === length - 1 || digits === 0 || (digits > AMOUNT_DIGITS_MAX && !isWrittenOut))
    return false;
  return start === 0 || !isZero;
}

/** Any form of an amount's text, written plainly; undefined if it is not an amount. */
function writtenOut(text: string): string | undefined {
  if (text.length > TEXT_LENGTH_MAX) return undefined;
  const match = DECIMAL.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', power] = match;
  const digits = whole + fraction;
  if (digits.length === 0 || digits.length > AMOUNT_DIGITS_MAX) return undefined;
  const isZero = !/[1-9]/.test(digits);
  const exponent = power === undefined ? 0 : Number(power);
  if (Math.abs(exponent) > AMOUNT_EXPONENT_MAX) return isZero ? '0' : undefined;
  const plain = placed(digits, whole.length + exponent, power === undefined);
  return sign === '-' && !isZero ? `-${plain}` : plain;
}

/** A double without an exponent, in JavaScript's shortest digits for it. */
function plainNumber(value: number): string {
  const text = String(value);
  if (!text.includes('e')) return value === 0 ? '0' : text;
  const [, sign = '', whole = '', fraction = '', power] = DECIMAL.exec(text) ?? [];
  return sign + placed(whole + fraction, whole.length + Number(power), false);
}

/**
 * The digits with a dot after the first `point` of them.
 * @param keepsZeros keep leading zeros, which the sender wrote
 */
function placed(digits: string, point: number, keepsZeros: boolean): string {
  const filled = digits.padEnd(point, '0');
  const before = point > 0 ? filled.slice(0, point) : '';
  const after = point > 0 ? filled.slice(point) : '0'.repeat(-point) + filled;
  const whole = keepsZeros ? before : before.replace(/^0+(?=\d)/, '');
  return (whole === '' ? '0' : whole) + (after === '' ? '' : `.${after}`);
}
