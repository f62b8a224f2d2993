/**
 * Numbers that a JavaScript double would alter. Whole ones are `bigint`; a decimal with more digits than a double holds, or
 * with an exponent beyond its range, is an `ExactNumber`. All others stay `number`.
 */
import { type DecimalParts, decimalParts } from './decimal-parts.js';

/** A JSON number, kept as its digits. JSON carries them as they came, MessagePack as text. */
export class ExactNumber {
  /** As RFC 8259 writes a number. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** `JSON.stringify` cannot write digits as they are: `stringifyExact` can, and is told by this that it has to. */
  toJSON(): never {
    throw new TypeError('an exact number needs stringifyExact');
  }

  toString(): string {
    return this.text;
  }
}

/** Digits of the longest whole number that is made a bigint. Beyond it, a number is kept as text. */
const BIGINT_DIGITS_MAX = 400;

/** The value of a JSON number's text: a number where that is exact, else a bigint or an `ExactNumber`. */
export function numberOf(text: string): number | bigint | ExactNumber {
  const value = Number(text);
  if (isWhole(text)) {
    if (Number.isSafeInteger(value)) return value;
    return text.length > BIGINT_DIGITS_MAX ? new ExactNumber(text) : BigInt(text);
  }
  const parts = decimalParts(text);
  if (parts === undefined || isKept(value, parts)) return value;
  const length = parts.digits.length + parts.exponent;
  if (parts.exponent < 0 || length > BIGINT_DIGITS_MAX) return new ExactNumber(text);
  const whole = BigInt(parts.digits + '0'.repeat(parts.exponent));
  return parts.isNegative ? -whole : whole;
}

/** True when the double's own digits mean the same decimal. */
function isKept(value: number, { digits, exponent }: DecimalParts): boolean {
  if (!Number.isFinite(value)) return false;
  const written = decimalParts(String(value));
  return written?.digits === digits && written.exponent === exponent;
}

function isWhole(text: string): boolean {
  return !/[.eE]/.test(text);
}
