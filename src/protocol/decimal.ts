/**
 * Plain decimal texts (`150.25`, `-37.630`, `007`: what amount.ts makes of amounts) as numbers, compared exactly at any
 * length. They never become floats.
 */

const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;

/** True when the decimal is zero, however written (`0`, `0.000`). */
export function isZeroDecimal(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c !== ZERO && c !== DOT) return false;
  }
  return true;
}

/**
 * Compares by value: negative when a < b, 0 when equal (`1.50` and `01.5`), positive when a > b. Exact at any length;
 * allocates nothing.
 */
export function compareDecimal(a: string, b: string): number {
  if (a === b) return 0;
  // A minus or a zero.
  if (a.charCodeAt(0) <= ZERO || b.charCodeAt(0) <= ZERO) return compareSigned(a, b);
  const shorter = Math.min(a.length, b.length);
  let isFraction = false;
  let at = 0;
  for (; at < shorter; at++) {
    const c = a.charCodeAt(at);
    if (c !== b.charCodeAt(at)) break;
    if (c === DOT) isFraction = true;
  }
  // If neither has ended, the first different digits decide, unless one has more digits before its dot.
  if (at === shorter) return compareParts(a, b, 0);
  if (!isFraction) {
    const lengths = integerEnd(a, at) - integerEnd(b, at);
    if (lengths !== 0) return lengths;
  }
  return a.charCodeAt(at) - b.charCodeAt(at);
}

function compareSigned(a: string, b: string): number {
  const isNegative = a.charCodeAt(0) === MINUS;
  if (isNegative !== (b.charCodeAt(0) === MINUS)) return isNegative ? -1 : 1;
  return isNegative ? -compareParts(a, b, 1) : compareParts(a, b, 0);
}

/** The general case: numbers may have leading zeros and different lengths. @param start after their signs */
function compareParts(a: string, b: string, start: number): number {
  const aDot = integerEnd(a, start);
  const bDot = integerEnd(b, start);
  let i = leadingZeros(a, start, aDot);
  let j = leadingZeros(b, start, bDot);
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

/** Index of the first digit after a number's leading zeros. */
function leadingZeros(text: string, start: number, end: number): number {
  let i = start;
  while (i < end && text.charCodeAt(i) === ZERO) i++;
  return i;
}
