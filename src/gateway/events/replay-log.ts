/** The replayed messages of one view, in order: one copy for all clients that missed some of them. */
import type { RingReader } from '../../threads/ring.js';
import type { Place } from '../journal/place.js';

const CHUNK_BYTES = { min: 512, max: 64 * 1024 };
/** Memory of a frame besides its bytes. */
const FRAME_OVERHEAD_BYTES = 80;

/** Where a replayed frame stands. `eventMicrosOrReason`: of a gap, the number of its reason; else 0. */
export type ReplayedAt = Pick<RingReader, 'seq' | 'prevSeq' | 'eventMicrosOrReason'>;

export class ReplayLog {
  readonly epoch: string;
  /** The position just before the first frame. */
  readonly fromSeq: number;
  /** The log is complete up to here; undefined until the first replay has reached its mark. */
  endSeq: number | undefined;
  /** Number of readers that still have to be sent some of it. */
  readers = 0;
  /** A replay in flight appends to it. */
  isGrowing = false;
  /** Kept for clients that return soon. */
  isKept = false;
  /** No longer read, now or later. */
  isFreed = false;
  #chunk = new Uint8Array(0);
  #chunkEnd = 0;
  readonly #frames: Uint8Array[] = [];
  readonly #seqs: number[] = [];
  readonly #prevSeqs: number[] = [];
  readonly #gapReasons: number[] = [];
  /** Bytes up to the end of each frame, including its overhead. */
  readonly #ends: number[] = [];

  constructor(epoch: string, fromSeq: number) {
    this.epoch = epoch;
    this.fromSeq = fromSeq;
  }

  get length(): number {
    return this.#frames.length;
  }

  get bytes(): number {
    return this.#ends[this.#ends.length - 1] ?? 0;
  }

  /** How much a frame of this size adds to `bytes`. */
  static cost(bytes: number): number {
    return bytes + FRAME_OVERHEAD_BYTES;
  }

  /** Copies the frame. */
  append(frame: Uint8Array, { seq, prevSeq, eventMicrosOrReason }: ReplayedAt): void {
    if (this.#chunkEnd + frame.length > this.#chunk.length) {
      const bytes = Math.min(CHUNK_BYTES.max, Math.max(CHUNK_BYTES.min, this.bytes));
      this.#chunk = new Uint8Array(Math.max(bytes, frame.length));
      this.#chunkEnd = 0;
    }
    this.#chunk.set(frame, this.#chunkEnd);
    this.#frames.push(this.#chunk.subarray(this.#chunkEnd, this.#chunkEnd + frame.length));
    this.#chunkEnd += frame.length;
    this.#seqs.push(seq);
    this.#prevSeqs.push(prevSeq);
    this.#gapReasons.push(eventMicrosOrReason);
    this.#ends.push(this.bytes + ReplayLog.cost(frame.length));
  }

  frame(index: number): Uint8Array {
    return this.#frames[index] as Uint8Array;
  }

  seq(index: number): number {
    return this.#seqs[index] as number;
  }

  /** Where the frame stands, for the journal. */
  place(index: number): Place {
    const [prev, gapReason] = [this.#prevSeqs[index], this.#gapReasons[index]] as [number, number];
    return { epoch: this.epoch, prev, seq: this.seq(index), gapReason };
  }

  /** Bytes of the frames from `index` on. */
  bytesFrom(index: number): number {
    return this.bytes - (index === 0 ? 0 : (this.#ends[index - 1] ?? 0));
  }

  /**
   * Index of the first frame after a position; undefined when no frame ends exactly there: then the next message is
   * inside a frame or outside the log.
   */
  indexAfter(seq: number): number | undefined {
    let low = 0;
    let high = this.#seqs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.seq(middle) <= seq) low = middle + 1;
      else high = middle;
    }
    const before = low === 0 ? this.fromSeq : this.seq(low - 1);
    return before === seq ? low : undefined;
  }
}
