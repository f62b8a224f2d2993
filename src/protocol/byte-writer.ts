/** The bytes of a message under construction; grows, and is reused for the next one. */

const FIRST_BYTES = 64 * 1024;
/** UTF-8 needs at most this many bytes per UTF-16 unit. */
const BYTES_PER_CHAR_MAX = 3;
/** Up to this length, copying words costs less than a call of `set` (native-notes/measurements.md). */
const SHORT_BYTES = 24;
/** Views of messages up to this length are cached, one per length: creating one costs more than copying its bytes. */
const KEPT_VIEW_BYTES = 2048;
const NO_WORDS = new Int32Array(0);
const textEncoder = new TextEncoder();

/** A part that many messages share, encoded once and copied into each. */
export class Known {
  readonly bytes: Uint8Array;
  /** For a short part: four bytes each, the last padded with zeros. */
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
  /** Not a Buffer: a view of one costs more. */
  bytes = new Uint8Array(FIRST_BYTES);
  /** The same memory. */
  protected view = new DataView(this.bytes.buffer);
  length = 0;
  #views = newViews();

  /** What was written; valid until the next write. */
  get written(): Uint8Array {
    const kept = this.#views[this.length];
    if (kept !== undefined) return kept;
    const view = this.bytes.subarray(0, this.length);
    if (this.length < this.#views.length) this.#views[this.length] = view;
    return view;
  }

  /** Starts over. */
  clear(): void {
    this.length = 0;
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.reserve(1);
    this.bytes[this.length++] = value;
  }

  copy({ bytes, words }: Known): void {
    const { length } = bytes;
    // Zeros of the last word may follow; the next write replaces them.
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

  /** Appends bytes that are written once. */
  append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Appends a text that is known to be ASCII. */
  ascii(text: string): void {
    this.reserve(text.length);
    const { bytes } = this;
    let at = this.length;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.length = at;
  }

  /** Two alternatives were written, starting at `begin` and at `middle`: removes the longer one. */
  keepShorter(begin: number, middle: number): void {
    const second = this.length - middle;
    if (second >= middle - begin) {
      this.length = middle;
      return;
    }
    this.bytes.copyWithin(begin, middle, this.length);
    this.length = begin + second;
  }

  /** Appends a text as UTF-8. */
  text(text: string): void {
    this.reserve(text.length * BYTES_PER_CHAR_MAX);
    const target = this.length === 0 ? this.bytes : this.bytes.subarray(this.length);
    this.length += textEncoder.encodeInto(text, target).written;
  }

  /** Makes room for this many more bytes. */
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
