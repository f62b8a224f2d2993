/** The payload of a FIX lane's frame under construction. */
import { ByteWriter } from '../protocol/byte-writer.js';
import { FIX_HAS_CHECKSUM, FIX_HEADER_BYTES } from '../threads/fix-entries.js';

const SOH = 1;

export class FixWriter extends ByteWriter {
  #entries = 0;
  #checksum = 0;
  #flags = 0;

  begin(): void {
    this.length = FIX_HEADER_BYTES;
    this.#entries = 0;
    this.#checksum = 0;
    this.#flags = 0;
  }

  /** Ends a field. */
  soh(): void {
    this.byte(SOH);
  }

  /** The number of entries written. */
  entries(count: number): void {
    this.#entries = count;
  }

  checksum(checksum: number): void {
    this.#checksum = checksum;
    this.#flags |= FIX_HAS_CHECKSUM;
  }

  /** Writes the header. */
  end(): void {
    const { bytes, length, view } = this;
    let sum = 0;
    for (let at = FIX_HEADER_BYTES; at < length; at++) sum += bytes[at] as number;
    view.setUint32(0, sum, true);
    view.setUint32(4, this.#entries, true);
    view.setUint32(8, this.#checksum, true);
    view.setUint32(12, this.#flags, true);
  }
}
