/**
 * Numbers that a JavaScript double would alter. Whole ones are `bigint`; a decimal with more digits than a double
 * holds, or with an exponent beyond its range, is an `ExactNumber`. All others stay `number`.
 */
import { type DecimalParts, decimalParts } from './decimal-parts.js';

/** A JSON number, kept as its digits. JSON carries them unchanged, MessagePack as text. */
export class ExactNumber {
  /** As RFC 8259 writes a number. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** `JSON.stringify` cannot write raw digits: this error says to use `stringifyExact`. */
  toJSON(): never {
    throw new TypeError('an exact number needs stringifyExact');
  }

  toString(): string {
    return this.text;
  }
}

/** Most digits of a whole number that becomes a bigint. Longer numbers are kept as text. */
const BIGINT_DIGITS_MAX = 400;

/** The value of a JSON number's text: a number if that is exact, else a bigint or an `ExactNumber`. */
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

/** True if the double's own digits mean the same decimal. */
function isKept(value: number, { digits, exponent }: DecimalParts): boolean {
  if (!Number.isFinite(value)) return false;
  const written = decimalParts(String(value));
  return written?.digits === digits && written.exponent === exponent;
}

function isWhole(text: string): boolean {
  return !/[.eE]/.test(text);
}
