/** Amounts of a market as text. A text is exact and keeps its digits. */
import type { Numeric } from '../../client/index.js';
import { UNKNOWN } from '../format.js';

const DIGITS = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 8 });
const SIGNED = new Intl.NumberFormat('en', {
  minimumFractionDigits: 2,
  maximumFractionDigits: 2,
  signDisplay: 'exceptZero',
});

const THOUSANDS = /\B(?=(\d{3})+$)/g;

/** With grouped digits. */
export function amount(value: Numeric | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN;
  if (typeof value !== 'string') return DIGITS.format(value);
  const [whole = '', ...fraction] = value.split('.');
  return [whole.replace(THOUSANDS, ','), ...fraction].join('.');
}

/** With its sign, to two digits. */
export function signed(value: Numeric | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN;
  return SIGNED.format(Number(value)).replace('-', '−');
}
