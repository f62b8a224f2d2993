/** What gateway workers and the main thread say to each other besides market data. */
import type { ErrorCode } from '../protocol/codes.js';
import type { Tier } from '../protocol/lanes.js';
import type { Load } from '../protocol/load.js';

/** Worker → main: changes of interest, in order. Numbers are those of the source's name. */
export type InterestChange =
  /** `owner`: an opaque number of the user on whose behalf it is wanted, or of the address of one without a credential. */
  | {
      readonly op: 'want';
      readonly source: string;
      readonly lane: number;
      readonly request: number;
      readonly owner: number;
    }
  /** What was wanted on behalf of one owner, who has left, is wanted on behalf of this one. */
  | { readonly op: 'own'; readonly source: string; readonly lane: number; readonly owner: number }
  | { readonly op: 'unwant'; readonly source: string; readonly lane: number }
  /**
   * Asks for the lane's document (state) or last sequence (event); the answer comes through the ring. `held`: what whoever asks
   * holds of it already, from another lane.
   */
  | {
      readonly op: 'ask';
      readonly source: string;
      readonly lane: number;
      readonly request: number;
      readonly held?: { readonly epoch: string; readonly seq: number } | undefined;
    }
  /** Nobody waits for this replay any more; its end comes through the ring all the same. */
  | { readonly op: 'cancel'; readonly source: string; readonly request: number }
  /** Asks for all events behind a place; they and the end come through the ring. */
  | {
      readonly op: 'replay';
      readonly source: string;
      readonly lane: number;
      /** Whose: institutional clients come first. */
      readonly tier: Tier;
      readonly request: number;
      readonly since: { readonly epoch: string; readonly seq: number };
    };

/** What a revocation ends; `atMs`: when it was ordered, ms since the Unix epoch. See auth/revocations.ts. */
export interface RevocationRecord {
  readonly by: 'sub' | 'jti' | 'api_key';
  readonly value: string;
  readonly atMs: number;
}

/** What the main thread gives a gateway worker at its start, besides the configuration. */
export interface GatewayThreadData {
  /** The worker's index: its bit in frame masks, its doorbell. */
  readonly worker: number;
  /** Port to listen on; 0 for any free one. */
  readonly port: number;
  readonly rings: readonly SharedArrayBuffer[];
  readonly doorbells: SharedArrayBuffer;
  /** Three Int32 a worker: its connections without a credential, of retail and of institutional users. */
  readonly connections: SharedArrayBuffer;
  /** One Int32 a worker: 1 while it is behind (see Fanout.isBehind). */
  readonly behind: SharedArrayBuffer;
  /** The same three of bytes that wait for its sockets, in units of 1 KiB. */
  readonly waiting: SharedArrayBuffer;
  /** 64 random bits: what users and addresses are hashed with to the numbers that stand for them. */
  readonly ownerSeed: readonly [number, number];
  /** Bytes that users publish, by user; a table a worker. */
  readonly published: SharedArrayBuffer;
  /** Connections by address and by user, and attempts to connect by address; a table a worker. */
  readonly addresses: SharedArrayBuffer;
  readonly users: SharedArrayBuffer;
  readonly attempts: SharedArrayBuffer;
  /** Sockets without a request, by address; a table a worker. */
  readonly pending: SharedArrayBuffer;
  /** A row a worker: that its event loop turns, and what it works for (gateway/supervision/watchdog.ts). */
  readonly turns: SharedArrayBuffer;
  /** Credentials that were refused, by address; a table a worker. */
  readonly failures: SharedArrayBuffer;
  /** What users and addresses owe for work, one table for all workers, and what its keys are hashed with. */
  readonly debts: { readonly table: SharedArrayBuffer; readonly seed: readonly [number, number] };
  /** All revocations. The worker knows them before it listens. */
  readonly revocations: readonly RevocationRecord[];
}

/** Counters of one worker since its start; gauges where the name is not a past participle. */
export interface WorkerStats {
  readonly open: number;
  readonly opened: number;
  readonly closed: number;
  readonly received: number;
  readonly receivedBytes: number;
  /** Refused upgrades by HTTP status. */
  readonly refused: readonly (readonly [status: number, count: number])[];
  /** Refused upgrades by the limit that was reached. */
  readonly limited: readonly (readonly [limit: string, count: number])[];
  /** Sockets without a request, and those that were closed because there were too many. */
  readonly pending: number;
  readonly pendingRefused: number;
  /** Client messages over the rate. */
  readonly messagesRefused: number;
  /** Closes that the gateway began, by code. */
  readonly closes: readonly (readonly [code: number, count: number])[];
  readonly pings: number;
  /** Key: `stream|format|class`. */
  readonly sent: readonly { readonly key: string; readonly messages: number; readonly bytes: number }[];
  readonly control: { readonly messages: number; readonly bytes: number };
  readonly lanes: number;
  readonly buffered: number;
  readonly dropped: number;
  readonly stalls: number;
  /** Circuits that are not closed. */
  readonly circuits: { readonly open: number; readonly halfOpen: number };
  readonly resumes: number;
  /** Clients whose state topics are sent slower than they asked for. */
  readonly conflated: number;
  /** Steps to a slower class, over the high-water mark or by a suspension, and back. */
  readonly paces: { readonly overHighWater: number; readonly suspended: number; readonly restores: number };
  /** Bytes that wait for sockets in user space: for all of them, and for the one for which most do. */
  readonly waitingBytes: { readonly all: number; readonly most: number };
  readonly turns: number;
  readonly overruns: number;
  /** Bucket b: frames that took less than 2^b µs from the hub to their publish. */
  readonly latencyBuckets: readonly number[];
  readonly latencySumMicros: number;
  /** How late the event loop, and the youngest realtime frame, was at the last look. */
  readonly loopDelayMs: number;
  readonly frameAgeMs: number;
  /** Commands of retail clients refused under overload. */
  readonly commandsShed: number;
  /** Messages to rooms refused because their user published too many bytes. */
  readonly publishedOverRate: number;
  /** Connections closed because too many bytes waited for all sockets, by rank. */
  readonly closedForTotal: readonly (readonly [rank: string, count: number])[];
  /** Units of work charged to clients, times that something was refused for want of them, and debts not remembered. */
  readonly work: { readonly units: number; readonly refused: number; readonly overflow: number };
  /** Requests for documents and for what was missed that wait for their turn. */
  readonly requestsWaiting: number;
  /** What clients missed: bytes that wait to be sent, or are kept for others; topics that took part in what others asked for. */
  readonly missed: { readonly bytes: number; readonly shared: number };
}

/** Work for one session that took too long, as it is logged. */
export interface LongWork {
  /** The session's number in its thread; undefined where the connection was yet to be admitted. */
  readonly connection: number | undefined;
  readonly address: string | undefined;
  /** The user's pseudonym; undefined for an anonymous connection. */
  readonly user: string | undefined;
  /** A command's action, or what the socket was served for. */
  readonly action: string;
  readonly ms: number;
  /** It was stopped half-way; else it came to its end. */
  readonly isStopped: boolean;
}

/** How the feed is doing, as clients are told. */
export type FeedState = 'live' | 'stale' | 'failover';

export type FromWorker =
  /** It serves: it listens on this port, or will when it is told to. */
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'listen_failed'; readonly port: number }
  | { readonly type: 'interest'; readonly changes: readonly InterestChange[] }
  /** Are these symbols known? Answered by `known`. */
  | { readonly type: 'lookup'; readonly id: number; readonly symbols: readonly string[] }
  /**
   * A client's message to a room, in JSON; publications with one key ('' none) are one, which `content` stands for. Both are
   * hashes. Answered by `published`.
   */
  | {
      readonly type: 'publish';
      readonly id: number;
      readonly room: string;
      readonly payload: Uint8Array;
      readonly key: string;
      readonly content: string;
      /** On whose behalf: see `InterestChange`. */
      readonly owner: number;
    }
  /** Connections were closed because too many bytes waited for all sockets; so many waited for these. */
  | { readonly type: 'shed'; readonly sockets: number; readonly bytes: number }
  /** How loaded the worker is, when that changes; 0: it keeps up. */
  | { readonly type: 'load'; readonly level: number }
  /** The thread is about to end because of this; with its last counters, where there are any. */
  | { readonly type: 'failed'; readonly message: string; readonly stats: WorkerStats | undefined }
  /** The thread hung and is about to be terminated. */
  | { readonly type: 'abandoned'; readonly stats: WorkerStats | undefined }
  /** Work for one session took too long; its connection is closed. */
  | { readonly type: 'long_work'; readonly work: LongWork }
  /** Something that should not happen happened; the worker goes on. */
  | { readonly type: 'fault'; readonly message: string }
  | { readonly type: 'stats'; readonly id: number; readonly stats: WorkerStats }
  /** The worker refuses what the last `revoke` named; the next one may come. */
  | { readonly type: 'revoked' }
  /** All clients were sent elsewhere, after `retire`. */
  | { readonly type: 'empty' };

export type ToWorker =
  /** Symbols that became known. */
  | { readonly type: 'symbols'; readonly symbols: readonly string[] }
  /** Symbols that are not known any more, and the numbers of their sources, which will stand for others. */
  | { readonly type: 'forgotten'; readonly symbols: readonly string[]; readonly sources: readonly number[] }
  /** Numbers of sources of events, so that losses can be named. */
  | { readonly type: 'event_sources'; readonly sources: readonly (readonly [id: number, symbol: string])[] }
  | { readonly type: 'known'; readonly id: number; readonly symbols: readonly string[] }
  /** The source of this request cannot be had: it is not known, or there are too many; of this owner, where one is named. */
  | { readonly type: 'refused'; readonly request: number; readonly owner?: number }
  | { readonly type: 'published'; readonly id: number; readonly epoch: string; readonly seq: number }
  | {
      readonly type: 'published';
      readonly id: number;
      readonly code: ErrorCode;
      readonly failure: string;
      readonly retryAfterMs?: number;
    }
  /** The feed's status changed, or a worker that starts is told. `since`: RFC 3339; `load`: left out as long as it never was other than normal. */
  | { readonly type: 'status'; readonly feed: FeedState; readonly since: string; readonly load?: Load }
  /** Revocations that are new, or later than the one before. Answered by `revoked`. */
  | { readonly type: 'revoke'; readonly revocations: readonly RevocationRecord[] }
  | { readonly type: 'stats'; readonly id: number }
  /** Refuse new connections, and send the present ones elsewhere within DRAIN_TIMEOUT. The thread goes on. */
  | { readonly type: 'drain' }
  /** Leave the port to others and send the clients elsewhere, within DRAIN_TIMEOUT; then say `empty`. */
  | { readonly type: 'retire' }
  /** Give newcomers the certificate that the files hold now. */
  | { readonly type: 'certificate' }
  /** Listen, or do not: there are no descriptors for those who would come. */
  | { readonly type: 'accept'; readonly isAccepting: boolean }
  /** Refuse new connections, close the present ones with 1001, then end. */
  | { readonly type: 'close' };
