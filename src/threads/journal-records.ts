/** What producers hand to the journal thread, and how main and that thread talk. */
import type { MessagePort } from 'node:worker_threads';
import type { MembersOf, ViewMembers } from '../journal/kinds.js';

export type { NewRecord, ViewMembers } from '../journal/kinds.js';

/** What an operator ordered. */
export type AdminRecord = { readonly k: 'admin' } & Readonly<MembersOf<'admin'>>;

/** What a producer is given at its start. */
export interface JournalStart {
  /** To the journal thread. */
  readonly port: MessagePort;
  /** See journal-cells.ts. */
  readonly cells: SharedArrayBuffer;
  /** New connections are refused while the journal fails (`JOURNAL_FAIL=closed`). */
  readonly refuses: boolean;
}

/** Fields of a row of published messages. */
export const EmitRow = { view: 0, epoch: 1, prev: 2, seq: 3, messages: 4, micros: 5 } as const;
export const EMIT_ROW_FIELDS = 6;
/** `prev` of a whole document. */
export const WHOLE = -1;

/** Producer → journal thread. Everything is in the order in which it happened. */
export interface JournalBatch {
  /** JSON of records with their time, users and addresses raw. */
  readonly records: readonly string[];
  /** For each record, how many rows come before it. */
  readonly rowsBefore: readonly number[];
  /** Rows of `EMIT_ROW_FIELDS` numbers. */
  readonly rows: Float64Array<ArrayBuffer>;
  /** Views that became known, or whose number now means another one: they apply before the rows. */
  readonly views: readonly (readonly [view: number, members: ViewMembers])[];
  /** Epochs that views began. Each has a number of its own. */
  readonly epochs: readonly (readonly [view: number, epoch: number, text: string])[];
  /** Records and rows that were dropped before these. */
  readonly dropped: number;
  /** What it counts in the producer's cells. */
  readonly bytes: number;
}

/** Users or addresses, for which pseudonyms are wanted. */
export type Subject = readonly [kind: 'user' | 'address', text: string];

/** Main → journal thread. */
export type ToJournal =
  | { readonly type: 'producer'; readonly worker: number; readonly port: MessagePort }
  /** Answered by `pseudonyms`. */
  | { readonly type: 'name'; readonly id: number; readonly subjects: readonly Subject[] }
  /** How good the clock is, for the heads of segments. */
  | { readonly type: 'clock'; readonly quality: MembersOf<'clock'> }
  /** Write everything and end. */
  | { readonly type: 'close' };

/** State of the journal thread, posted each second. */
export interface JournalStats {
  readonly records: number;
  readonly bytes: number;
  /** In the whole journal. */
  readonly blocks: number;
  /** Segments completed by this process. */
  readonly sealed: number;
  /** Segments in the folder, and their bytes. */
  readonly segments: number;
  readonly segmentBytes: number;
  /** Writes that the disk refused. */
  readonly faults: number;
  /** Why it cannot be written now; undefined: it can. */
  readonly failure: string | undefined;
  /** Why complete segments stay uncompressed, or old ones stay; undefined: they do not. */
  readonly maintenanceFailure: string | undefined;
  /** Time from a record's event to its block being written: the longest of the last second. */
  readonly lagSeconds: number;
  readonly fsyncs: number;
  readonly fsyncSeconds: number;
  /** Users and addresses that have a key. */
  readonly subjects: number;
  /** Pseudonyms whose key was not kept, because there are too many. */
  readonly keyless: number;
}

/** Journal thread → main. */
export type FromJournal =
  /** It writes. `isKeyNew`: the key that signs checkpoints was made now. */
  | {
      readonly type: 'ready';
      readonly publicKey: string;
      readonly publicKeyFile: string;
      readonly isKeyNew: boolean;
    }
  /** It cannot start. */
  | { readonly type: 'refused'; readonly reason: string }
  | { readonly type: 'stats'; readonly stats: JournalStats }
  /** A signed checkpoint, as a C2SP note. */
  | { readonly type: 'checkpoint'; readonly note: string; readonly blocks: number }
  /** The disk refuses to be written. Reported once; `recovered` follows. */
  | { readonly type: 'failing'; readonly reason: string }
  | { readonly type: 'recovered' }
  /** A segment could not be compressed or removed. */
  | { readonly type: 'fault'; readonly what: string; readonly detail: string }
  | { readonly type: 'pseudonyms'; readonly id: number; readonly pseudonyms: readonly string[] }
  /** It ends. `note`: its last checkpoint; undefined: it could not be written. `unwritten`: batches that are lost. */
  | { readonly type: 'closed'; readonly note: string | undefined; readonly unwritten: number };
