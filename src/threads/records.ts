/**
 * The batch that the hub hands to an encoder: consecutive records in one ArrayBuffer, so that a batch crosses threads
 * without an object per message. All integers are in native byte order.
 *
 * Record: 40-byte header, payload, padding to 8 bytes.
 * `0 u8 kind · 1 u8 flags · 2 u8 lane · 3 u8 worker · 4 u32 source · 8 u32 payload bytes · 16 f64 a · 24 f64 b · 32 f64 c`
 */

import { align8 } from '../protocol/align8.js';
import { STALE_REASON_NAMES } from '../protocol/codes.js';
import type { Hold } from './batch.js';

const RECORD_HEADER_BYTES = 40;

export const RecordKind = {
  /**
   * A publisher's message. a = seq, b = event time µs (0: unknown), c = hub receive time, from `monotonicMicros`;
   * `worker`: its trace (observe/tracing), 0: it is not traced.
   */
  data: 1,
  /** Like `data`, replayed from the hub's retention into a new encoder: rebuilds the state without sending. */
  restore: 2,
  /** Names a source. Payload: `<kind>:<symbol>`. */
  define: 3,
  /** The source's sequences belong to a new epoch from here on. Payload: the epoch. */
  epoch: 4,
  /** A worker wants (or no longer wants) a view of a source. */
  want: 5,
  unwant: 6,
  /**
   * A worker requests the current document (or last sequence) of a view. a = its request number, c = the sequence up
   * to which the asker has it from another view; 0: nothing.
   */
  snapshot: 7,
  /** A class is due: `lane` is its number, or `BATCHES_DUE` for event batches. */
  flush: 8,
  /** Events were lost. a = first, b = last sequence. Payload: the reason. */
  gap: 9,
  /** A worker has ended: it no longer wants anything. */
  forget: 10,
  /** Rebuilds an event source: its next message follows sequence a. */
  resume: 11,
  /** A worker (request c) gets what it missed of an event source after sequence a, for one view. */
  replayBegin: 12,
  /** A message that it missed: like `data`, except that c is the request. */
  replay: 13,
  /** The end of replay c. Flag `FLAG_INCOMPLETE`: some of it is unavailable. */
  replayEnd: 14,
  /** The source is forgotten: it is no longer wanted, and its number will be reused. */
  drop: 15,
  /** A message of a state source was lost, and none has followed yet. The flags carry the hold. */
  lost: 16,
  /** Asks for the document of a state source as its publisher could have sent it: the outcome has it. */
  capture: 17,
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

/** `data` flag: messages of this source before this one were lost, so a partial message cannot be applied. */
export const FLAG_LOSS_BEFORE = 1;
/** In addition: the message begins an epoch of which nothing was published before. */
export const FLAG_NEW_EPOCH = 2;
/** `restore`: an encoder's own document, with amounts written out. */
export const FLAG_CHECKPOINT = 4;
/** `restore` and `lost`: the source is held back. The bits above hold the reason; b is since when, µs. */
const FLAG_STALE = 8;
const STALE_REASON_SHIFT = 4;

export function holdFlags(hold: Hold | null): number {
  return hold === null ? 0 : FLAG_STALE | (STALE_REASON_NAMES.indexOf(hold.reason) << STALE_REASON_SHIFT);
}

export function holdOf(flags: number, sinceMicros: number): Hold | null {
  const reason = STALE_REASON_NAMES[flags >> STALE_REASON_SHIFT];
  return (flags & FLAG_STALE) === 0 || reason === undefined ? null : { reason, sinceMicros };
}

/** `replayEnd` flag. */
export const FLAG_INCOMPLETE = 1;

const encoder = new TextEncoder();
const NO_PAYLOAD = new Uint8Array(0);

/** Appends records to a buffer that grows; the caller enforces the batch limit. */
export class BatchWriter {
  #bytes: Uint8Array;
  #u32: Uint32Array;
  #f64: Float64Array;
  #at = 0;
  #records = 0;

  constructor(buffer: ArrayBuffer) {
    this.#bytes = new Uint8Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#f64 = new Float64Array(buffer);
  }

  get bytes(): number {
    return this.#at;
  }

  get records(): number {
    return this.#records;
  }

  append(
    kind: RecordKind,
    source: number,
    a: number,
    b: number,
    c: number,
    payload: Uint8Array = NO_PAYLOAD,
    flags = 0,
    lane = 0,
    worker = 0,
  ): void {
    const total = RECORD_HEADER_BYTES + align8(payload.length);
    if (this.#at + total > this.#bytes.length) this.#grow(this.#at + total);
    const at = this.#at;
    this.#u32[at >> 2] = kind | (flags << 8) | (lane << 16) | (worker << 24);
    this.#u32[(at + 4) >> 2] = source;
    this.#u32[(at + 8) >> 2] = payload.length;
    this.#f64[(at + 16) >> 3] = a;
    this.#f64[(at + 24) >> 3] = b;
    this.#f64[(at + 32) >> 3] = c;
    this.#bytes.set(payload, at + RECORD_HEADER_BYTES);
    this.#at = at + total;
    this.#records++;
  }

  appendText(kind: RecordKind, source: number, text: string, a = 0, b = 0): void {
    this.append(kind, source, a, b, 0, encoder.encode(text));
  }

  /** Hands over the buffer and how much of it is filled. Do not use the writer afterwards. */
  take(): { buffer: ArrayBuffer; bytes: number; records: number } {
    return { buffer: this.#bytes.buffer as ArrayBuffer, bytes: this.#at, records: this.#records };
  }

  #grow(needed: number): void {
    let capacity = this.#bytes.length * 2;
    while (capacity < needed) capacity *= 2;
    const grown = new Uint8Array(capacity);
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
    this.#u32 = new Uint32Array(grown.buffer);
    this.#f64 = new Float64Array(grown.buffer);
  }
}

/** Walks the records of a batch; the fields hold the current record. Reusable for further batches. */
export class BatchReader {
  kind = 0;
  flags = 0;
  lane = 0;
  worker = 0;
  source = 0;
  a = 0;
  b = 0;
  c = 0;
  /** Where the payload starts in the batch, and its length. */
  payloadStart = 0;
  payloadBytes = 0;
  #u32 = new Uint32Array(0);
  #f64 = new Float64Array(0);
  #at = 0;
  #end = 0;

  open(buffer: ArrayBuffer, bytes: number): void {
    this.#u32 = new Uint32Array(buffer);
    this.#f64 = new Float64Array(buffer);
    this.#at = 0;
    this.#end = bytes;
  }

  next(): boolean {
    const at = this.#at;
    if (at >= this.#end) return false;
    const head = this.#u32[at >> 2] ?? 0;
    this.kind = head & 0xff;
    this.flags = (head >>> 8) & 0xff;
    this.lane = (head >>> 16) & 0xff;
    this.worker = head >>> 24;
    this.source = this.#u32[(at + 4) >> 2] ?? 0;
    this.payloadBytes = this.#u32[(at + 8) >> 2] ?? 0;
    this.a = this.#f64[(at + 16) >> 3] ?? 0;
    this.b = this.#f64[(at + 24) >> 3] ?? 0;
    this.c = this.#f64[(at + 32) >> 3] ?? 0;
    this.payloadStart = at + RECORD_HEADER_BYTES;
    this.#at = at + RECORD_HEADER_BYTES + align8(this.payloadBytes);
    return true;
  }
}
