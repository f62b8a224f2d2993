/**
 * Writes MessagePack as bytes. A whole number is an integer if it fits (up to 64 bits). Larger ones, and decimals that
 * a double would alter, are text.
 */
import { ByteWriter, Known } from './byte-writer.js';
import { ExactNumber } from './exact-number.js';

const FIXMAP = 0x80;
const FIXARRAY = 0x90;
const FIXSTR = 0xa0;
const NIL = 0xc0;
const FALSE = 0xc2;
const TRUE = 0xc3;
const FLOAT64 = 0xcb;
const UINT8 = 0xcc;
const UINT16 = 0xcd;
const UINT32 = 0xce;
const UINT64 = 0xcf;
const INT8 = 0xd0;
const INT16 = 0xd1;
const INT32 = 0xd2;
const INT64 = 0xd3;
const STR8 = 0xd9;
const STR16 = 0xda;
const STR32 = 0xdb;
const ARRAY16 = 0xdc;
const ARRAY32 = 0xdd;
const MAP16 = 0xde;
const MAP32 = 0xdf;
/** Texts up to this length are first tried as ASCII. */
const SHORT_CHARS = 255;
const LAST_ASCII = 0x7f;
const BYTES_PER_CHAR_MAX = 3;
const UINT32_SIZE = 2 ** 32;
/** From here on JSON writes a double with an exponent, so it stays a double. */
const WRITTEN_OUT_END = 1e21;
const BIG_UINT64_END = 1n << 64n;
const BIG_INT64_MIN = -(1n << 63n);

const textEncoder = new TextEncoder();

export class MsgpackWriter extends ByteWriter {
  /** Starts a map of this many members, which follow. */
  map(members: number): void {
    if (members < 16) this.byte(FIXMAP | members);
    else if (members < 65_536) this.#sized(MAP16, members, 2);
    else this.#sized(MAP32, members, 4);
  }

  /** Starts an array of this many items, which follow. */
  array(items: number): void {
    if (items < 16) this.byte(FIXARRAY | items);
    else if (items < 65_536) this.#sized(ARRAY16, items, 2);
    else this.#sized(ARRAY32, items, 4);
  }

  /** Writes the header of a text of this many bytes. */
  textHeader(bytes: number): void {
    if (bytes < 32) this.byte(FIXSTR | bytes);
    else if (bytes < 256) this.#sized(STR8, bytes, 1);
    else if (bytes < 65_536) this.#sized(STR16, bytes, 2);
    else this.#sized(STR32, bytes, 4);
  }

  /**
   * Anything that JSON can represent, a bigint or an exact number. Undefined members and items are treated as in JSON.
   */
  value(value: unknown): void {
    if (typeof value === 'number') this.number(value);
    else if (typeof value === 'string') this.string(value);
    else if (typeof value === 'boolean') this.byte(value ? TRUE : FALSE);
    else if (typeof value === 'bigint') this.#bigint(value);
    else if (value instanceof ExactNumber) this.string(value.text);
    else if (Array.isArray(value)) this.#items(value);
    else if (typeof value === 'object' && value !== null) this.#members(value);
    else this.byte(NIL);
  }

  string(text: string): void {
    const start = this.length;
    if (text.length <= SHORT_CHARS && this.#ascii(text)) return;
    this.length = start;
    this.#utf8(text);
  }

  /** Writes the number in its shortest form. */
  number(value: number): void {
    if (value === value >>> 0) {
      if (value < 128) this.byte(value);
      else if (value < 256) this.#sized(UINT8, value, 1);
      else if (value < 65_536) this.#sized(UINT16, value, 2);
      else this.#sized(UINT32, value, 4);
    } else if (value === value >> 0) {
      if (value >= -32) this.byte(value & 0xff);
      else if (value >= -128) this.#sized(INT8, value, 1);
      else if (value >= -32_768) this.#sized(INT16, value, 2);
      else this.#sized(INT32, value, 4);
    } else if (value === Math.trunc(value) && Math.abs(value) < WRITTEN_OUT_END) {
      this.#integer64(value);
    } else {
      this.reserve(9);
      this.bytes[this.length] = FLOAT64;
      this.view.setFloat64(this.length + 1, value);
      this.length += 9;
    }
  }

  #integer64(value: number): void {
    if (!Number.isSafeInteger(value)) {
      // The digits that JSON writes for it, which need not be those of the double.
      this.#bigint(BigInt(String(value)));
      return;
    }
    this.reserve(9);
    const at = this.length;
    this.bytes[at] = value < 0 ? INT64 : UINT64;
    if (value < 0) this.view.setBigInt64(at + 1, BigInt(value));
    else {
      this.view.setUint32(at + 1, value / UINT32_SIZE);
      this.view.setUint32(at + 5, value % UINT32_SIZE);
    }
    this.length += 9;
  }

  #bigint(value: bigint): void {
    if (value < BIG_INT64_MIN || value >= BIG_UINT64_END) {
      this.string(String(value));
      return;
    }
    this.reserve(9);
    this.bytes[this.length] = value < 0n ? INT64 : UINT64;
    if (value < 0n) this.view.setBigInt64(this.length + 1, value);
    else this.view.setBigUint64(this.length + 1, value);
    this.length += 9;
  }

  #items(items: readonly unknown[]): void {
    this.array(items.length);
    for (const item of items) this.value(item);
  }

  #members(object: object): void {
    const names = Object.keys(object);
    let present = 0;
    for (const name of names) if ((object as Record<string, unknown>)[name] !== undefined) present++;
    this.map(present);
    for (const name of names) {
      const value = (object as Record<string, unknown>)[name];
      if (value === undefined) continue;
      this.string(name);
      this.value(value);
    }
  }

  /** Any text. Its header is written once its bytes are counted. */
  #utf8(text: string): void {
    const room = text.length * BYTES_PER_CHAR_MAX;
    this.reserve(room + 5);
    const start = this.length;
    const { written } = textEncoder.encodeInto(text, this.bytes.subarray(start + 5));
    this.textHeader(written);
    this.bytes.copyWithin(this.length, start + 5, start + 5 + written);
    this.length += written;
  }

  /** Writes the text if it is ASCII; returns false, possibly after writing part of it, for any other text. */
  #ascii(text: string): boolean {
    this.textHeader(text.length);
    this.reserve(text.length);
    const { bytes } = this;
    let at = this.length;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > LAST_ASCII) return false;
      bytes[at++] = code;
    }
    this.length = at;
    return true;
  }

  #sized(type: number, value: number, bytes: number): void {
    this.byte(type);
    this.#bigEndian(value, bytes);
  }

  #bigEndian(value: number, bytes: number): void {
    this.reserve(bytes);
    for (let shift = (bytes - 1) * 8; shift >= 0; shift -= 8) this.bytes[this.length++] = (value >>> shift) & 0xff;
  }
}

const scratch = new MsgpackWriter();

/** The bytes that `write` produces, for content that is written once and kept. */
export function packedBytes(write: (out: MsgpackWriter) => void): Uint8Array {
  scratch.clear();
  write(scratch);
  return scratch.written.slice();
}

/** Texts, one after the other. */
export function packedTexts(...texts: readonly string[]): Known {
  return new Known(
    packedBytes(out => {
      for (const text of texts) out.string(text);
    }),
  );
}
