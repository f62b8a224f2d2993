/**
 * JSON whose numbers keep their value. `JSON.parse` silently rounds what a double cannot hold; here such numbers become
 * a `bigint` or an `ExactNumber`. Texts without them, which is almost all, go straight to the platform's parser and
 * writer.
 */
import { ExactNumber, numberOf } from './exact-number.js';

/** From this many consecutive digits on, not counting dots, a double may not hold a number. */
const LONG_DIGITS = 16;

const QUOTATION_MARK = 0x22;
const REVERSE_SOLIDUS = 0x5c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
/** Three digits: beyond the range of a double, or at its end, where precision shrinks. */
const LONG_EXPONENT = /\d[eE][+-]?\d{3}/;
/** Digits and exponents that a double may not hold. */
const LONG_NUMBERS = /[\d.]{16,}[eE]?|\d[eE][+-]?\d{3}/g;
/** Sixteen digits that fit a double, as in a time in µs, which every frame may contain. */
const SAFE_DIGITS = /^\d{16}$/;
const SAFE_MAX = String(Number.MAX_SAFE_INTEGER);

const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/**
 * Like `JSON.parse`, but exact.
 * @throws {SyntaxError}
 */
export function parseExact(text: string): unknown {
  return mayHoldLongNumber(text) ? parseLong(text) : JSON.parse(text);
}

/** Like `JSON.stringify`, but exact. Undefined if that returns undefined. */
export function stringifyExact(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    // It refuses a bigint or an exact number; what cannot be written at all throws here, too.
    return written(value) as string;
  }
}

/** False for almost all JSON: `JSON.parse` alone reads it exactly. Lookalikes inside a text count, too. */
export function mayHoldLongNumber(text: string): boolean {
  if (!mayHoldDigitRow(text) && !LONG_EXPONENT.test(text)) return false;
  const found = text.match(LONG_NUMBERS);
  return found !== null && !found.every(digits => SAFE_DIGITS.test(digits) && digits <= SAFE_MAX);
}

/**
 * Steps through the text so that any `LONG_DIGITS` in a row contain two checked characters with nothing else between
 * them.
 */
function mayHoldDigitRow(text: string): boolean {
  let wasDigit = false;
  for (let at = 0; at < text.length; at += LONG_DIGITS / 2) {
    const isDigit = isDigitOrDot(text.charCodeAt(at));
    if (isDigit && wasDigit && areDigits(text, at - LONG_DIGITS / 2, at)) return true;
    wasDigit = isDigit;
  }
  return false;
}

function areDigits(text: string, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (!isDigitOrDot(text.charCodeAt(i))) return false;
  return true;
}

const isDigitOrDot = (c: number): boolean => (c >= ZERO && c <= NINE) || c === DOT;

/**
 * Parses a text with long numbers: passes them to the platform's parser as marked texts, and converts these to numbers
 * afterwards.
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
      // The parser refuses a lone minus, and zeros that JSON does not allow.
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

/** A number directly followed by anything else, such as `1x`, is not JSON. */
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

/** A prefix that no sender can predict. */
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
