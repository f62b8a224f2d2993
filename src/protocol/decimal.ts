/**
 * Decimal text as a number: prices and quantities that arrive as strings are compared exactly and never become floats.
 */

/** Longest decimal text accepted, dot included. */
export const DECIMAL_LENGTH_MAX = 40;

const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;

/** True for digits with at most one dot between digits (`0`, `150.25`, `007.10`): no sign, no exponent, at most 40 characters. */
export function isDecimal(text: unknown): text is string {
  if (typeof text !== 'string' || text.length === 0 || text.length > DECIMAL_LENGTH_MAX) return false;
  let dotAt = -1;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c >= ZERO && c <= NINE) continue;
    if (c !== DOT || dotAt >= 0) return false;
    dotAt = i;
  }
  return dotAt !== 0 && dotAt !== text.length - 1;
}

/** True when the decimal is zero, however written (`0`, `0.000`). The text must satisfy {@link isDecimal}. */
export function isZeroDecimal(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c !== ZERO && c !== DOT) return false;
  }
  return true;
}

/**
 * Compares two texts that satisfy {@link isDecimal} by value: negative when a < b, 0 when equal (`1.50` and `01.5`),
 * positive when a > b. Exact at any length; allocates nothing.
 */
export function compareDecimal(a: string, b: string): number {
  if (a === b) return 0;
  if (a.charCodeAt(0) === ZERO || b.charCodeAt(0) === ZERO) return compareParts(a, b);
  const shorter = Math.min(a.length, b.length);
  let isFraction = false;
  let at = 0;
  for (; at < shorter; at++) {
    const c = a.charCodeAt(at);
    if (c !== b.charCodeAt(at)) break;
    if (c === DOT) isFraction = true;
  }
  // Where neither has ended, the first digits that differ decide, unless one has more digits before its dot.
  if (at === shorter) return compareParts(a, b);
  if (!isFraction) {
    const lengths = integerEnd(a, at) - integerEnd(b, at);
    if (lengths !== 0) return lengths;
  }
  return a.charCodeAt(at) - b.charCodeAt(at);
}

/** The general way: numbers may begin with zeros, and be longer than each other. */
function compareParts(a: string, b: string): number {
  const aDot = integerEnd(a, 0);
  const bDot = integerEnd(b, 0);
  let i = leadingZeros(a, aDot);
  let j = leadingZeros(b, bDot);
  const lengths = aDot - i - (bDot - j);
  if (lengths !== 0) return lengths;
  while (i < aDot) {
    const difference = a.charCodeAt(i++) - b.charCodeAt(j++);
    if (difference !== 0) return difference;
  }
  i = aDot + 1;
  j = bDot + 1;
  while (i < a.length || j < b.length) {
    const digitA = i < a.length ? a.charCodeAt(i++) : ZERO;
    const digitB = j < b.length ? b.charCodeAt(j++) : ZERO;
    if (digitA !== digitB) return digitA - digitB;
  }
  return 0;
}

function integerEnd(text: string, start: number): number {
  let end = start;
  while (end < text.length && text.charCodeAt(end) !== DOT) end++;
  return end;
}

function leadingZeros(text: string, end: number): number {
  let i = 0;
  while (i < end && text.charCodeAt(i) === ZERO) i++;
  return i;
}
