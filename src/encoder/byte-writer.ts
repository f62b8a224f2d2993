/** Bytes of a message under construction; grows, and is used again for the next one. */

const FIRST_BYTES = 64 * 1024;
/** UTF-8 needs no more for a UTF-16 unit. */
const BYTES_PER_CHAR_MAX = 3;
const textEncoder = new TextEncoder();

/** What many messages have in common, encoded once. */
export function encoded(text: string): Uint8Array {
  return textEncoder.encode(text);
}

export class ByteWriter {
  /** No Buffer: a view of one costs more. */
  bytes = new Uint8Array(FIRST_BYTES);
  length = 0;

  /** Begins anew. */
  clear(): void {
    this.length = 0;
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.reserve(1);
    this.bytes[this.length++] = value;
  }

  copy(known: Uint8Array): void {
    this.reserve(known.length);
    this.bytes.set(known, this.length);
    this.length += known.length;
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
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}
