/**
 * The smallest form of the ring that threads.md describes: one writer, readers that copy a batch in one `set` and then
 * look whether the writer has come round meanwhile. Positions count 8-byte words and wrap at 2^32; differences are taken
 * modulo 2^32, so the ring must be shorter than 2^31 words.
 */
const RESERVED = 0;
const COMMITTED = 1;
/** The cell that readers await: the number of batches committed so far. */
export const SIGNAL = 2;
const HEADER_BYTES = 64;
const WORD = 8;

export function createRing(bytes) {
  return new SharedArrayBuffer(HEADER_BYTES + bytes);
}

export class RingWriter {
  #cells;
  #ring;
  #words;
  #position = 0;

  constructor(shared) {
    this.#cells = new Int32Array(shared, 0, HEADER_BYTES / 4);
    this.#ring = new Uint8Array(shared, HEADER_BYTES);
    this.#words = this.#ring.length / WORD;
  }

  /** @param {Uint8Array} batch its length is a multiple of 8 */
  write(batch) {
    const words = batch.length / WORD;
    const next = (this.#position + words) | 0;
    // A read-modify-write, not a store: nothing of the copy below may become visible before the reservation.
    Atomics.exchange(this.#cells, RESERVED, next);
    const at = ((this.#position >>> 0) % this.#words) * WORD;
    const first = Math.min(batch.length, this.#ring.length - at);
    this.#ring.set(first === batch.length ? batch : batch.subarray(0, first), at);
    if (first < batch.length) this.#ring.set(batch.subarray(first), 0);
    Atomics.store(this.#cells, COMMITTED, next);
    this.#position = next;
    Atomics.add(this.#cells, SIGNAL, 1);
    Atomics.notify(this.#cells, SIGNAL);
  }
}

export class RingReader {
  #cells;
  #ring;
  #words;
  #cursor;
  #copy;
  overruns = 0;

  constructor(shared) {
    this.#cells = new Int32Array(shared, 0, HEADER_BYTES / 4);
    this.#ring = new Uint8Array(shared, HEADER_BYTES);
    this.#words = this.#ring.length / WORD;
    this.#cursor = Atomics.load(this.#cells, COMMITTED);
    this.#copy = new Uint8Array(this.#ring.length);
  }

  /**
   * Copies all that was committed since the last call.
   * @param {(torn: Uint8Array) => void} [onTorn] for the probe: sees what the check rejects
   * @returns {Uint8Array | null} a view of the reader's own copy, empty when nothing is new; null after an overrun, when
   *   what lay between is lost and the reader continues at the newest position
   */
  read(onTorn) {
    const committed = Atomics.load(this.#cells, COMMITTED);
    const words = (committed - this.#cursor) >>> 0;
    if (words === 0) return this.#copy.subarray(0, 0);
    if (words <= this.#words) {
      const bytes = words * WORD;
      const at = ((this.#cursor >>> 0) % this.#words) * WORD;
      const first = Math.min(bytes, this.#ring.length - at);
      this.#copy.set(this.#ring.subarray(at, at + first));
      if (first < bytes) this.#copy.set(this.#ring.subarray(0, bytes - first), first);
      // A read-modify-write again, so that the copy above is complete before the position is read.
      const reserved = Atomics.add(this.#cells, RESERVED, 0);
      if ((reserved - this.#cursor) >>> 0 <= this.#words) {
        this.#cursor = committed;
        return this.#copy.subarray(0, bytes);
      }
      onTorn?.(this.#copy.subarray(0, bytes));
    }
    this.overruns++;
    this.#cursor = Atomics.load(this.#cells, COMMITTED);
    return null;
  }
}
