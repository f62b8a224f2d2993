/** Publisher payload → plain object. JSON and MessagePack are told apart by the first byte. */
import { Unpackr } from 'msgpackr';
import type { RejectReason } from '../protocol/batch.js';
import { isPlainMsgpack } from '../protocol/msgpack.js';

export type PlainObject = { readonly [key: string]: unknown };

/**
 * Largest publisher message, in bytes: a book of thousands of levels fits, a mistake does not. Six times as much (every
 * character escaped) still fits one frame of the ring.
 */
export const PAYLOAD_BYTES_MAX = 256 * 1024;

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });

/** Decodes `bytes[start..start+size)`; a string result is the reason of the refusal. Never throws. */
export function decodePayload(
  bytes: Buffer,
  start: number,
  size: number,
  bytesMax: number,
): PlainObject | RejectReason {
  if (size > bytesMax) return 'too_large';
  if (size === 0) return 'invalid_encoding';
  const end = start + size;
  const first = bytes[start] ?? 0;
  let value: unknown;
  if (isJsonStart(first)) {
    try {
      value = JSON.parse(bytes.toString('utf8', start, end));
    } catch {
      return 'invalid_json';
    }
  } else if (isMapStart(first)) {
    if (!isPlainMsgpack(bytes, start, end)) return 'invalid_msgpack';
    try {
      value = unpackr.unpack(bytes.subarray(start, end));
    } catch {
      return 'invalid_msgpack';
    }
  } else {
    return 'invalid_encoding';
  }
  return isPlainObject(value) ? value : 'not_an_object';
}

function isPlainObject(value: unknown): value is PlainObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Object.hasOwn(value, '__proto__');
}

/** `{`, `[` or JSON white space. */
function isJsonStart(byte: number): boolean {
  return byte === 0x7b || byte === 0x5b || byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** fixmap, map 16, map 32. */
function isMapStart(byte: number): boolean {
  return (byte & 0xf0) === 0x80 || byte === 0xde || byte === 0xdf;
}

/** A finite number, or a text that holds one: what a price or quantity of a quote or a trade may be. */
export function isAmount(value: unknown): value is number | string {
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value === 'string' && value.length > 0 && value.length <= 40 && Number.isFinite(Number(value));
}
