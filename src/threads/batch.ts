/** What the hub hands to an encoder and gets back: plain data that crosses threads by structured clone. */

import type { RejectReason, StaleReason } from '../protocol/codes.js';

export type { RejectReason, StaleReason } from '../protocol/codes.js';

/** Start data of an encoder thread. */
export interface EncoderThreadData {
  readonly ring: SharedArrayBuffer;
  readonly doorbells: SharedArrayBuffer;
  /** Maximum messages in one analytics array. */
  readonly batchMax: number;
  /** Longest payload from a publisher. */
  readonly messageBytesMax: number;
  /** Maximum levels in all its books together. */
  readonly bookLevelsMax: number;
  /** Where it reports the record it is at (see progress.ts). */
  readonly progress: SharedArrayBuffer;
  /** Where batches are posted while it attends (see handoff-slot.ts). */
  readonly handoffSlot: SharedArrayBuffer;
  /** Where it reports traced messages (see trace-reports.ts); undefined: nothing is traced. */
  readonly traces?: SharedArrayBuffer | undefined;
}

/** Records (see records.ts) in `buffer[0..bytes)`. */
export interface EncoderTask {
  readonly buffer: ArrayBuffer;
  readonly bytes: number;
}

/** A state source lacks a message and needs a complete one. */
export interface Hold {
  readonly reason: StaleReason;
  /** µs since the Unix epoch. */
  readonly sinceMicros: number;
}

/** A source that is now held back, or (null) whole again. */
interface HoldChange {
  readonly source: number;
  readonly hold: Hold | null;
}

/** A rejected message, to be published on `deadletter.<subject>`. */
interface Rejected {
  readonly source: number;
  readonly reason: RejectReason;
  readonly payload: Uint8Array;
}

/** A complete message that rebuilds a source whose publisher sends only changes. */
export interface Checkpoint {
  readonly source: number;
  readonly epoch: string;
  readonly seq: number;
  /** Messages up to this sequence are no longer needed. */
  readonly upTo: number;
  /** Publisher's event time of the document, µs; 0: unknown. */
  readonly tsEventMicros: number;
  readonly payload: Uint8Array;
  /** The source is held back: its document is older than what was published. */
  readonly hold: Hold | null;
}

/** The outcome of a batch. */
export interface BatchOutcome {
  /**
   * Bit c: class c now has something to send at its next flush; bit `BATCHES_DUE`: event batches do. Reported once
   * until that flush.
   */
  dueClasses: number;
  rejected: Rejected[];
  /** Further rejected messages, counted only. Null: none. */
  rejectedMore: Map<RejectReason, number> | null;
  /** Exceptions: defects, not bad input. */
  failures: string[];
  checkpoints: Checkpoint[];
  /** Documents that the hub asked for, with as many levels as clients can see. */
  captures: Checkpoint[];
  holds: HoldChange[];
  /** Partial messages skipped because no complete one came before. */
  withoutBase: number;
  frames: number;
  frameBytes: number;
  busyMicros: number;
  /** Of the thread, at most a second ago. */
  heapUsedBytes: number;
  heapLimitBytes: number;
}

/** The outcome of a batch with nothing to report. */
export const newOutcome = (): BatchOutcome => ({
  dueClasses: 0,
  rejected: [],
  rejectedMore: null,
  failures: [],
  checkpoints: [],
  captures: [],
  holds: [],
  withoutBase: 0,
  frames: 0,
  frameBytes: 0,
  busyMicros: 0,
  heapUsedBytes: 0,
  heapLimitBytes: 0,
});

export interface BatchResult extends BatchOutcome {
  /** The batch's memory, returned for reuse. */
  readonly buffer: ArrayBuffer;
}
