/** What the hub hands an encoder and what it gets back: plain data that crosses threads by structured clone. */

/** Given to an encoder thread at its start. */
export interface EncoderThreadData {
  readonly ring: SharedArrayBuffer;
  readonly doorbells: SharedArrayBuffer;
  /** Most messages in one array of analytics. */
  readonly batchMax: number;
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

/** Why a publisher's message was refused; a metric label and the `Reason` of its dead letter. */
export type RejectReason =
  | 'invalid_encoding'
  | 'invalid_json'
  | 'invalid_msgpack'
  | 'not_an_object'
  | 'wrong_symbol'
  | 'wrong_type'
  | 'missing_field'
  | 'invalid_field'
  | 'too_large'
  /** The encoder failed on it: a defect of Millrace, logged as an error. */
  | 'internal';

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
  readonly payload: Uint8Array;
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
  withoutBase: 0,
  frames: 0,
  frameBytes: 0,
  busyMicros: 0,
});

export interface BatchResult extends BatchOutcome {
  /** The batch's memory, given back for the next one. */
  readonly buffer: ArrayBuffer;
}
