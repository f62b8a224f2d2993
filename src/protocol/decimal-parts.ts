/** A decimal number's text in parts: digits without zeros at either end, and their power of ten. */
export interface DecimalParts {
  readonly isNegative: boolean;
  /** '' for zero. */
  readonly digits: string;
  /** 0 for zero. */
  readonly exponent: number;
}

/** A decimal's sign, digits before and after its dot, and power of ten; all digits may be missing. */
export const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;

/** Undefined if the text is not a decimal number. Sign, zeros, dot and exponent may have any form. */
export function decimalParts(text: string): DecimalParts | undefined {
  const match = DECIMAL.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', power = '0'] = match;
  if (whole.length + fraction.length === 0) return undefined;
  const all = whole + fraction;
  let start = 0;
  let end = all.length;
  while (start < end && all.charCodeAt(start) === ZERO) start++;
  while (end > start && all.charCodeAt(end - 1) === ZERO) end--;
  if (start === end) return { isNegative: false, digits: '', exponent: 0 };
  const exponent = Number(power) - fraction.length + (all.length - end);
  return { isNegative: sign === '-', digits: all.slice(start, end), exponent };
}

const ZERO = 0x30;
