/**
 * The newest raw messages of all event subjects, for returning clients: one circular buffer, so that its memory is
 * fixed whatever is published. Each record links to the previous one of its subject.
 *
 * Record: 48-byte header, payload, padding to 8 bytes, never wrapped around the buffer's end.
 * `0 f64 seq · 8 f64 previous seq · 16 f64 event time µs · 24 f64 place of its previous record, −1 none ·`
 * `32 u32 payload bytes`
 *
 * Places are byte offsets since the first record, taken modulo the capacity.
 */

import { align8 } from '../../protocol/align8.js';
import type { HubMessage } from '../hub-feed.js';
import type { Subject } from '../sources/subject-table.js';

const HEADER_BYTES = 48;
/** The preceding message is unknown: no client may be told that it missed nothing. */
export const UNKNOWN_SEQ = Number.POSITIVE_INFINITY;

/** One past message; the payload is valid until the next `add`. */
export interface PastMessage {
  readonly seq: number;
  readonly tsEventMicros: number;
  readonly payload: Uint8Array;
}

export class EventHistory {
  readonly #capacity: number;
  #bytes: Uint8Array | undefined;
  #f64 = new Float64Array(0);
  #u32 = new Uint32Array(0);
  /** Where the next record begins. */
  #end = 0;

  /** @param capacityBytes allocated at the first message; rounded to 8 bytes. 0 keeps nothing. */
  constructor(capacityBytes: number) {
    this.#capacity = align8(capacityBytes);
  }

  /** @param prevSeq the sequence that the message follows; `UNKNOWN_SEQ` if unknown */
  add(subject: Subject, payload: Uint8Array, seq: number, prevSeq: number, tsEventMicros: number): void {
    const total = HEADER_BYTES + align8(payload.length);
    if (total > this.#capacity) {
      // Do not link across a message that is not stored.
      subject.historyAt = -1;
      return;
    }
    this.#bytes ??= this.#allocate();
    let at = this.#end % this.#capacity;
    if (this.#capacity - at < total) {
      this.#end += this.#capacity - at;
      at = 0;
    }
    this.#f64[at >> 3] = seq;
    this.#f64[(at + 8) >> 3] = prevSeq;
    this.#f64[(at + 16) >> 3] = tsEventMicros;
    // Do not link across an unknown gap either.
    this.#f64[(at + 24) >> 3] = prevSeq === UNKNOWN_SEQ ? -1 : subject.historyAt;
    this.#u32[(at + 32) >> 2] = payload.length;
    this.#bytes.set(payload, at + HEADER_BYTES);
    subject.historyAt = this.#end;
    this.#end += total;
  }

  /**
   * Places of the subject's messages after `seq`, oldest first; undefined when one of them may have left the buffer, or
   * when there are more than `max`.
   */
  placesAfter(subject: Subject, seq: number, max: number): number[] | undefined {
    const places: number[] = [];
    let place = subject.historyAt;
    if (subject.seq <= seq) return places;
    while (this.#has(place)) {
      const at = place % this.#capacity;
      if ((this.#f64[at >> 3] ?? 0) <= seq) return places.reverse();
      if (places.length >= max) return undefined;
      places.push(place);
      if ((this.#f64[(at + 8) >> 3] ?? UNKNOWN_SEQ) <= seq) return places.reverse();
      place = this.#f64[(at + 24) >> 3] ?? -1;
    }
    return undefined;
  }

  /** The message at a place; undefined when it has left the buffer. */
  read(place: number): PastMessage | undefined {
    if (!this.#has(place) || this.#bytes === undefined) return undefined;
    const at = place % this.#capacity;
    const start = at + HEADER_BYTES;
    return {
      seq: this.#f64[at >> 3] ?? 0,
      tsEventMicros: this.#f64[(at + 16) >> 3] ?? 0,
      payload: this.#bytes.subarray(start, start + (this.#u32[(at + 32) >> 2] ?? 0)),
    };
  }

  #has(place: number): boolean {
    return place >= 0 && place >= this.#end - this.#capacity;
  }

  #allocate(): Uint8Array {
    const buffer = new ArrayBuffer(this.#capacity);
    this.#f64 = new Float64Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    return new Uint8Array(buffer);
  }
}

/** The sequence that an event follows. */
export function prevSeqOf(subject: Subject, m: HubMessage): number {
  if (subject.seq > 0 || m.epoch === '') return subject.seq;
  // The first message of a gapless numbering.
  return m.contiguous ? m.seq - 1 : UNKNOWN_SEQ;
}
