/**
 * Guards the MessagePack decoder: lengths in a message are claims of its sender, and a five-byte message that claims
 * four billion elements must not reach code that allocates what is claimed.
 */

/** Deepest nesting of maps and arrays accepted from outside. */
export const MSGPACK_DEPTH_MAX = 32;

/**
 * True when `bytes[start..end)` is exactly one MessagePack value made of plain types (nil, bool, numbers, str, bin,
 * array, map; no extension), nested at most `MSGPACK_DEPTH_MAX` deep. One pass, no allocation, linear in the bytes.
 * Format: github.com/msgpack/msgpack/blob/master/spec.md
 */
export function isPlainMsgpack(bytes: Uint8Array, start: number, end: number): boolean {
  return skipValue(bytes, start, end, 0) === end;
}

const BAD = -1;

function skipValue(bytes: Uint8Array, at: number, end: number, depth: number): number {
  if (at >= end || depth > MSGPACK_DEPTH_MAX) return BAD;
  const type = bytes[at] ?? 0;
  const next = at + 1;
  if (type < 0x80 || type >= 0xe0) return next;
  if (type < 0x90) return skipItems(bytes, next, end, (type & 0x0f) * 2, depth);
  if (type < 0xa0) return skipItems(bytes, next, end, type & 0x0f, depth);
  if (type < 0xc0) return within(next + (type & 0x1f), end);
  switch (type) {
    case 0xc0: // nil
    case 0xc2: // false
    case 0xc3: // true
      return next;
    case 0xcc: // uint 8
    case 0xd0: // int 8
      return within(next + 1, end);
    case 0xcd: // uint 16
    case 0xd1: // int 16
      return within(next + 2, end);
    case 0xca: // float 32
    case 0xce: // uint 32
    case 0xd2: // int 32
      return within(next + 4, end);
    case 0xcb: // float 64
    case 0xcf: // uint 64
    case 0xd3: // int 64
      return within(next + 8, end);
    case 0xc4: // bin 8
    case 0xd9: // str 8
      return within(next + 1 + lengthAt(bytes, next, 1, end), end);
    case 0xc5: // bin 16
    case 0xda: // str 16
      return within(next + 2 + lengthAt(bytes, next, 2, end), end);
    case 0xc6: // bin 32
    case 0xdb: // str 32
      return within(next + 4 + lengthAt(bytes, next, 4, end), end);
    case 0xdc: // array 16
      return skipItems(bytes, next + 2, end, lengthAt(bytes, next, 2, end), depth);
    case 0xdd: // array 32
      return skipItems(bytes, next + 4, end, lengthAt(bytes, next, 4, end), depth);
    case 0xde: // map 16
      return skipItems(bytes, next + 2, end, lengthAt(bytes, next, 2, end) * 2, depth);
    case 0xdf: // map 32
      return skipItems(bytes, next + 4, end, lengthAt(bytes, next, 4, end) * 2, depth);
    default: // extensions and the unused 0xc1
      return BAD;
  }
}

function skipItems(bytes: Uint8Array, start: number, end: number, count: number, depth: number): number {
  // An item takes a byte at least, so a claim of more items than bytes is false before the first is looked at.
  if (count > end - start) return BAD;
  let at = start;
  for (let i = 0; i < count; i++) {
    at = skipValue(bytes, at, end, depth + 1);
    if (at === BAD) return BAD;
  }
  return at;
}

function within(at: number, end: number): number {
  return at <= end ? at : BAD;
}

/** Big-endian unsigned length of 1, 2 or 4 bytes; past the end it is larger than anything that fits. */
function lengthAt(bytes: Uint8Array, at: number, size: number, end: number): number {
  if (at + size > end) return Number.MAX_SAFE_INTEGER;
  let length = 0;
  for (let i = 0; i < size; i++) length = length * 256 + (bytes[at + i] ?? 0);
  return length;
}
