/** What the hub hands an encoder and what it gets back: plain data that crosses threads by structured clone. */

import { type RejectReason, STALE_REASONS, type StaleReason } from '../protocol/codes.js';

export type { RejectReason } from '../protocol/codes.js';

/** Given to an encoder thread at its start. */
export interface EncoderThreadData {
  readonly ring: SharedArrayBuffer;
  readonly doorbells: SharedArrayBuffer;
  /** Most messages in one array of analytics. */
  readonly batchMax: number;
  /** Longest payload of a publisher. */
  readonly messageBytesMax: number;
  /** Levels that its books may hold together. */
  readonly bookLevelsMax: number;
  /** Where it says which record it is at (see progress.ts). */
  readonly progress: SharedArrayBuffer;
  /** Where batches are put while it attends (see mailbox.ts). */
  readonly mailbox: SharedArrayBuffer;
}

/** Records (see records.ts) in `buffer[0..bytes)`. */
export interface EncoderTask {
  readonly buffer: ArrayBuffer;
  readonly bytes: number;
}

/** Why a state topic is held back; as clients are told. */
export const HOLD_REASONS = Object.keys(STALE_REASONS) as readonly StaleReason[];
export type HoldReason = StaleReason;

/** A state source lacks a message, and waits for a whole one. */
export interface Hold {
  readonly reason: HoldReason;
  /** µs since the Unix epoch. */
  readonly sinceMicros: number;
}

/** A source that is held back from now on, or (null) is whole again. */
export interface HoldChange {
  readonly source: number;
  readonly hold: Hold | null;
}

/** A message that was refused, to be put on `deadletter.<subject>`. */
export interface Rejected {
  readonly source: number;
  readonly reason: RejectReason;
  readonly payload: Uint8Array;
}

/** A whole message that rebuilds a source whose publisher sends changes only. */
export interface Checkpoint {
  readonly source: number;
  readonly epoch: string;
  readonly seq: number;
  /** Messages up to this sequence are no longer needed. */
  readonly upTo: number;
  /** Publisher's event time of the document, µs; 0 unknown. */
  readonly tsEventMicros: number;
  readonly payload: Uint8Array;
  /** The source is held back: what it holds is older than what was published. */
  readonly hold: Hold | null;
}

/** What a batch came to. */
export interface BatchOutcome {
  /** Bit c: class c now has something to send at its next flush; bit `BATCHES_DUE`: batches of events have. Said once until that flush. */
  dueClasses: number;
  rejected: Rejected[];
  /** Further refused messages, counted only. Null: none. */
  rejectedMore: Map<RejectReason, number> | null;
  /** What was thrown: defects, not bad input. */
  failures: string[];
  checkpoints: Checkpoint[];
  holds: HoldChange[];
  /** Partial messages skipped because no whole one came before. */
  withoutBase: number;
  frames: number;
  frameBytes: number;
  busyMicros: number;
}

/** Of a batch of which there is nothing to say. */
export const newOutcome = (): BatchOutcome => ({
  dueClasses: 0,
  rejected: [],
  rejectedMore: null,
  failures: [],
  checkpoints: [],
  holds: [],
  withoutBase: 0,
  frames: 0,
  frameBytes: 0,
  busyMicros: 0,
});

export interface BatchResult extends BatchOutcome {
  /** The batch's memory, given back for the next one. */
  readonly buffer: ArrayBuffer;
}
