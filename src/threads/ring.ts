/**
 * Carries frames from one encoder to all gateway workers: a ring in shared memory, one writer, many readers, no locks.
 *
 * The writer never waits. It first publishes how far it is about to write (`reserved`), writes, then publishes how far
 * readers may read (`committed`). A reader copies what is committed into its own memory and only then checks
 * `reserved`: if the writer has come within one ring of the copied bytes by then, the copy may be torn, and the reader
 * reports an overrun instead of a frame. So a torn frame cannot leave this class, and a slow reader affects only
 * itself.
 *
 * Positions count 8-byte units, modulo 2^32, and are compared by signed difference.
 *
 * Frame: 56-byte header, payload, padding to 8 bytes, never wrapped around the ring's end.
 * `0 u32 frame bytes · 4 u8 kind · 5 u8 lane · 6 u8 epoch bytes · 7 u8 trace (0: none) · 8 u32 source ·`
 * `12 u32 workers (bit mask) · 16 f64 seq · 24 f64 hub time µs · 32 u32 payload bytes · 36 u32 tag ·`
 * `40 f64 event time µs or reason · 48 f64 previous seq`
 *
 * The epoch comes before the payload. The tag of an answer is the request number; in all other frames it stands for
 * the epoch (`epochTagOf`). A frame that says why something is missing or stale has the number of the reason in place of
 * the publisher's event time; a replayed message has neither. The previous seq is what the message says that it follows: of
 * several in one frame, the first; of a gap, where the loss begins.
 */
import { align8 } from '../protocol/align8.js';
import { fnv1a } from '../protocol/fnv.js';

const FRAME_HEADER_BYTES = 56;

export const FrameKind = {
  /** A change of a state topic: publish to the view. */
  delta: 1,
  /** A complete document as a complete frame: publish to the view; the chain restarts. */
  snapshot: 2,
  /**
   * The answer to one worker's snapshot request: for quotes, the `add` operation of one symbol, which the worker
   * combines with others; otherwise a complete frame. Without payload: no data yet.
   */
  part: 3,
  /** The answer for an event view: it is encoded for this worker from here on; seq is the last one before. */
  ready: 4,
  /** An announcement of lost events: publish to the view. */
  gap: 5,
  /** Filler up to the ring's end. */
  pad: 6,
  /** A new encoder took over this ring: what the old one had not committed is lost. */
  rebuilt: 7,
  /** A message of an event topic: publish to the view, and to the view of all symbols. */
  event: 8,
  /** A message (or array of them) that the asker of a replay missed. */
  replay: 9,
  /** The replay is complete; seq is the topic's position, and what follows in the ring continues from it. */
  recovered: 10,
  /** The replay is unavailable: discard what has arrived of it. The topic is at seq. */
  unrecovered: 11,
  /**
   * A state topic is held back: publish to the view, and to sessions that are sent its document before the next
   * complete one.
   */
  stale: 12,
  /** The same, before the answer to one worker's snapshot request. */
  staleAnswer: 13,
} as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

/** Size of a gateway's rings: readers may fall several hundred milliseconds behind an encoder at full speed. */
const RING_BYTES = 8 * 1024 * 1024;

const RESERVED = 0;
const COMMITTED = 1;
const CONTROL_BYTES = 64;
const UNIT_BYTES = 8;

/** A number that stands for an epoch: FNV-1a of its text. 0 means none. */
export function epochTagOf(epoch: Uint8Array): number {
  return epoch.length === 0 ? 0 : fnv1a(epoch);
}

/** Allocates a ring of `dataBytes` (a power of two, at least 64 KiB). */
export function createRing(dataBytes: number): SharedArrayBuffer {
  if (dataBytes < 65_536 || (dataBytes & (dataBytes - 1)) !== 0) {
    throw new RangeError(`a ring's size must be a power of two of at least 65536 bytes, not ${dataBytes}`);
  }
  return new SharedArrayBuffer(CONTROL_BYTES + dataBytes);
}

/** One ring per encoder. */
export function createRings(encoders: number): SharedArrayBuffer[] {
  return Array.from({ length: encoders }, () => createRing(RING_BYTES));
}

/** One Int32 per worker, incremented at every wake-up. Shared by all encoders. */
export function createDoorbells(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * workers);
}

/** The encoder's side. `append` frames, then `commit` once per batch. */
export class RingWriter {
  readonly #control: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;
  readonly #capacity: number;
  readonly #doorbells: Int32Array;
  #at: number;
  #workers = 0;
  #uncommitted = 0;

  constructor(ring: SharedArrayBuffer, doorbells: SharedArrayBuffer) {
    this.#control = new Int32Array(ring, 0, CONTROL_BYTES / 4);
    this.#bytes = new Uint8Array(ring, CONTROL_BYTES);
    this.#u32 = new Uint32Array(ring, CONTROL_BYTES);
    this.#f64 = new Float64Array(ring, CONTROL_BYTES);
    this.#capacity = this.#bytes.length;
    this.#doorbells = new Int32Array(doorbells);
    // A crashed writer may have overwritten bytes that readers had not read. Its successor starts a whole ring further
    // on, which every reader correctly sees as an overrun.
    const reserved = Atomics.load(this.#control, RESERVED);
    this.#at = reserved === 0 ? 0 : (reserved + this.#capacity / UNIT_BYTES + 1) | 0;
    Atomics.store(this.#control, RESERVED, this.#at);
    Atomics.store(this.#control, COMMITTED, this.#at);
  }

  /**
   * Longest payload (with epoch) of a frame: a quarter of the ring, so that a single frame cannot overrun all readers.
   */
  get payloadBytesMax(): number {
    return (this.#capacity >> 2) - FRAME_HEADER_BYTES;
  }

  /**
   * Writes one frame for the workers in the mask. `payload[start..end)` follows the epoch's bytes.
   * @throws {RangeError} when epoch and payload exceed `payloadBytesMax`.
   */
  append(
    kind: FrameKind,
    lane: number,
    source: number,
    workers: number,
    seq: number,
    hubMicros: number,
    eventMicrosOrReason: number,
    tag: number,
    epoch: Uint8Array,
    payload: Uint8Array,
    start: number,
    end: number,
    trace = 0,
    prevSeq = 0,
  ): void {
    const size = end - start;
    if (epoch.length + size > this.payloadBytesMax) {
      throw new RangeError(`a frame of ${size} bytes is over the ring's limit of ${this.payloadBytesMax}`);
    }
    const total = FRAME_HEADER_BYTES + align8(epoch.length + size);
    const at = this.#reserve(total);
    this.#u32[at >> 2] = total;
    this.#u32[(at + 4) >> 2] = kind | (lane << 8) | (epoch.length << 16) | (trace << 24);
    this.#u32[(at + 8) >> 2] = source;
    this.#u32[(at + 12) >> 2] = workers;
    this.#f64[(at + 16) >> 3] = seq;
    this.#f64[(at + 24) >> 3] = hubMicros;
    this.#u32[(at + 32) >> 2] = size;
    this.#u32[(at + 36) >> 2] = tag;
    this.#f64[(at + 40) >> 3] = eventMicrosOrReason;
    this.#f64[(at + 48) >> 3] = prevSeq;
    const body = at + FRAME_HEADER_BYTES;
    this.#bytes.set(epoch, body);
    this.#bytes.set(
      start === 0 && end === payload.length ? payload : payload.subarray(start, end),
      body + epoch.length,
    );
    this.#workers |= workers;
    this.#uncommitted += total;
    // Commit a large batch in pieces, so that readers can keep up with its beginning.
    if (this.#uncommitted > this.#capacity >> 3) this.commit();
  }

  /** Makes the appended frames readable and wakes each worker that has a frame among them: one notify per worker. */
  commit(): void {
    if (this.#uncommitted === 0) return;
    Atomics.store(this.#control, COMMITTED, this.#at);
    for (let worker = 0, mask = this.#workers; worker < this.#doorbells.length && mask !== 0; worker++, mask >>>= 1) {
      if ((mask & 1) === 0) continue;
      Atomics.add(this.#doorbells, worker, 1);
      Atomics.notify(this.#doorbells, worker);
    }
    this.#workers = 0;
    this.#uncommitted = 0;
  }

  #reserve(total: number): number {
    let at = (this.#at * UNIT_BYTES) & (this.#capacity - 1);
    const left = this.#capacity - at;
    const padded = left < total ? left : 0;
    // A read-modify-write, not a store: on weakly ordered machines the frame's bytes must not become visible before
    // it.
    Atomics.exchange(this.#control, RESERVED, (this.#at + (padded + total) / UNIT_BYTES) | 0);
    if (padded > 0) {
      this.#u32[at >> 2] = padded;
      this.#u32[(at + 4) >> 2] = FrameKind.pad;
      this.#uncommitted += padded;
      at = 0;
    }
    this.#at = (this.#at + (padded + total) / UNIT_BYTES) | 0;
    return at;
  }
}

/** The result of `RingReader.read`. */
type RingReadResult = 'frames' | 'empty' | 'overrun';

/**
 * A worker's side of one ring. `read` copies the next committed bytes; then `next` walks the copied frames that are
 * for this worker, with the fields holding the current one. The `payload` bounds are offsets into `copy`.
 */
export class RingReader {
  kind = 0;
  lane = 0;
  source = 0;
  seq = 0;
  /** The seq that the message follows; of a gap, the last one before the loss. */
  prevSeq = 0;
  hubMicros = 0;
  /** The trace of the message (observe/tracing); 0: it is not traced. */
  trace = 0;
  /** The publisher's event time, 0: unknown; or the number of a reason. */
  eventMicrosOrReason = 0;
  /** The request number in answers; in other frames it stands for the epoch. */
  tag = 0;
  epochStart = 0;
  payloadStart = 0;
  payloadEnd = 0;
  /** The reader's own memory, holding the frames just read. The next `read` overwrites it. */
  readonly copy: Uint8Array;
  readonly #control: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #ringU32: Uint32Array;
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;
  readonly #capacity: number;
  readonly #workerBit: number;
  #cursor: number;
  #at = 0;
  #end = 0;

  /** Starts at the current commit position: a new worker does not need older frames. */
  constructor(ring: SharedArrayBuffer, worker: number) {
    this.#control = new Int32Array(ring, 0, CONTROL_BYTES / 4);
    this.#bytes = new Uint8Array(ring, CONTROL_BYTES);
    this.#ringU32 = new Uint32Array(ring, CONTROL_BYTES);
    this.#capacity = this.#bytes.length;
    this.#workerBit = 1 << worker;
    // Large enough for the longest frame that the writer accepts.
    const copy = new ArrayBuffer(this.#capacity >> 2);
    this.copy = new Uint8Array(copy);
    this.#u32 = new Uint32Array(copy);
    this.#f64 = new Float64Array(copy);
    this.#cursor = Atomics.load(this.#control, COMMITTED);
  }

  get hasMore(): boolean {
    return Atomics.load(this.#control, COMMITTED) !== this.#cursor;
  }

  /**
   * Copies whole frames, at least one, up to `bytesMax`. On 'overrun' the reader has skipped to the newest frame:
   * everything since its last read is lost.
   */
  read(bytesMax = this.copy.length): RingReadResult {
    const committed = Atomics.load(this.#control, COMMITTED);
    const available = ((committed - this.#cursor) | 0) * UNIT_BYTES;
    if (available === 0) return 'empty';
    if (available < 0 || available > this.#capacity) return this.#overrun(committed);
    const from = (this.#cursor * UNIT_BYTES) & (this.#capacity - 1);
    // The first frame's length may be overwritten while it is read; the check below then detects the overrun.
    const first = Math.min(this.#ringU32[from >> 2] ?? 0, this.copy.length);
    const size = Math.min(available, this.#capacity - from, Math.max(bytesMax, first), this.copy.length);
    this.copy.set(this.#bytes.subarray(from, from + size));
    const reserved = Atomics.add(this.#control, RESERVED, 0);
    if (((reserved - this.#cursor) | 0) * UNIT_BYTES > this.#capacity) return this.#overrun(committed);
    this.#at = 0;
    this.#end = this.#wholeFrames(size);
    this.#cursor = (this.#cursor + this.#end / UNIT_BYTES) | 0;
    return 'frames';
  }

  /** Advances to the next copied frame that is for this worker. */
  next(): boolean {
    while (this.#at < this.#end) {
      const at = this.#at;
      this.#at = at + (this.#u32[at >> 2] ?? 0);
      const head = this.#u32[(at + 4) >> 2] ?? 0;
      // A pad may be shorter than a header, so check its kind before reading any field behind it.
      if ((head & 0xff) === FrameKind.pad) continue;
      if (((this.#u32[(at + 12) >> 2] ?? 0) & this.#workerBit) === 0) continue;
      this.kind = head & 0xff;
      this.lane = (head >>> 8) & 0xff;
      this.trace = head >>> 24;
      this.source = this.#u32[(at + 8) >> 2] ?? 0;
      this.seq = this.#f64[(at + 16) >> 3] ?? 0;
      this.hubMicros = this.#f64[(at + 24) >> 3] ?? 0;
      this.tag = this.#u32[(at + 36) >> 2] ?? 0;
      this.eventMicrosOrReason = this.#f64[(at + 40) >> 3] ?? 0;
      this.prevSeq = this.#f64[(at + 48) >> 3] ?? 0;
      this.epochStart = at + FRAME_HEADER_BYTES;
      this.payloadStart = this.epochStart + ((head >>> 16) & 0xff);
      this.payloadEnd = this.payloadStart + (this.#u32[(at + 32) >> 2] ?? 0);
      return true;
    }
    return false;
  }

  /** Goes back to the first frame of the last `read`. */
  rewind(): void {
    this.#at = 0;
  }

  #wholeFrames(size: number): number {
    let at = 0;
    while (at < size) {
      const next = at + (this.#u32[at >> 2] ?? 0);
      if (next > size) break;
      at = next;
    }
    return at;
  }

  #overrun(committed: number): RingReadResult {
    this.#cursor = committed;
    this.#at = 0;
    this.#end = 0;
    return 'overrun';
  }
}
