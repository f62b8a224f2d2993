/**
 * JSON whose numbers keep their value. `JSON.parse` silently rounds what a double cannot hold; here such numbers
 * become a `bigint` or an `ExactNumber`. Texts without them, almost all, take the platform's own parser and writer as they are.
 */
import { ExactNumber, numberOf } from './exact-number.js';

/** Digits in a row, dots left out, from which on a double may not hold a number. */
export const LONG_DIGITS = 16;

const QUOTATION_MARK = 0x22;
const REVERSE_SOLIDUS = 0x5c;
const PLUS = 0x2b;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LOWER_E = 0x65;
/** Turns an ASCII letter into its lower case. */
const LOWER = 0x20;

const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/**
 * As `JSON.parse`, exact.
 * @throws {SyntaxError}
 */
export function parseExact(text: string): unknown {
  return mayHoldLongNumber(text) ? parseLong(text) : JSON.parse(text);
}

/** As `JSON.stringify`, exact. Undefined where that gives undefined. */
export function stringifyExact(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    // A bigint or an exact number, which it refuses; or what cannot be written at all, which throws here, too.
    return written(value) as string;
  }
}

/** True where a number may have more digits, or a longer exponent, than a double is sure to hold. Texts count, too. */
export function mayHoldLongNumber(text: string): boolean {
  let digits = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c >= ZERO && c <= NINE) {
      if (++digits >= LONG_DIGITS) return true;
    } else if (c !== DOT) {
      if (digits > 0 && (c | LOWER) === LOWER_E && hasLongExponent(text, i + 1)) return true;
      digits = 0;
    }
  }
  return false;
}

/** Three digits: beyond what a double holds, or at its end, where it holds fewer. */
function hasLongExponent(text: string, start: number): boolean {
  const sign = text.charCodeAt(start);
  const first = sign === PLUS || sign === MINUS ? start + 1 : start;
  for (let i = first; i < first + 3; i++) {
    const c = text.charCodeAt(i);
    if (!(c >= ZERO && c <= NINE)) return false;
  }
  return true;
}

/**
 * Parses a text with long numbers: the platform's parser is given them as texts that begin with a mark, and they are made
 * numbers behind it.
 */
export function parseLong(text: string): unknown {
  const mark = newMark();
  let marked = '';
  let copied = 0;
  for (let i = 0; i < text.length; ) {
    const c = text.charCodeAt(i);
    if (c === QUOTATION_MARK) {
      i = endOfString(text, i + 1);
    } else if (c === MINUS || (c >= ZERO && c <= NINE)) {
      NUMBER.lastIndex = i;
      const digits = NUMBER.exec(text)?.[0] ?? '';
      // A lone minus is left to the parser, which refuses it; so are zeros that JSON does not allow.
      const end = i + Math.max(1, digits.length);
      if (typeof numberOf(digits) !== 'number' && !/^-?0\d/.test(digits) && !isPartOfName(text, end)) {
        marked += `${text.slice(copied, i)}"${mark}${digits}"`;
        copied = end;
      }
      i = end;
    } else {
      i++;
    }
  }
  if (copied === 0) return JSON.parse(text);
  return JSON.parse(marked + text.slice(copied), (_name, value: unknown) =>
    typeof value === 'string' && value.startsWith(mark) ? numberOf(value.slice(mark.length)) : value,
  );
}

/** A number that something follows directly, such as `1x`, is no JSON. */
function isPartOfName(text: string, end: number): boolean {
  return end < text.length && /[\w.+-]/.test(text.charAt(end));
}

function endOfString(text: string, start: number): number {
  let i = start;
  while (i < text.length) {
    const c = text.charCodeAt(i++);
    if (c === QUOTATION_MARK) return i;
    if (c === REVERSE_SOLIDUS) i++;
  }
  return i;
}

/** Begins no text that a sender could foresee. */
function newMark(): string {
  return `${Math.random().toString(36)}${Math.random().toString(36)}:`;
}

function written(value: unknown): string | undefined {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof ExactNumber) return value.text;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(item => written(item) ?? 'null').join(',')}]`;
  if ('toJSON' in value && typeof value.toJSON === 'function') return written(value.toJSON());
  const members: string[] = [];
  for (const [name, member] of Object.entries(value)) {
    const text = written(member);
    if (text !== undefined) members.push(`${JSON.stringify(name)}:${text}`);
  }
  return `{${members.join(',')}}`;
}
