/**
 * Bytes of a connection → FIX messages, however the bytes are split. A garbled message (FIX 4.4, volume 2: wrong first
 * fields, length or checksum) is skipped up to the next `8=FIX`, and uses up no sequence number.
 */
import { SOH } from './tags.js';

/** `message`: `Framer.message` holds it · `garbled`: something was skipped · `too_long`: end the connection. */
type Framed = 'message' | 'garbled' | 'too_long' | 'incomplete';

const START = Buffer.from('8=FIX');
const EQUALS = 0x3d;
const ZERO = 0x30;
const NINE = 0x39;
/** `10=nnn` and SOH. */
const TRAILER_BYTES = 7;
/** Longest value of BeginString, and most digits of BodyLength. */
const BEGIN_STRING_BYTES_MAX = 16;
const LENGTH_DIGITS_MAX = 8;
const FIRST_BYTES = 4096;

export class Framer {
  /** The message just framed, from `8=` to the SOH of its checksum; valid until the next `push`. */
  message: Buffer = Buffer.alloc(0);
  readonly #bytesMax: number;
  #buffer = Buffer.allocUnsafe(FIRST_BYTES);
  #start = 0;
  #end = 0;
  /** Where to look on for the end of a message whose length may be wrong. */
  #scanned = 0;
  /** Bytes skipped since the last message. */
  #skipped = 0;
  #isSkipping = false;

  /** @param bytesMax longest body of a message */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes that wait for the rest of their message. */
  get pending(): number {
    return this.#end - this.#start;
  }

  push(chunk: Uint8Array): void {
    const pending = this.pending;
    if (this.#end + chunk.length > this.#buffer.length) {
      const needed = pending + chunk.length;
      const target = needed > this.#buffer.length ? Buffer.allocUnsafe(needed * 2) : this.#buffer;
      target.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = target;
      this.#scanned = Math.max(0, this.#scanned - this.#start);
      this.#start = 0;
      this.#end = pending;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** Advances to the next message. Call until it returns 'incomplete'. */
  next(): Framed {
    if (this.pending === 0) return 'incomplete';
    if (!this.#isStart(this.#start)) return this.#skip(this.#start);
    const beginEnd = this.#soh(this.#start + 2, BEGIN_STRING_BYTES_MAX);
    if (beginEnd === undefined) return 'too_long';
    if (beginEnd < 0) return 'incomplete';
    const lengthAt = beginEnd + 1;
    if (this.#end < lengthAt + 2) return 'incomplete';
    if (!this.#is(lengthAt, 0x39, EQUALS)) return this.#skip(this.#start + 1);
    const lengthEnd = this.#soh(lengthAt + 2, LENGTH_DIGITS_MAX);
    if (lengthEnd === undefined) return 'too_long';
    if (lengthEnd < 0) return 'incomplete';
    const length = this.#digits(lengthAt + 2, lengthEnd);
    if (length === undefined) return this.#skip(this.#start + 1);
    if (length > this.#bytesMax) return 'too_long';
    return this.#body(lengthEnd + 1, length);
  }

  #body(bodyAt: number, length: number): Framed {
    const bodyEnd = bodyAt + length;
    if (this.#end >= bodyAt + 3 && !this.#isMsgType(bodyAt)) return this.#skip(this.#start + 1);
    if (this.#end < bodyEnd + TRAILER_BYTES)
      return this.#isOverrun(bodyAt) ? this.#skip(this.#start + 1) : 'incomplete';
    if (length < 5 || this.#buffer[bodyEnd - 1] !== SOH || !this.#isTrailer(bodyEnd))
      return this.#skip(this.#start + 1);
    const checksum = this.#digits(bodyEnd + 3, bodyEnd + TRAILER_BYTES - 1);
    let sum = 0;
    for (let at = this.#start; at < bodyEnd; at++) sum += this.#buffer[at] as number;
    const message = this.#buffer.subarray(this.#start, bodyEnd + TRAILER_BYTES);
    this.#moveTo(bodyEnd + TRAILER_BYTES);
    this.#skipped = 0;
    this.#isSkipping = false;
    if (checksum !== (sum & 0xff)) return 'garbled';
    this.message = message;
    return 'message';
  }

  /** A later message begins before this one would end: its length is wrong. */
  #isOverrun(bodyAt: number): boolean {
    const from = Math.max(bodyAt, this.#scanned);
    this.#scanned = Math.max(from, this.#end - START.length);
    const next = this.#nextStart(from);
    return next >= 0 && this.#isTrailer(next - TRAILER_BYTES);
  }

  /** Skips to the next start at or behind `from`. Consecutive skips count as one garbled message. */
  #skip(from: number): Framed {
    const next = this.#nextStart(from);
    // The last bytes may be the beginning of a start.
    const to = next >= 0 ? next : Math.max(from, this.#end - START.length);
    const wasSkipping = this.#isSkipping;
    this.#skipped += to - this.#start;
    this.#isSkipping = next < 0;
    const isStuck = to === this.#start;
    this.#moveTo(to);
    if (this.#skipped > this.#bytesMax) return 'too_long';
    if (!wasSkipping) return 'garbled';
    return isStuck ? 'incomplete' : this.next();
  }

  #moveTo(at: number): void {
    this.#start = at;
    this.#scanned = at;
  }

  /** `8=FIX` at a field's beginning: not the end of another tag. */
  #nextStart(from: number): number {
    for (let at = from; ; at++) {
      at = this.#buffer.indexOf(START, at);
      if (at < 0 || at + START.length > this.#end) return -1;
      if (at === this.#start || !isDigit(this.#buffer[at - 1])) return at;
    }
  }

  /** True also if fewer bytes than a start are there, and they may become one. */
  #isStart(at: number): boolean {
    const size = Math.min(START.length, this.#end - at);
    return this.#buffer.compare(START, 0, size, at, at + size) === 0;
  }

  /** Where the field ends; -1: not yet; undefined: not within `max` bytes. */
  #soh(from: number, max: number): number | undefined {
    const to = Math.min(this.#end, from + max + 1);
    for (let at = from; at < to; at++) if (this.#buffer[at] === SOH) return at;
    return to - from > max ? undefined : -1;
  }

  #digits(from: number, to: number): number | undefined {
    if (from >= to) return undefined;
    let value = 0;
    for (let at = from; at < to; at++) {
      const digit = (this.#buffer[at] as number) - ZERO;
      if (digit < 0 || digit > 9) return undefined;
      value = value * 10 + digit;
    }
    return value;
  }

  #is(at: number, first: number, second: number): boolean {
    return this.#buffer[at] === first && this.#buffer[at + 1] === second;
  }

  #isMsgType(at: number): boolean {
    return this.#is(at, 0x33, 0x35) && this.#buffer[at + 2] === EQUALS;
  }

  /** `10=nnn` and SOH. */
  #isTrailer(at: number): boolean {
    return (
      this.#is(at, 0x31, 0x30) &&
      this.#buffer[at + 2] === EQUALS &&
      this.#digits(at + 3, at + 6) !== undefined &&
      this.#buffer[at + 6] === SOH
    );
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}
