/** MessagePack, written as bytes, as far as patches need it; every other value is left to msgpackr. */
import { Packr } from 'msgpackr';
import { ByteWriter, Known } from './byte-writer.js';

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
const INT8 = 0xd0;
const INT16 = 0xd1;
const INT32 = 0xd2;
const STR8 = 0xd9;
const STR16 = 0xda;
const ARRAY16 = 0xdc;
/** Longer texts are left to the library. */
const SHORT_CHARS = 255;
const LAST_ASCII = 0x7f;

export class MsgpackWriter extends ByteWriter {
  readonly #packr = new Packr({ useRecords: false, variableMapSize: true, encodeUndefinedAsNil: true });

  /** A map of fewer than 16 members, which follow. */
  map(members: number): void {
    this.byte(FIXMAP | members);
  }

  /** An array of fewer than 65,536 items, which follow. */
  array(items: number): void {
    if (items < 16) {
      this.byte(FIXARRAY | items);
      return;
    }
    this.byte(ARRAY16);
    this.#bigEndian(items, 2);
  }

  /** What comes before a text of so many bytes, fewer than 65,536. */
  textHeader(bytes: number): void {
    if (bytes < 32) {
      this.byte(FIXSTR | bytes);
    } else if (bytes < 256) {
      this.byte(STR8);
      this.byte(bytes);
    } else {
      this.byte(STR16);
      this.#bigEndian(bytes, 2);
    }
  }

  value(value: unknown): void {
    if (typeof value === 'number') this.number(value);
    else if (typeof value === 'string') this.string(value);
    else if (typeof value === 'boolean') this.byte(value ? TRUE : FALSE);
    else if (value === null) this.byte(NIL);
    else this.packed(value);
  }

  string(text: string): void {
    const start = this.length;
    if (text.length <= SHORT_CHARS && this.#ascii(text)) return;
    this.length = start;
    this.packed(text);
  }

  /** In the shortest form that holds it; a whole number beyond 32 bits as a float 64, like a fraction. */
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
    } else {
      this.reserve(9);
      this.bytes[this.length] = FLOAT64;
      this.view.setFloat64(this.length + 1, value);
      this.length += 9;
    }
  }

  /** Anything. */
  packed(value: unknown): void {
    this.append(this.#packr.pack(value));
  }

  /** Writes the text when it is ASCII; else false, with some of it written. */
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

const knownTexts = new MsgpackWriter();

/** Texts, one after the other. */
export function packedTexts(...texts: readonly string[]): Known {
  knownTexts.clear();
  for (const text of texts) knownTexts.string(text);
  return new Known(knownTexts.written.slice());
}
