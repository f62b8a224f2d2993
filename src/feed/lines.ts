import { type FileHandle, open } from 'node:fs/promises';

const READ_BYTES = 256 * 1024;
const LINE_FEED = 0x0a;

/**
 * Reads a file line by line in constant memory. Splits at line feeds only: node:readline also splits at U+2028, which
 * JSON text may contain.
 */
export class LineReader {
  readonly #handle: FileHandle;
  readonly #lineBytesMax: number;
  readonly #block = Buffer.allocUnsafe(READ_BYTES);
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #ended = false;
  /** Inside a line over the limit: its bytes are skipped until it ends. */
  #passing = false;
  #lineNumber = 0;

  private constructor(handle: FileHandle, lineBytesMax: number) {
    this.#handle = handle;
    this.#lineBytesMax = lineBytesMax;
  }

  /** @throws {Error} of node:fs if the file cannot be opened. */
  static async open(file: string, lineBytesMax: number): Promise<LineReader> {
    return new LineReader(await open(file, 'r'), lineBytesMax);
  }

  /** Number of the line returned last, from 1. */
  get lineNumber(): number {
    return this.#lineNumber;
  }

  /**
   * The next line in memory, without its line feed and valid until the next `fill`; 'too long' for one over the limit;
   * undefined when `fill` must read more.
   */
  take(): Buffer | 'too long' | undefined {
    const end = this.#bytes.indexOf(LINE_FEED, this.#at);
    if (end >= 0) return this.#line(end, end + 1);
    return this.#ended && (this.#at < this.#bytes.length || this.#passing)
      ? this.#line(this.#bytes.length, this.#bytes.length)
      : undefined;
  }

  /**
   * Reads on. False when the file has ended and `take` has returned its last line.
   * @param mayGrow the file may still grow: a line without its line feed is incomplete, and a later call may find more
   */
  async fill(mayGrow = false): Promise<boolean> {
    if (this.#ended) return false;
    const rest = this.#bytes.subarray(this.#at);
    const { bytesRead } = await this.#handle.read(this.#block, 0, READ_BYTES);
    if (bytesRead === 0) {
      if (mayGrow) return false;
      this.#ended = true;
      return rest.length > 0 || this.#passing;
    }
    const tooLong = rest.length > this.#lineBytesMax;
    this.#passing ||= tooLong;
    // Copied, so that a line that spans reads is complete, and the block can be reused.
    this.#bytes = Buffer.concat([
      this.#passing ? rest.subarray(rest.length) : rest,
      this.#block.subarray(0, bytesRead),
    ]);
    this.#at = 0;
    return true;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  #line(end: number, next: number): Buffer | 'too long' {
    const line = this.#bytes.subarray(this.#at, end);
    const tooLong = this.#passing || line.length > this.#lineBytesMax;
    this.#passing = false;
    this.#at = next;
    this.#lineNumber++;
    return tooLong ? 'too long' : line;
  }
}
