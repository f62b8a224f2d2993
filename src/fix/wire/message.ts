/** A framed message as its fields, in the order in which they came. */
import { DATA_OF_LENGTH } from './dictionary.js';
import { SOH, Tag } from './tags.js';

/** The tag of a field whose tag is not a positive number. */
export const NO_TAG = -1;

const EQUALS = 0x3d;
const ZERO = 0x30;
const TAG_MAX = 100_000;

export class FixMessage {
  readonly bytes: Buffer;
  readonly tags: readonly number[];
  readonly #starts: readonly number[];
  readonly #ends: readonly number[];

  private constructor(bytes: Buffer, tags: readonly number[], starts: readonly number[], ends: readonly number[]) {
    this.bytes = bytes;
    this.tags = tags;
    this.#starts = starts;
    this.#ends = ends;
  }

  /**
   * Undefined if a field is not `tag=value`: then the message is garbled.
   * @param bytes from the framer, which overwrites them later
   */
  static parse(bytes: Uint8Array): FixMessage | undefined {
    const own = Buffer.from(bytes);
    const tags: number[] = [];
    const starts: number[] = [];
    const ends: number[] = [];
    let dataBytes = -1;
    for (let at = 0; at < own.length; ) {
      const equals = own.indexOf(EQUALS, at);
      if (equals < 0) return undefined;
      const tag = tagOf(own, at, equals);
      if (tag === undefined) return undefined;
      const previous = tags[tags.length - 1];
      const isData = dataBytes >= 0 && previous !== undefined && DATA_OF_LENGTH.get(previous) === tag;
      const end = isData ? equals + 1 + dataBytes : own.indexOf(SOH, equals);
      if (end < 0 || own[end] !== SOH) return undefined;
      tags.push(tag);
      starts.push(equals + 1);
      ends.push(end);
      dataBytes = DATA_OF_LENGTH.has(tag) ? integerOf(own.toString('latin1', equals + 1, end)) : -1;
      at = end + 1;
    }
    return new FixMessage(own, tags, starts, ends);
  }

  get length(): number {
    return this.tags.length;
  }

  get type(): string {
    return this.text(Tag.msgType) ?? '';
  }

  /** NaN if it is missing or no number. */
  get seqNum(): number {
    return this.integer(Tag.msgSeqNum);
  }

  /** The value of field number `at`, one character per byte. */
  valueAt(at: number): string {
    return this.bytes.toString('latin1', this.#starts[at], this.#ends[at]);
  }

  /** The same, as UTF-8. */
  utf8At(at: number): string {
    return this.bytes.toString('utf8', this.#starts[at], this.#ends[at]);
  }

  /** The tag's text, also where it is no number. */
  tagTextAt(at: number): string {
    const from = at === 0 ? 0 : (this.#ends[at - 1] as number) + 1;
    return this.bytes.toString('latin1', from, (this.#starts[at] as number) - 1);
  }

  has(tag: number): boolean {
    return this.tags.includes(tag);
  }

  /** The first value of a tag, one character per byte. */
  text(tag: number): string | undefined {
    const at = this.tags.indexOf(tag);
    return at < 0 ? undefined : this.valueAt(at);
  }

  /** The first value as a whole number that is not negative; NaN if it is missing or none. */
  integer(tag: number): number {
    const text = this.text(tag);
    return text === undefined ? Number.NaN : integerOf(text);
  }

  isYes(tag: number): boolean {
    return this.text(tag) === 'Y';
  }
}

/** NaN if it is no whole number, or not exact. */
function integerOf(text: string): number {
  if (!/^\d{1,16}$/.test(text)) return Number.NaN;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : Number.NaN;
}

/** `NO_TAG`: it is no tag, but could be read as a field; undefined: it is empty, or holds something unprintable. */
function tagOf(bytes: Buffer, from: number, to: number): number | undefined {
  if (from === to) return undefined;
  let tag = 0;
  for (let at = from; at < to; at++) {
    const digit = (bytes[at] as number) - ZERO;
    if ((bytes[at] as number) <= SOH) return undefined;
    if (digit < 0 || digit > 9 || tag < 0) tag = NO_TAG;
    else tag = Math.min(TAG_MAX, tag * 10 + digit);
  }
  return bytes[from] === ZERO ? NO_TAG : tag;
}
