/** Publisher payload → plain object, without loss. The first byte tells JSON from MessagePack. */
import { isUtf8 } from 'node:buffer';
import { parseExact } from '../protocol/exact-json.js';
import { MsgpackError, MsgpackReader } from '../protocol/msgpack-reader.js';
import type { RejectReason } from '../threads/batch.js';

export type PlainObject = { readonly [key: string]: unknown };

const REPLACEMENT = '\ufffd';
/** An escaped half of a UTF-16 pair, whose other half may be missing. */
const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;
/** One half without the other. */
const LONE_SURROGATE = /\p{Surrogate}/u;

const msgpack = new MsgpackReader();

/** Decodes `bytes[start..start+size)`; a string result is the reason for a refusal. Never throws. */
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

/** @throws {SyntaxError} */
function decodeJson(bytes: Buffer, start: number, end: number): unknown {
  const text = bytes.toString('utf8', start, end);
  // Invalid UTF-8 decodes to this character, but a publisher may also have sent it.
  if (text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(start, end))) return INVALID;
  const value = parseExact(text);
  return text.includes('\\') && SURROGATE_ESCAPE.test(text) && !isWellFormed(value) ? INVALID : value;
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
