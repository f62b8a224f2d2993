/** The messages of each stream as the server sends them; they may have further members. */
import type { GapReason as GatewayGapReason } from '../protocol/codes.js';
import type { CHANNELS, Channel } from '../protocol/topics.js';
import type { Staleness } from './outcome.js';

/**
 * A price or a quantity, as the publisher wrote it: a text is exact and was never a float. A whole number follows the
 * option `integers`: unless that is `bigint`, a bigint occurs only beyond ±(2^53 − 1).
 */
export type Numeric = number | bigint | string;

/** A publisher's own number or name: an exchange may number its trades beyond 2^53. */
export type Reference = number | bigint | string;

/** The members that every message of a stream ends with. */
export interface Chained {
  readonly epoch: string;
  readonly prev_seq: number;
  readonly seq: number;
  /** Publisher's time, µs since the Unix epoch; only with the option `timestamps`. */
  readonly ts_event?: number;
  /** Gateway's time, µs since the Unix epoch; only with the option `timestamps`. */
  readonly ts_sent?: number;
}

/** The document of `quotes`. An amount is null if the publisher says that there is none. */
export interface AssetQuote {
  readonly symbol: string;
  readonly current_price?: Numeric | null;
  readonly base_price?: Numeric | null;
  readonly change?: Numeric | null;
  readonly change_percent?: Numeric | null;
  readonly bid?: Numeric | null;
  readonly ask?: Numeric | null;
  readonly volume?: Numeric | null;
  readonly last_updated?: string;
  /** Members that the publisher added. */
  readonly [member: string]: unknown;
}

/** The document of `orderbook`: the best level; null for an empty side. */
export interface BestLevel extends Chained {
  readonly type: 'orderbook_update';
  readonly symbol: string;
  readonly best_bid: string | null;
  readonly best_ask: string | null;
  readonly bid_quantity: string | null;
  readonly ask_quantity: string | null;
  readonly spread: string | null;
  /** RFC 3339, UTC. */
  readonly timestamp: string;
}

/** The document of `depth`: quantity by price. The order of the members means nothing: see `bestLevels`. */
export interface Book {
  readonly bids: Readonly<Record<string, string>>;
  readonly asks: Readonly<Record<string, string>>;
}

export interface Trade extends Chained {
  readonly type: 'trade_executed';
  readonly trade_id: Reference;
  readonly symbol: string;
  readonly price: Numeric;
  readonly quantity: Numeric;
  readonly executed_at?: string;
  /** Who took the liquidity: `buy` or `sell`. */
  readonly aggressor_side?: string;
  /** These four are sent only to a credential entitled to `trades:full`. */
  readonly buyer_id?: Reference;
  readonly seller_id?: Reference;
  readonly buyer_fee?: Numeric;
  readonly seller_fee?: Numeric;
}

export interface OrderUpdate extends Chained {
  readonly type: 'order_update';
  readonly action: 'created' | 'replaced' | 'filled' | 'partially_filled' | 'cancelled' | 'rejected';
  readonly order_id: Reference;
  readonly user_id: string;
  readonly symbol?: string;
  readonly side?: string;
  readonly status?: string;
  readonly order_type?: string;
  /** Of a cancelled order: `user`, or `exchange`. */
  readonly cancelled_by?: string;
  readonly quantity?: Numeric;
  readonly filled_quantity?: Numeric;
  /** null or absent if the order has none. */
  readonly price?: Numeric | null;
  readonly timestamp?: string;
}

export interface AnalyticsMessage extends Chained {
  readonly type: (typeof CHANNELS)[Channel];
  readonly channel: Channel;
  readonly timestamp?: string;
  readonly data: unknown;
}

export interface RoomMessage extends Chained {
  readonly type: 'room_message';
  readonly room: string;
  /** The user who published it. */
  readonly from: string;
  readonly data: unknown;
  readonly timestamp?: string;
}

/** A `warning` frame. */
export interface Warning {
  readonly code: string;
  readonly message: string;
  readonly symbols?: readonly string[];
  readonly topics?: readonly string[];
  /** For `unknown_parameter`: members of the query that had no effect. */
  readonly parameters?: readonly string[];
  /**
   * For `conflated` and `restored`: the fastest class that state topics get, and how many classes that is below the
   * requested one.
   */
  readonly class?: string;
  readonly steps?: number;
  /** For `delayed`: how late messages of the topics come. */
  readonly delay?: string;
  /** RFC 3339; for `token_expiring`. */
  readonly expires_at?: string;
}

/**
 * A `lagging` frame: what this client holds of its state topics is too old, because the connection or the application
 * reads too slowly. Repeated each second until `fresh`.
 */
export interface Lagging {
  /** Age of the oldest, ms. */
  readonly age_ms: number;
  /** How many topics are that old. */
  readonly topics: number;
}

/** A `notice` frame: a message of the gateway's operators, for people. */
export interface Notice {
  /** A newer gateway may have others. */
  readonly severity: 'info' | 'warning' | 'critical';
  readonly message: string;
  /** RFC 3339, UTC. */
  readonly time: string;
}

/**
 * One operation of a JSON Patch (RFC 6902), of the kinds that a gateway sends. A frame with any other is not applied.
 */
export interface PatchOperation {
  readonly op: 'add' | 'remove' | 'replace';
  readonly path: string;
  readonly value?: unknown;
}

/** How old a frame was on arrival, by the client's own clock: as accurate as the clocks agree. */
export interface Lag {
  /** Milliseconds since the gateway sent it. */
  readonly sinceSentMs: number;
  /** Milliseconds since the publisher's event; undefined if its time is unknown. */
  readonly sinceEventMs: number | undefined;
}

/** One change of a document. */
export interface StateChange<Document> {
  readonly topic: string;
  readonly symbol: string;
  /** The document after the change. It is live and keeps changing; use `structuredClone` to keep this state. */
  readonly document: Document;
  /** True if the document starts over instead of continuing from the previous one. */
  readonly isSnapshot: boolean;
  /**
   * True while the gateway holds the topic back because it lacks a message of the publisher: the document is old. When
   * that begins, an iteration gets one such change, without operations.
   */
  readonly isStale: boolean;
  /** What the frame changed in this document (paths as on the wire); empty for `orderbook`, whose frames are whole. */
  readonly operations: readonly PatchOperation[];
  readonly epoch: string;
  readonly seq: number;
  readonly lag: Lag | undefined;
  /** In an iteration: earlier changes of this symbol that this one replaces. Else 0. */
  readonly skipped: number;
}

/** One message of an event stream. */
export interface StreamEvent<Message> {
  readonly topic: string;
  /** The symbol, user, channel or room. */
  readonly name: string;
  readonly message: Message;
  readonly epoch: string;
  readonly seq: number;
  readonly lag: Lag | undefined;
}

/** Why events are missing: the gateway's reasons, and two that the client detects. */
export type GapReason =
  | GatewayGapReason
  /** The connection was interrupted, and the gateway could not recover the missed events. */
  | 'not_recovered'
  /** The chain has a hole that the gateway did not announce. */
  | 'unannounced';

/** Events that will not arrive. */
export interface Gap {
  readonly topic: string;
  /** First and last lost sequence; both 0 if unknown. */
  readonly from: number;
  readonly to: number;
  readonly reason: GapReason;
  /** The epoch of the following events; undefined if unchanged. */
  readonly epoch: string | undefined;
}

/** A document turned out to be wrong or old, and the client asked for a snapshot. */
export interface Resync {
  readonly topic: string;
  readonly symbol: string;
  /** `broken`: frames are missing. */
  readonly reason: 'broken' | 'checksum_mismatch' | 'patch_failed';
}

/**
 * The gateway lacks a message of this symbol's publisher, so it sends nothing until it has a whole one: the document
 * stays unchanged, and is old. Repeated if the gateway has more to say, and sent at once to a stream that starts during
 * it.
 */
export interface Stale extends Staleness {
  readonly topic: string;
  readonly symbol: string;
}

/** The document of a stale symbol matches the publisher's again. */
export interface Whole {
  readonly topic: string;
  readonly symbol: string;
}
