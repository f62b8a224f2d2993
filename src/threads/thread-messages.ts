/** Messages between gateway workers and the main thread, apart from market data. */
import type { MessagePort } from 'node:worker_threads';
import type { JSONWebKeySet } from 'jose';
import type { ErrorCode } from '../protocol/codes.js';
import type { Load } from '../protocol/load.js';
import type { Tier } from '../protocol/view-options.js';
import type { AdminAnswer, AdminQuestion } from './admin-messages.js';
import type { ClientLine, LongWork } from './client-lines.js';
import type { JournalStart } from './journal-records.js';
import type { ClientReport } from './surveillance-messages.js';
import type { WorkerStats } from './worker-stats.js';

/** Worker → main: changes of interest, in order. `source` is the source's name. */
export type InterestChange =
  /**
   * `owner`: an opaque number for the user on whose behalf it is wanted, or for the address of a client without a
   * credential.
   */
  | {
      readonly op: 'want';
      readonly source: string;
      readonly lane: number;
      readonly request: number;
      readonly owner: number;
    }
  /** An owner has left; what was wanted on its behalf is now wanted on behalf of this one. */
  | { readonly op: 'own'; readonly source: string; readonly lane: number; readonly owner: number }
  | { readonly op: 'unwant'; readonly source: string; readonly lane: number }
  /**
   * Requests the view's document (state) or last sequence (event); the answer comes through the ring. `sentUpTo`: how much
   * of it the asker already has from another view.
   */
  | {
      readonly op: 'ask';
      readonly source: string;
      readonly lane: number;
      readonly request: number;
      readonly sentUpTo?: { readonly epoch: string; readonly seq: number } | undefined;
    }
  /** The replay is no longer needed; its end still comes through the ring. */
  | { readonly op: 'cancel'; readonly source: string; readonly request: number }
  /** Requests all events after a position; they and the end marker come through the ring. */
  | {
      readonly op: 'replay';
      readonly source: string;
      readonly lane: number;
      /** The client's tier: institutional clients come first. */
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
  /** Whether the process is ready (shared-readiness.ts). */
  readonly readiness: SharedArrayBuffer;
  /** Verifies the tokens that the gateway makes itself (auth/live-token.ts). */
  readonly liveSecret: string;
  /** Three Int32 per worker: its connections without a credential, of retail and of institutional users. */
  readonly connections: SharedArrayBuffer;
  /** One Int32 per worker: 1 while it lags (see Fanout.isLagging). */
  readonly lagging: SharedArrayBuffer;
  /** The same three for bytes buffered for its sockets, in units of 1 KiB. */
  readonly waiting: SharedArrayBuffer;
  /** 64 random bits: the seed that hashes users and addresses to the numbers that stand for them. */
  readonly ownerSeed: readonly [number, number];
  /** Bytes that users publish, by user; one table per worker. */
  readonly published: SharedArrayBuffer;
  /** Connections by address and by user; one table per worker. */
  readonly addresses: SharedArrayBuffer;
  readonly users: SharedArrayBuffer;
  /** The same for connections that use market data, by user. */
  readonly uses: SharedArrayBuffer;
  /** Connection attempts by address: those admitted, one table per worker, and the queues of those refused. */
  readonly attempts: {
    readonly rates: SharedArrayBuffer;
    readonly queues: SharedArrayBuffer;
    readonly seed: readonly [number, number];
  };
  /** Sockets without a request, by address; one table per worker. */
  readonly pending: SharedArrayBuffer;
  /** One row per worker: that its event loop turns, and what it works on (gateway/supervision/watchdog.ts). */
  readonly turns: SharedArrayBuffer;
  /** Failed credentials, by address; one table per worker. */
  readonly failures: SharedArrayBuffer;
  /** What users and addresses owe for work: one table for all workers, and the seed that hashes its keys. */
  readonly debts: { readonly table: SharedArrayBuffer; readonly seed: readonly [number, number] };
  /** Where the worker reports traced messages (trace-reports.ts); undefined: nothing is traced. */
  readonly traces?: SharedArrayBuffer | undefined;
  /** Where the worker records what the journal keeps (journal-outlet.ts); undefined: there is no journal. */
  readonly journal?: JournalStart | undefined;
  /** All revocations. The worker knows them before it listens. */
  readonly revocations: readonly RevocationRecord[];
  /** The keys at AUTH_JWKS_URL; undefined: there are none. Later ones are posted. */
  readonly keys: JSONWebKeySet | undefined;
}

/** Settings that change while the gateway runs. */
export interface ReloadedSettings {
  /** HS256 secrets: the one that signs, and the one before it. */
  readonly secret: string | undefined;
  readonly previousSecret: string | undefined;
  readonly logClients: 'all' | 'problems' | 'off';
  readonly logUsers: 'pseudonym' | 'name' | 'journal';
}

/** A file or address that a worker has read again. */
export interface Reloaded {
  /** The setting that names it. */
  readonly name: string;
  /** Why it is unusable: what was read before stays in force. */
  readonly problem: string | undefined;
}

/** The state of the feed, as reported to clients. */
export type FeedState = 'live' | 'stale' | 'failover';

export type FromWorker =
  | AdminAnswer
  | ClientReport
  /** The worker serves: it listens on this port, or will when told to. */
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'listen_failed'; readonly port: number }
  | { readonly type: 'interest'; readonly changes: readonly InterestChange[] }
  /** Asks whether these symbols are known. Answered by `known`. */
  | { readonly type: 'lookup'; readonly id: number; readonly symbols: readonly string[] }
  /**
   * A client's room message, in JSON. Publications with the same key ('' for none) are one publication; `content`
   * identifies what it contains. Both are hashes. Answered by `published`.
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
  /** Connections were closed because too many bytes were buffered for all sockets; `bytes` were buffered for these. */
  | { readonly type: 'shed'; readonly sockets: number; readonly bytes: number }
  /** The worker's load level, when it changes; 0: it keeps up. */
  | { readonly type: 'load'; readonly level: number }
  /** The thread is about to end because of this; with its last counters, if it has any. */
  | { readonly type: 'failed'; readonly message: string; readonly stats: WorkerStats | undefined }
  /** The thread hung and is about to be terminated. */
  | { readonly type: 'abandoned'; readonly stats: WorkerStats | undefined }
  /** Work for one session took too long; its connection is closed. */
  | { readonly type: 'long_work'; readonly work: LongWork }
  /** Something unexpected happened; the worker keeps running. */
  | { readonly type: 'fault'; readonly message: string }
  | { readonly type: 'stats'; readonly id: number; readonly stats: WorkerStats }
  /** A token names a key that the worker lacks. Answered by `keys`, which may be the same ones. */
  | { readonly type: 'keys_wanted' }
  /** Lines for the log, and how many more there were. */
  | { readonly type: 'clients'; readonly lines: readonly ClientLine[]; readonly leftOut: number }
  /** Answers `reload`. */
  | { readonly type: 'reloaded'; readonly id: number; readonly reloaded: readonly Reloaded[] }
  /** The worker now refuses what the last `revoke` named; the next one may be sent. */
  | { readonly type: 'revoked' }
  /** A user has more connections than allowed (`isUse`: with market data), and the oldest is to be closed. */
  | { readonly type: 'over_user_limit'; readonly user: string; readonly isUse?: boolean }
  /**
   * Since when the oldest of the worker's connections has been the user's, on the clock that all threads share;
   * undefined: it has none.
   */
  | { readonly type: 'oldest'; readonly id: number; readonly sinceMs: number | undefined }
  /** All clients have been redirected, after `retire`. */
  | { readonly type: 'empty' };

export type ToWorker =
  | AdminQuestion
  /** The journal thread was replaced: from here on, records go there. */
  | { readonly type: 'journal'; readonly port: MessagePort }
  /** Symbols that became known. */
  | { readonly type: 'symbols'; readonly symbols: readonly string[] }
  /** Symbols that are no longer known, and the numbers of their sources, which will be reused. */
  | { readonly type: 'forgotten'; readonly symbols: readonly string[]; readonly sources: readonly number[] }
  /** Numbers of event sources, so that losses can be attributed. */
  | { readonly type: 'event_sources'; readonly sources: readonly (readonly [id: number, symbol: string])[] }
  | { readonly type: 'known'; readonly id: number; readonly symbols: readonly string[] }
  /**
   * There is no source for this request: it is unknown, or there are too many; if an owner is named, too many of that
   * owner's. `isUnavailable`: NATS does not let this gateway follow it.
   */
  | { readonly type: 'refused'; readonly request: number; readonly owner?: number; readonly isUnavailable?: boolean }
  /** A replay waits for the feed, or no longer does. It ends with its mark even so. */
  | { readonly type: 'held'; readonly request: number; readonly isHeld: boolean }
  /** `isOpened`: the room has no followers, so the feed followed it for this message. */
  | {
      readonly type: 'published';
      readonly id: number;
      readonly isOpened?: boolean;
      readonly epoch: string;
      readonly seq: number;
    }
  | {
      readonly type: 'published';
      readonly id: number;
      readonly isOpened?: boolean;
      readonly code: ErrorCode;
      readonly failure: string;
      readonly retryAfterMs?: number;
    }
  /**
   * The feed's status changed, or a worker starts. `since`: RFC 3339; `load`: omitted until it first differs from
   * normal.
   */
  | { readonly type: 'status'; readonly feed: FeedState; readonly since: string; readonly load?: Load }
  /** Revocations that are new, or later than an earlier one. Answered by `revoked`. */
  | { readonly type: 'revoke'; readonly revocations: readonly RevocationRecord[] }
  /** The keys at AUTH_JWKS_URL: other ones, or the answer to `keys_wanted`. Undefined: there are none to be used. */
  | { readonly type: 'keys'; readonly keys: JSONWebKeySet | undefined }
  | { readonly type: 'stats'; readonly id: number }
  /** Asks for the user's oldest connection. Answered by `oldest`. */
  | { readonly type: 'oldest'; readonly id: number; readonly user: string; readonly isUse?: boolean }
  /** Close the user's oldest connection, unless the user is back within the limit. */
  | { readonly type: 'replace_oldest'; readonly user: string; readonly isUse?: boolean }
  /** Refuse new connections and redirect existing ones within DRAIN_TIMEOUT. The thread keeps running. */
  | { readonly type: 'drain' }
  /** Free the port for others and redirect all clients within DRAIN_TIMEOUT; then send `empty`. */
  | { readonly type: 'retire' }
  /** Use the certificate that the files hold now for new connections. */
  | { readonly type: 'certificate' }
  /** Read keys, API keys and policy again, and take over these settings. Answered by `reloaded`. */
  | { readonly type: 'reload'; readonly id: number; readonly settings: ReloadedSettings }
  /** Listen, or stop listening: there are no descriptors for new connections. */
  | { readonly type: 'accept'; readonly isAccepting: boolean }
  /** Refuse new connections, close existing ones with 1001, then end. */
  | { readonly type: 'close' };
