/** The hub's dependencies, settings and counters. */
import type { Hold, RejectReason } from '../threads/batch.js';
import type { ToWorker } from '../threads/thread-messages.js';
import type { HubFeed } from './hub-feed.js';
import type { EncoderThread } from './shards/encoder-thread.js';
import type { Subject } from './sources/subject-table.js';
import { newTallies, type Tallies } from './sources/tallies.js';

/** What an encoder reported. */
interface EncoderNumbers {
  readonly busyMicros: number;
  readonly heapUsedBytes: number;
  readonly heapLimitBytes: number;
}

export interface HubCounters {
  messages: number;
  /** Messages and bytes of each kind. */
  readonly kinds: Tallies;
  /** Messages on subjects that are not market data, or of new subjects beyond the table's limit. */
  ignored: number;
  /** Repeated messages, recognized by the publisher's own sequence or a client's id. */
  duplicates: number;
  /** Holes in a publisher's own sequence. */
  gaps: number;
  batches: number;
  frames: number;
  frameBytes: number;
  /** By shard. */
  readonly encoders: EncoderNumbers[];
  withoutBase: number;
  readonly rejected: Map<RejectReason, number>;
}

export const newCounters = (): HubCounters => ({
  messages: 0,
  kinds: newTallies(),
  ignored: 0,
  duplicates: 0,
  gaps: 0,
  batches: 0,
  frames: 0,
  frameBytes: 0,
  encoders: [],
  withoutBase: 0,
  rejected: new Map(),
});

/** Where traces of messages start. */
interface Traces {
  /**
   * @param subject with the sequence and epoch of this message
   * @param hubMicros when the hub received it, from `monotonicMicros`
   * @returns the number of its trace; 0: it is not traced
   */
  begin(
    message: { readonly traceparent: string },
    subject: Pick<Subject, 'id' | 'name' | 'kind' | 'symbol' | 'epoch' | 'seq'>,
    hubMicros: number,
  ): number;
}

export interface HubOptions {
  readonly encoders: number;
  readonly startEncoder: (shard: number) => EncoderThread;
  /** Symbols (patterns) known before any data. */
  readonly symbols: readonly string[];
  /** The epoch of the gateway's own sequences; a new one for every start. */
  readonly epoch: string;
  /** `monotonicMicros`, which the workers subtract from. */
  readonly nowMicros: () => number;
  readonly toWorker: (worker: number, message: ToWorker) => void;
  readonly workers: number;
  readonly feed: HubFeed;
  /** The feed says that it has lost its upstream. */
  readonly isFeedStale: () => boolean;
  /** @see ShardOptions.hungAfterMs */
  readonly hungAfterMs: number;
  /** @see ShardOptions.stableAfterMs */
  readonly stableAfterMs: number;
  /** Maximum subjects that exist only because clients ask for them: symbols without data, and rooms. */
  readonly clientSubjectsMax: number;
  /** Maximum of the same per user, or per address without a credential. */
  readonly clientSubjectsPerOwnerMax: number;
  /** Maximum published symbols known at once; omitted: no limit. */
  readonly symbolsMax?: number;
  /** How long a symbol must be silent, and wanted by no client, before it is forgotten, ms; 0 or omitted: never. */
  readonly symbolIdleMs?: number;
  /** Memory for events that clients may have missed. */
  readonly historyBytes: number;
  /** File of the products whose data is held back; undefined: there are none. */
  readonly productsFile?: string | undefined;
  /** Memory for data that is held back; omitted: none. */
  readonly delayedBytesMax?: number;
  /** Longest time that an analytics message waits for others. */
  readonly batchIntervalMs: number;
  /** @see ShardOptions.isLagging */
  readonly isLagging: () => boolean;
  /** Undefined: nothing is traced. */
  readonly traces?: Traces | undefined;
  /** A state subject lacks a message and is held back, or (null) is whole again. */
  readonly onHold: (subject: string, hold: Hold | null) => void;
  readonly onRejected: (subject: string, payload: Uint8Array, reason: RejectReason) => void;
  /** Something unexpected happened; the hub keeps running. */
  readonly onFault: (what: string, detail: string) => void;
}
