/** Writes JSON as bytes: the same output as `JSON.stringify`, without intermediate strings. */
import { ByteWriter, Known } from '../protocol/byte-writer.js';
import { stringifyExact } from '../protocol/exact-json.js';

const QUOTATION_MARK = 0x22;
const REVERSE_SOLIDUS = 0x5c;
const FIRST_PRINTABLE = 0x20;
const LAST_ASCII = 0x7e;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
/** Longer texts go to `JSON.stringify`, whose fixed cost then pays off. */
const SHORT_CHARS = 64;
/** Decimals of ordinary prices and ratios; the rest are rare enough for `JSON.stringify`. */
const DECIMALS_MAX = 6;
/** A double holds this many digits exactly: two decimal numbers of that length never map to the same double. */
const EXACT_MAX = 1e15;
const UINT32_END = 2 ** 32;
/** Digits of a 32-bit number, with a decimal point. */
const DIGITS_MAX = 11;
/** Two digits each, as big-endian ASCII. */
const PAIRS = Uint16Array.from({ length: 100 }, (_, i) => ((ZERO + Math.floor(i / 10)) << 8) | (ZERO + (i % 10)));
const POWERS_OF_TEN = Float64Array.from({ length: 11 }, (_, exponent) => 10 ** exponent);
const TRUE = Known.text('true');
const FALSE = Known.text('false');
const NULL = Known.text('null');

export class JsonWriter extends ByteWriter {
  /** Writes the value of a member. */
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
        else this.text(stringifyExact(value));
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
    // With few decimals, a number is an integer with a point in it: faster than the general way, with the same digits.
    if (value >= EXACT_MAX || value <= -EXACT_MAX) {
      this.#other(value);
    } else if (value === Math.trunc(value)) {
      this.#digits(value, 0);
    } else {
      for (let decimals = 2, scale = 100; decimals <= DECIMALS_MAX; decimals += 2, scale *= 100) {
        const scaled = Math.round(value * scale);
        if (scaled >= EXACT_MAX || scaled <= -EXACT_MAX) break;
        if (scaled / scale !== value) continue;
        if (scaled % 10 === 0) this.#digits(scaled / 10, decimals - 1);
        else this.#digits(scaled, decimals);
        return;
      }
      this.#other(value);
    }
  }

  /** Writes it the way V8 does. */
  #other(value: number): void {
    this.ascii(Number.isFinite(value) ? String(value) : 'null');
  }

  /**
   * Writes printable ASCII that needs no escapes; returns false, possibly after writing part of it, for any other text.
   */
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

  /** Writes the integer `scaled` with a point before its last `decimals` digits. */
  #digits(scaled: number, decimals: number): void {
    if (scaled < 0) this.byte(MINUS);
    const size = Math.abs(scaled);
    if (size >= UINT32_END) {
      // Longer than any number of decimals.
      const text = String(size);
      const whole = text.length - decimals;
      this.ascii(decimals === 0 ? text : `${text.slice(0, whole)}.${text.slice(whole)}`);
      return;
    }
    this.reserve(DIGITS_MAX);
    const { bytes, view } = this;
    let left = size >>> 0;
    const start = this.length;
    let at = start + Math.max(digitsOf(left), decimals + 1) + (decimals === 0 ? 0 : 1);
    this.length = at;
    // From the end, two digits at a time.
    let more = decimals;
    if ((more & 1) === 1) {
      const rest = (left / 10) >>> 0;
      bytes[--at] = ZERO + (left - rest * 10);
      left = rest;
    }
    for (; more > 1; more -= 2) {
      const rest = (left / 100) >>> 0;
      at -= 2;
      view.setUint16(at, PAIRS[left - rest * 100] as number);
      left = rest;
    }
    if (decimals > 0) bytes[--at] = POINT;
    while (left > 9) {
      const rest = (left / 100) >>> 0;
      at -= 2;
      view.setUint16(at, PAIRS[left - rest * 100] as number);
      left = rest;
    }
    // The last single digit, unless pairs covered everything.
    if (at > start) bytes[--at] = ZERO + left;
  }
}

/** The text as it appears between the quotation marks. */
export function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** Decimal digits of a 32-bit integer: 1233/4096 is slightly more than log10(2). */
function digitsOf(size: number): number {
  const digits = ((32 - Math.clz32(size | 1)) * 1233) >> 12;
  return size >= (POWERS_OF_TEN[digits] ?? 0) ? digits + 1 : digits;
}
