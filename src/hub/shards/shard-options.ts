/** What a shard depends on. */
import type { BatchResult } from '../../threads/batch.js';
import type { StartedRecord } from '../../threads/progress.js';
import type { LostRange } from '../sources/lost-ranges.js';
import type { Subject } from '../sources/subject-table.js';
import type { EncoderThread } from './encoder-thread.js';

export interface ShardOptions {
  readonly index: number;
  readonly startThread: () => EncoderThread;
  /** Subjects by number, to tell events from states. */
  readonly subject: (id: number) => Subject | undefined;
  readonly nowMicros: () => number;
  readonly onResult: (result: BatchResult) => void;
  /** The thread died, at this record if any: the events of its batch are lost, and its state must be rebuilt. */
  readonly onCrash: (cause: Error, lost: ReadonlyMap<number, LostRange>, at: StartedRecord | undefined) => void;
  /** Something unexpected happened; the shard keeps running. */
  readonly onFault: (what: string, detail: string) => void;
  /** How long a thread may stay at one record before it is replaced, ms. */
  readonly hungAfterMs: number;
  /** A thread that ran this long is no longer considered in a crash loop, ms. */
  readonly stableAfterMs: number;
  /** Longest time that an event of a batched kind waits for others. */
  readonly batchIntervalMs: number;
  readonly queueBytesMax?: number;
  /** True while a worker is behind with what the encoders have produced. */
  readonly isLagging: () => boolean;
}
