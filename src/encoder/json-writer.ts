/** JSON, written as bytes: what `JSON.stringify` makes of the same values, without the texts between. */
import { ByteWriter, encoded } from './byte-writer.js';

const QUOTATION_MARK = 0x22;
const REVERSE_SOLIDUS = 0x5c;
const FIRST_PRINTABLE = 0x20;
const LAST_ASCII = 0x7e;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
/** Longer texts are left to `JSON.stringify`, whose fixed cost is then worth it. */
const SHORT_CHARS = 64;
/** Decimals that prices and ratios have; others are rare enough for `JSON.stringify`. */
const DECIMALS_MAX = 6;
/** So many digits a double holds exactly: two decimal numbers of that length are never the same double. */
const EXACT_MAX = 1e15;
const DIGITS_MAX = 18;
/** What 32-bit arithmetic splits off at once. */
const LOW_DIGITS = 7;
const LOW = 1e7;
const TRUE = encoded('true');
const FALSE = encoded('false');
const NULL = encoded('null');

export class JsonWriter extends ByteWriter {
  /** A value of a JSON object. */
  value(value: unknown): void {
    switch (typeof value) {
      case 'number':
        this.number(value);
        break;
      case 'string':
        this.string(value);
        break;
      case 'boolean':
        this.copy(value ? TRUE : FALSE);
        break;
      default:
        if (value === null) this.copy(NULL);
        else this.text(JSON.stringify(value));
    }
  }

  string(text: string): void {
    const start = this.length;
    this.byte(QUOTATION_MARK);
    if (text.length <= SHORT_CHARS && this.#plain(text)) {
      this.byte(QUOTATION_MARK);
      return;
    }
    this.length = start;
    this.text(JSON.stringify(text));
  }

  number(value: number): void {
    // A number with few decimals is a whole one and a point: shorter than the general way, and the same digits.
    let scale = 1;
    for (let decimals = 0; decimals <= DECIMALS_MAX; decimals++, scale *= 10) {
      const scaled = Math.round(value * scale);
      if (scaled >= EXACT_MAX || scaled <= -EXACT_MAX) break;
      if (scaled / scale !== value) continue;
      this.#digits(scaled, decimals);
      return;
    }
    this.text(JSON.stringify(value));
  }

  /** A text that is known to be ASCII, as it is. */
  ascii(text: string): void {
    this.reserve(text.length);
    const { bytes } = this;
    let at = this.length;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.length = at;
  }

  /** A text of printable ASCII that needs no escape; else false, with some of it written. */
  #plain(text: string): boolean {
    this.reserve(text.length + 1);
    const { bytes } = this;
    let at = this.length;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code < FIRST_PRINTABLE || code > LAST_ASCII || code === QUOTATION_MARK || code === REVERSE_SOLIDUS)
        return false;
      bytes[at++] = code;
    }
    this.length = at;
    return true;
  }

  /** `scaled`, a whole number, with a point before its last `decimals` digits. */
  #digits(scaled: number, decimals: number): void {
    this.reserve(DIGITS_MAX + 2);
    let size = scaled;
    if (scaled < 0) {
      this.bytes[this.length++] = MINUS;
      size = -scaled;
    }
    const high = Math.floor(size / LOW);
    const digits = Math.max(high === 0 ? digitsOf(size) : digitsOf(high) + LOW_DIGITS, decimals + 1);
    const pointAt = decimals === 0 ? -1 : this.length + digits - decimals;
    const end = this.length + digits + (decimals === 0 ? 0 : 1);
    let at = end - 1;
    let left = size - high * LOW;
    let above = high;
    for (let written = 0; written < digits; written++) {
      if (written === LOW_DIGITS || written === 2 * LOW_DIGITS) {
        left = above % LOW;
        above = Math.floor(above / LOW);
      }
      if (at === pointAt) this.bytes[at--] = POINT;
      const rest = (left / 10) | 0;
      this.bytes[at--] = ZERO + (left - rest * 10);
      left = rest;
    }
    this.length = end;
  }
}

function digitsOf(size: number): number {
  let digits = 1;
  for (let bound = 10; size >= bound; bound *= 10) digits++;
  return digits;
}
