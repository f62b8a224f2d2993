/** Bytes of a message under construction; grows, and is used again for the next one. */

const FIRST_BYTES = 64 * 1024;
/** UTF-8 needs no more for a UTF-16 unit. */
const BYTES_PER_CHAR_MAX = 3;
/** Up to here, words cost less than a call of `set` (native-notes/measurements.md). */
const SHORT_BYTES = 24;
/** Views of messages up to here are kept, one a length: making one costs more than copying what it shows. */
const KEPT_VIEW_BYTES = 2048;
const NO_WORDS = new Int32Array(0);
const textEncoder = new TextEncoder();

/** What many messages have in common, encoded once and copied into each. */
export class Known {
  readonly bytes: Uint8Array;
  /** Of a short one: four bytes each, the last filled up with zeros. */
  readonly words: Int32Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.words = bytes.length <= SHORT_BYTES ? wordsOf(bytes) : NO_WORDS;
  }

  static text(text: string): Known {
    return new Known(textEncoder.encode(text));
  }
}

function wordsOf(bytes: Uint8Array): Int32Array {
  const words = new Int32Array(Math.ceil(bytes.length / 4));
  for (const [at, byte] of bytes.entries()) words[at >> 2] = (words[at >> 2] ?? 0) | (byte << ((at & 3) * 8));
  return words;
}

function newViews(): (Uint8Array | undefined)[] {
  return new Array(KEPT_VIEW_BYTES + 1);
}

export class ByteWriter {
  /** No Buffer: a view of one costs more. */
  bytes = new Uint8Array(FIRST_BYTES);
  /** Of the same memory. */
  protected view = new DataView(this.bytes.buffer);
  length = 0;
  #views = newViews();

  /** What was written, until something else is. */
  get written(): Uint8Array {
    const kept = this.#views[this.length];
    if (kept !== undefined) return kept;
    const view = this.bytes.subarray(0, this.length);
    if (this.length < this.#views.length) this.#views[this.length] = view;
    return view;
  }

  /** Begins anew. */
  clear(): void {
    this.length = 0;
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.reserve(1);
    this.bytes[this.length++] = value;
  }

  copy({ bytes, words }: Known): void {
    const { length } = bytes;
    // Zeros of the last word may follow; what is written next replaces them.
    this.reserve(length + 3);
    let at = this.length;
    this.length = at + length;
    if (length > SHORT_BYTES) {
      this.bytes.set(bytes, at);
      return;
    }
    const { view } = this;
    for (let i = 0; i < words.length; i++, at += 4) view.setInt32(at, words[i] as number, true);
  }

  /** Bytes that are written once. */
  append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** A text that is known to be ASCII, as it is. */
  ascii(text: string): void {
    this.reserve(text.length);
    const { bytes } = this;
    let at = this.length;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.length = at;
  }

  /** Two ways to say the same were written, from `begin` and from `middle` on: the longer one is taken out. */
  keepShorter(begin: number, middle: number): void {
    const second = this.length - middle;
    if (second >= middle - begin) {
      this.length = middle;
      return;
    }
    this.bytes.copyWithin(begin, middle, this.length);
    this.length = begin + second;
  }

  /** As UTF-8. */
  text(text: string): void {
    this.reserve(text.length * BYTES_PER_CHAR_MAX);
    const target = this.length === 0 ? this.bytes : this.bytes.subarray(this.length);
    this.length += textEncoder.encodeInto(text, target).written;
  }

  /** Room for so many bytes more. */
  reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    const larger = new Uint8Array(needed * 2);
    larger.set(this.written);
    this.bytes = larger;
    this.#views = newViews();
    this.view = new DataView(larger.buffer);
  }
}
