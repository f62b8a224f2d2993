/**
 * Writes messages. The body comes first, because its length and its sum stand around it; bytes that many messages share
 * are copied with their sum, which is not computed again.
 */
import { SOH } from './tags.js';

const FIRST_BYTES = 16 * 1024;
/** Room in front of the body for `8=FIX.4.4|9=<length>|`. */
const HEAD_BYTES = 32;
/** `10=nnn` and SOH. */
const TRAILER_BYTES = 7;
const BEGIN = '8=FIX.4.4\x019=';
const ZERO = 0x30;
const EQUALS = 0x3d;

/** Bytes that many messages share: whole fields, and the sum of their bytes. */
export interface SharedFields {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly sum: number;
}

export class MessageWriter {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #at = HEAD_BYTES;
  #sum = 0;

  begin(): void {
    this.#at = HEAD_BYTES;
    this.#sum = 0;
  }

  /** A field whose value has one byte per character. SOH in it becomes a blank: it would end the field. */
  field(tag: number, value: string): void {
    this.#reserve(value.length + 16);
    this.#number(tag);
    this.#byte(EQUALS);
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i) & 0xff;
      this.#byte(code === SOH ? 0x20 : code);
    }
    this.#byte(SOH);
  }

  /** A whole number, not negative. */
  integer(tag: number, value: number): void {
    this.#reserve(32);
    this.#number(tag);
    this.#byte(EQUALS);
    this.#number(value);
    this.#byte(SOH);
  }

  /** A text of any characters, as UTF-8. */
  utf8(tag: number, value: string): void {
    this.field(tag, Buffer.from(value, 'utf8').toString('latin1'));
  }

  shared({ bytes, start, end, sum }: SharedFields): void {
    this.#reserve(end - start);
    this.#bytes.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), this.#at);
    this.#at += end - start;
    this.#sum += sum;
  }

  /** Bytes written since `begin`. */
  get length(): number {
    return this.#at - HEAD_BYTES;
  }

  /** A copy of what was written since `length` was `from`. */
  copyFrom(from: number): Buffer {
    return Buffer.from(this.#bytes.subarray(HEAD_BYTES + from, this.#at));
  }

  /** The whole message; valid until the next `begin`. */
  end(): Buffer {
    this.#reserve(TRAILER_BYTES);
    const head = `${BEGIN}${this.#at - HEAD_BYTES}\x01`;
    const start = HEAD_BYTES - head.length;
    for (let i = 0; i < head.length; i++) {
      const code = head.charCodeAt(i);
      this.#bytes[start + i] = code;
      this.#sum += code;
    }
    const sum = this.#sum & 0xff;
    const at = this.#at;
    this.#bytes[at] = 0x31;
    this.#bytes[at + 1] = 0x30;
    this.#bytes[at + 2] = EQUALS;
    this.#bytes[at + 3] = ZERO + Math.floor(sum / 100);
    this.#bytes[at + 4] = ZERO + (Math.floor(sum / 10) % 10);
    this.#bytes[at + 5] = ZERO + (sum % 10);
    this.#bytes[at + 6] = SOH;
    return this.#bytes.subarray(start, at + TRAILER_BYTES);
  }

  #byte(value: number): void {
    this.#bytes[this.#at++] = value;
    this.#sum += value;
  }

  #number(value: number): void {
    let size = 1;
    for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) size++;
    let rest = value;
    for (let at = this.#at + size - 1; at >= this.#at; at--) {
      const digit = ZERO + (rest % 10);
      this.#bytes[at] = digit;
      this.#sum += digit;
      rest = Math.floor(rest / 10);
    }
    this.#at += size;
  }

  #reserve(more: number): void {
    const needed = this.#at + more + TRAILER_BYTES;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(needed * 2);
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}
