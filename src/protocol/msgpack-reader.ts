/**
 * Reads MessagePack from outside, exactly: a whole number beyond 2^53 becomes a bigint, a timestamp RFC 3339 text, and
 * invalid UTF-8 is refused. Lengths in a message are only claims of its sender: nothing is allocated because of them.
 * Format: github.com/msgpack/msgpack/blob/master/spec.md
 */
import { timestampText } from './time-text.js';

/** Deepest nesting of maps and arrays accepted from outside. */
export const MSGPACK_DEPTH_MAX = 32;

/** Why a message is unreadable. `invalid_encoding`: a text is not UTF-8. */
type MsgpackFault = 'invalid_msgpack' | 'invalid_encoding';

export class MsgpackError extends Error {
  readonly fault: MsgpackFault;

  constructor(fault: MsgpackFault) {
    super(fault);
    this.fault = fault;
  }
}

/** Texts up to this length are assembled byte by byte, which costs less than calling a decoder. */
const SHORT_BYTES = 24;
/** Most member names cached, by a hash of their bytes. */
const NAMES_REMEMBERED = 512;
/** The extension type of timestamps, −1, as a byte. */
const TIMESTAMP = 0xff;
const UINT32_SIZE = 2 ** 32;
/** From here on JSON writes a double with an exponent, so it stays a double. */
const WRITTEN_OUT_END = 1e21;

interface KnownName {
  readonly text: string;
  readonly bytes: Uint8Array;
}

export class MsgpackReader {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  readonly #names = new Array<KnownName | undefined>(NAMES_REMEMBERED);
  /**
   * The input, and the same memory not as a Buffer: `slice` of a Buffer is a view, which would keep all of it alive.
   */
  #given: Uint8Array | undefined;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #at = 0;
  #end = 0;

  /**
   * The single value in `bytes[start..end)`: plain types (nil, bool, numbers, str, bin, array, map) and timestamps.
   * Maps become objects; texts and whole numbers may name their members.
   * @throws {MsgpackError}
   */
  read(bytes: Uint8Array, start: number, end: number): unknown {
    if (this.#given !== bytes) this.#open(bytes);
    this.#at = start;
    this.#end = end;
    const value = this.#value(0);
    if (this.#at !== end) throw new MsgpackError('invalid_msgpack');
    return value;
  }

  #open(bytes: Uint8Array): void {
    this.#given = bytes;
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  #value(depth: number): unknown {
    if (depth > MSGPACK_DEPTH_MAX) throw new MsgpackError('invalid_msgpack');
    const type = this.#bytes[this.#take(1)] as number;
    if (type < 0x80) return type;
    if (type >= 0xe0) return type - 0x100;
    if (type < 0x90) return this.#map(type & 0x0f, depth);
    if (type < 0xa0) return this.#array(type & 0x0f, depth);
    if (type < 0xc0) return this.#text(type & 0x1f);
    switch (type) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xca:
        return whole(this.#view.getFloat32(this.#take(4)));
      case 0xcb:
        return whole(this.#view.getFloat64(this.#take(8)));
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#unsigned(1 << (type - 0xcc));
      case 0xcf:
        return narrowed(this.#view.getBigUint64(this.#take(8)));
      case 0xd0:
        return this.#view.getInt8(this.#take(1));
      case 0xd1:
        return this.#view.getInt16(this.#take(2));
      case 0xd2:
        return this.#view.getInt32(this.#take(4));
      case 0xd3:
        return narrowed(this.#view.getBigInt64(this.#take(8)));
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#binary(this.#unsigned(1 << (type - 0xc4)));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#unsigned(1 << (type - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#unsigned(2 << (type - 0xdc)), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#unsigned(2 << (type - 0xde)), depth);
      case 0xd6:
      case 0xd7:
        return this.#timestamp(4 << (type - 0xd6));
      case 0xc7:
        return this.#timestamp(this.#unsigned(1));
      default:
        throw new MsgpackError('invalid_msgpack');
    }
  }

  /** Consumes `count` bytes. @returns where they begin */
  #take(count: number): number {
    const at = this.#at;
    if (count > this.#end - at) throw new MsgpackError('invalid_msgpack');
    this.#at = at + count;
    return at;
  }

  #unsigned(size: number): number {
    const at = this.#take(size);
    if (size === 1) return this.#view.getUint8(at);
    return size === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  #array(count: number, depth: number): unknown[] {
    // Every item takes at least a byte, so a claim of more items than bytes is false before the first is read.
    if (count > this.#end - this.#at) throw new MsgpackError('invalid_msgpack');
    const items: unknown[] = [];
    for (let i = 0; i < count; i++) items.push(this.#value(depth + 1));
    return items;
  }

  #map(count: number, depth: number): Record<string, unknown> {
    if (count * 2 > this.#end - this.#at) throw new MsgpackError('invalid_msgpack');
    const object: Record<string, unknown> = {};
    for (let i = 0; i < count; i++) {
      const name = this.#name();
      const value = this.#value(depth + 1);
      if (name !== '__proto__') object[name] = value;
      // An ordinary member, so that code that checks the object sees it.
      else Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
    }
    return object;
  }

  #name(): string {
    const at = this.#at;
    const type = this.#bytes[at] ?? 0;
    if (type >= 0xa0 && type < 0xc0 && at < this.#end) {
      this.#at++;
      return this.#knownName(type & 0x1f);
    }
    const name = this.#value(MSGPACK_DEPTH_MAX);
    if (typeof name === 'string') return name;
    if (typeof name === 'bigint' || Number.isInteger(name)) return String(name);
    throw new MsgpackError('invalid_msgpack');
  }

  /** Names repeat, so they are cached. */
  #knownName(length: number): string {
    const start = this.#take(length);
    const { length: all } = this.#names;
    const first = this.#bytes[start] ?? 0;
    const last = this.#bytes[start + length - 1] ?? 0;
    const slot = (length * 131 + first * 31 + last * 7 + (this.#bytes[start + (length >> 1)] ?? 0)) % all;
    const known = this.#names[slot];
    if (known !== undefined && this.#isAt(known.bytes, start, length)) return known.text;
    const text = this.#decoded(start, start + length);
    this.#names[slot] = { text, bytes: this.#bytes.slice(start, start + length) };
    return text;
  }

  #isAt(bytes: Uint8Array, start: number, length: number): boolean {
    if (bytes.length !== length) return false;
    for (let i = 0; i < length; i++) if (bytes[i] !== this.#bytes[start + i]) return false;
    return true;
  }

  #text(length: number): string {
    const start = this.#take(length);
    const end = start + length;
    if (length > SHORT_BYTES) return this.#decoded(start, end);
    const bytes = this.#bytes;
    let text = '';
    let at = start;
    for (; at + 4 <= end; at += 4) {
      const [a = 0, b = 0, c = 0, d = 0] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
      if (((a | b | c | d) & 0x80) !== 0) return this.#decoded(start, end);
      text += String.fromCharCode(a, b, c, d);
    }
    for (; at < end; at++) {
      const a = bytes[at] as number;
      if (a >= 0x80) return this.#decoded(start, end);
      text += String.fromCharCode(a);
    }
    return text;
  }

  #decoded(start: number, end: number): string {
    try {
      return this.#decoder.decode(this.#bytes.subarray(start, end));
    } catch {
      throw new MsgpackError('invalid_encoding');
    }
  }

  #binary(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.slice(start, start + length);
  }

  #timestamp(length: number): string {
    if (this.#view.getUint8(this.#take(1)) !== TIMESTAMP) throw new MsgpackError('invalid_msgpack');
    const at = this.#take(length);
    let seconds: number | bigint;
    let nanos = 0;
    if (length === 4) {
      seconds = this.#view.getUint32(at);
    } else if (length === 8) {
      const high = this.#view.getUint32(at);
      nanos = high >>> 2;
      seconds = (high & 3) * UINT32_SIZE + this.#view.getUint32(at + 4);
    } else if (length === 12) {
      nanos = this.#view.getUint32(at);
      seconds = this.#view.getBigInt64(at + 4);
    } else {
      throw new MsgpackError('invalid_msgpack');
    }
    const text = timestampText(Number(seconds), nanos);
    if (text === undefined) throw new MsgpackError('invalid_msgpack');
    return text;
  }
}

/**
 * A float that is a whole number beyond 2^53 means exactly that number, which JavaScript would write with other digits.
 */
function whole(value: number): number | bigint {
  const isLarge =
    Number.isInteger(value) && Math.abs(value) > Number.MAX_SAFE_INTEGER && Math.abs(value) < WRITTEN_OUT_END;
  return isLarge ? BigInt(value) : value;
}

function narrowed(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
