/** What the hub is given, what it is asked for, and what it counts. */
import type { Hold, RejectReason } from '../threads/batch.js';
import type { ToWorker } from '../threads/thread-messages.js';
import type { HubFeed } from './hub-feed.js';
import type { EncoderThread } from './shards/encoder-thread.js';

export interface HubCounters {
  messages: number;
  bytes: number;
  /** Messages on subjects that are not market data, or of new sources beyond the table's limit. */
  ignored: number;
  /** Messages that came before, as their publisher's own sequence or a client's id shows. */
  duplicates: number;
  /** Holes in a publisher's own sequence. */
  gaps: number;
  batches: number;
  frames: number;
  frameBytes: number;
  encodeMicros: number;
  withoutBase: number;
  readonly rejected: Map<RejectReason, number>;
}

export interface HubOptions {
  readonly encoders: number;
  readonly startEncoder: (shard: number) => EncoderThread;
  /** Symbols (patterns) known before any data. */
  readonly symbols: readonly string[];
  /** What the gateway's own sequences count in; a new one for every start. */
  readonly epoch: string;
  /** `monotonicMicros`, which the workers subtract from. */
  readonly nowMicros: () => number;
  readonly toWorker: (worker: number, message: ToWorker) => void;
  readonly workers: number;
  readonly feed: HubFeed;
  /** @see ShardOptions.hungAfterMs */
  readonly hungAfterMs: number;
  /** @see ShardOptions.stableAfterMs */
  readonly stableAfterMs: number;
  /** Sources that are there only because clients ask for them: symbols without data, and rooms. */
  readonly clientSourcesMax: number;
  /** The same of one user, or of one address without a credential. */
  readonly clientSourcesPerOwnerMax: number;
  /** Symbols that were published and are known at once; left out: no limit. */
  readonly symbolsMax?: number;
  /** How long one is silent, and wanted by no client, until it is forgotten, ms; 0 or left out: never. */
  readonly symbolIdleMs?: number;
  /** Memory for what clients may have missed of events. */
  readonly historyBytes: number;
  /** Longest that an analytics message waits for others. */
  readonly batchIntervalMs: number;
  /** @see ShardOptions.isBehind */
  readonly isBehind: () => boolean;
  /** A state subject lacks a message and is held back, or (null) is whole again. */
  readonly onHold: (subject: string, hold: Hold | null) => void;
  readonly onRejected: (subject: string, payload: Uint8Array, reason: RejectReason) => void;
  /** Something that should not happen happened; the hub goes on. */
  readonly onFault: (what: string, detail: string) => void;
}
