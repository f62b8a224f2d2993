/** What the hub is given, what it is asked for, and what it counts. */
import type { Hold, RejectReason } from '../protocol/batch.js';
import type { StreamPosition } from '../protocol/stream-position.js';
import type { ToWorker } from '../protocol/thread-messages.js';
import type { EncoderThread } from './encoder-thread.js';
import type { StoredPosition } from './publications.js';
import type { StoredMessage } from './replays.js';

/** One message as a feed delivers it. */
export interface HubMessage {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly tsEventMicros: number;
  readonly seq: number;
  readonly epoch: string;
  readonly contiguous: boolean;
  /** The newest number before `seq` that the feed never delivered and that may have been this subject's. */
  readonly holeSeq?: number | undefined;
  /** The mark that a gateway published it with (protocol/publication-mark.ts); '' for all others. */
  readonly publication: string;
}

/** What the hub asks of the feed. */
export interface HubFeed {
  /**
   * Somebody began or ceased to want a subject (`md.trades.*`: the trades of all symbols); resolves once it is followed, or that
   * is unavailable now. Never rejects.
   */
  follow(subject: string, wanted: boolean): Promise<unknown> | undefined;
  /** @see PublicationsOptions.publish */
  publish(subject: string, payload: Uint8Array, mark: string, key: string): Promise<StoredPosition | undefined>;
  /** Where the feed's own numbering stands that counts this subject; undefined where it has none. */
  position(subject: string): StreamPosition | undefined;
  /** @see ReplaysOptions.stored */
  stored(
    subject: string,
    afterSeq: number,
    toSeq: number,
    messagesMax: number,
    epoch: string,
  ): Promise<readonly StoredMessage[] | undefined>;
}

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
