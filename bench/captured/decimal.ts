/** Decimal texts in any form, compared by value and exactly. */

/** Digits behind the dot that are told apart: the contract's largest exponent and its digits. */
const SCALE = 128;
const DECIMAL = /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/;

/** The value, times 10^128, which is a whole number for every amount of the contract. @throws {RangeError} for other texts */
export function scaled(text: string): bigint {
  const match = DECIMAL.exec(text);
  const [, sign, whole = '', fraction = '', power = '0'] = match ?? [];
  if (match === null || whole.length + fraction.length === 0) throw new RangeError(`${text} is no decimal number`);
  const digits = BigInt(whole + fraction);
  if (digits === 0n) return 0n;
  const shift = SCALE + Number(power) - fraction.length;
  if (shift < 0 || shift > 4 * SCALE) throw new RangeError(`${text} is beyond what is compared`);
  const value = digits * 10n ** BigInt(shift);
  return sign === '-' ? -value : value;
}

/** One text for each value: plain, without zeros at either end. */
export function canonical(text: string): string {
  const value = scaled(text);
  const digits = (value < 0n ? -value : value).toString().padStart(SCALE + 1, '0');
  const fraction = digits.slice(-SCALE).replace(/0+$/, '');
  return `${value < 0n ? '-' : ''}${digits.slice(0, -SCALE)}${fraction === '' ? '' : `.${fraction}`}`;
}

export function isDecimalText(text: string): boolean {
  try {
    scaled(text);
    return true;
  } catch {
    return false;
  }
}

interface DecimalValue {
  /** See {@link scaled}. */
  readonly scaled: bigint;
  /** See {@link canonical}. */
  readonly canonical: string;
}

/** Texts that are remembered; a book has the same ones again and again. */
const REMEMBERED_MAX = 200_000;

/** Values of texts, worked out once. */
export class DecimalValues {
  readonly #values = new Map<string, DecimalValue>();

  /** @throws {RangeError} for what is no decimal number */
  of(text: string): DecimalValue {
    let value = this.#values.get(text);
    if (value === undefined) {
      value = { scaled: scaled(text), canonical: canonical(text) };
      if (this.#values.size >= REMEMBERED_MAX) this.#values.clear();
      this.#values.set(text, value);
    }
    return value;
  }
}
