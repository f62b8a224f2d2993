/** Publisher payload → plain object, exactly. JSON and MessagePack are told apart by the first byte. */
import { isUtf8 } from 'node:buffer';
import type { RejectReason } from '../protocol/batch.js';
import { LONG_DIGITS, parseLong } from '../protocol/exact-json.js';
import { MsgpackError, MsgpackReader } from '../protocol/msgpack-reader.js';

export type PlainObject = { readonly [key: string]: unknown };

const REVERSE_SOLIDUS = 0x5c;
const PLUS = 0x2b;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LOWER_E = 0x65;
const LOWER = 0x20;
const FIRST_NON_ASCII = 0x80;

/** An escape of half a UTF-16 pair, which may lack its other half. */
const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;
/** A half without the other. */
const LONE_SURROGATE = /\p{Surrogate}/u;

const msgpack = new MsgpackReader();

/** Decodes `bytes[start..start+size)`; a string result is the reason of the refusal. Never throws. */
export function decodePayload(
  bytes: Buffer,
  start: number,
  size: number,
  bytesMax: number,
): PlainObject | RejectReason {
  if (size > bytesMax) return 'too_large';
  const end = start + size;
  const begin = hasByteOrderMark(bytes, start, end) ? start + 3 : start;
  const first = begin < end ? (bytes[begin] ?? 0) : 0;
  let value: unknown;
  try {
    if (isJsonStart(first)) {
      const decoded = decodeJson(bytes, begin, end);
      if (decoded === INVALID) return 'invalid_encoding';
      value = decoded;
    } else if (isMapStart(first)) {
      value = msgpack.read(bytes, begin, end);
    } else {
      return 'invalid_encoding';
    }
  } catch (cause) {
    if (cause instanceof MsgpackError) return cause.fault;
    return isMapStart(first) ? 'invalid_msgpack' : 'invalid_json';
  }
  return isPlainObject(value) ? value : 'not_an_object';
}

const INVALID = Symbol('invalid text');

/**
 * Looks at each byte once: what is plain ASCII without long numbers, as almost all is, takes the platform's shortest way.
 * @throws {SyntaxError}
 */
function decodeJson(bytes: Buffer, start: number, end: number): unknown {
  let seen = 0;
  let digits = 0;
  let isLong = false;
  let hasEscape = false;
  for (let i = start; i < end; i++) {
    const c = bytes[i] as number;
    seen |= c;
    if (c >= ZERO && c <= NINE) {
      if (++digits >= LONG_DIGITS) isLong = true;
    } else if (c !== DOT) {
      if (c === REVERSE_SOLIDUS) hasEscape = true;
      else if (digits > 0 && (c | LOWER) === LOWER_E && hasLongExponent(bytes, i + 1, end)) isLong = true;
      digits = 0;
    }
  }
  const isAscii = seen < FIRST_NON_ASCII;
  if (!isAscii && !isUtf8(bytes.subarray(start, end))) return INVALID;
  const text = bytes.toString(isAscii ? 'latin1' : 'utf8', start, end);
  const value = isLong ? parseLong(text) : JSON.parse(text);
  return hasEscape && SURROGATE_ESCAPE.test(text) && !isWellFormed(value) ? INVALID : value;
}

/** Three digits: beyond what a double holds, or at its end, where it holds fewer. */
function hasLongExponent(bytes: Buffer, start: number, end: number): boolean {
  const sign = bytes[start];
  const first = sign === PLUS || sign === MINUS ? start + 1 : start;
  if (first + 3 > end) return false;
  for (let i = first; i < first + 3; i++) {
    const c = bytes[i] as number;
    if (c < ZERO || c > NINE) return false;
  }
  return true;
}

function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return !LONE_SURROGATE.test(value);
  if (typeof value !== 'object' || value === null) return true;
  for (const [name, member] of Object.entries(value)) {
    if (LONE_SURROGATE.test(name) || !isWellFormed(member)) return false;
  }
  return true;
}

function isPlainObject(value: unknown): value is PlainObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Object.hasOwn(value, '__proto__');
}

function hasByteOrderMark(bytes: Buffer, start: number, end: number): boolean {
  return end - start >= 3 && bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf;
}

/** `{`, `[` or JSON white space. */
function isJsonStart(byte: number): boolean {
  return byte === 0x7b || byte === 0x5b || byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** fixmap, map 16, map 32. */
function isMapStart(byte: number): boolean {
  return (byte & 0xf0) === 0x80 || byte === 0xde || byte === 0xdf;
}
