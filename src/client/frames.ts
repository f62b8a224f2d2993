/** The messages of each stream as the server sends them; they may have members that are not named here. */
import type { GapReason as GatewayGapReason } from '../protocol/codes.js';
import type { CHANNELS, Channel } from '../protocol/topics.js';
import type { Staleness } from './outcome.js';

/**
 * A price or a quantity, as the publisher wrote it: a text is exact and never became a float. A whole number is what the
 * option `integers` says: unless that is `bigint`, a bigint stands for one beyond ±(2^53 − 1) only.
 */
export type Numeric = number | bigint | string;

/** A number or a name of the publisher's own: an exchange may number its trades beyond 2^53. */
export type Reference = number | bigint | string;

/** What every message of a stream ends with. */
export interface Chained {
  readonly epoch: string;
  readonly prev_seq: number;
  readonly seq: number;
  /** Publisher's time, µs since the Unix epoch; only with the option `timestamps`. */
  readonly ts_event?: number;
  /** Gateway's time, µs since the Unix epoch; only with the option `timestamps`. */
  readonly ts_sent?: number;
}

/** The document of `quotes`. An amount is null where the publisher says that there is none. */
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
  /** Members of the publisher's own. */
  readonly [member: string]: unknown;
}

/** The document of `orderbook`: the best level; null where a side is empty. */
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
  /** These four only to a credential entitled to `trades:full`. */
  readonly buyer_id?: Reference;
  readonly seller_id?: Reference;
  readonly buyer_fee?: Numeric;
  readonly seller_fee?: Numeric;
}

export interface OrderUpdate extends Chained {
  readonly type: 'order_update';
  readonly action: 'created' | 'filled' | 'partially_filled' | 'cancelled' | 'rejected';
  readonly order_id: Reference;
  readonly user_id: string;
  readonly symbol?: string;
  readonly side?: string;
  readonly status?: string;
  readonly quantity?: Numeric;
  readonly filled_quantity?: Numeric;
  /** null or absent where the order has none. */
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
  /** Of `conflated` and `restored`: no state topic is sent faster, and how many classes slower than asked for that is. */
  readonly class?: string;
  readonly steps?: number;
  /** RFC 3339; of `token_expiring`. */
  readonly expires_at?: string;
}

/** One operation of a JSON Patch (RFC 6902): those that a gateway sends. A frame with another one is not applied. */
export interface PatchOperation {
  readonly op: 'add' | 'remove' | 'replace';
  readonly path: string;
  readonly value?: unknown;
}

/** How old a frame was when it came, by the client's own clock: it is as right as the clocks agree. */
export interface Lag {
  /** Milliseconds since the gateway sent it. */
  readonly sinceSentMs: number;
  /** Milliseconds since the publisher's event; undefined where its time is not known. */
  readonly sinceEventMs: number | undefined;
}

/** One change of a document. */
export interface StateChange<Document> {
  readonly topic: string;
  readonly symbol: string;
  /** The document after the change, the live one: it goes on changing. `structuredClone` it to keep it as it is. */
  readonly document: Document;
  /** True where the document begins anew rather than goes on from the one before. */
  readonly isSnapshot: boolean;
  /**
   * True while the gateway holds the topic back, because it lacks a message of the publisher: the document is old. An
   * iteration gets one such change, without operations, when that begins.
   */
  readonly isStale: boolean;
  /** What the frame did to this document (paths as on the wire); empty for `orderbook`, whose frames are whole. */
  readonly operations: readonly PatchOperation[];
  readonly epoch: string;
  readonly seq: number;
  readonly lag: Lag | undefined;
  /** In an iteration: changes of this symbol since the one before that this one stands for as well. Else 0. */
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

/** Why events are missing: the gateway's reasons, and two that the client finds out. */
export type GapReason =
  | GatewayGapReason
  /** The connection was interrupted, and the gateway could not recover what was missed. */
  | 'not_recovered'
  /** The chain has a hole that the gateway did not announce. */
  | 'unannounced';

/** Events that will not come. */
export interface Gap {
  readonly topic: string;
  /** First and last lost sequence; both 0 where that is not known. */
  readonly from: number;
  readonly to: number;
  readonly reason: GapReason;
  /** Of what follows; undefined where it is the same as before. */
  readonly epoch: string | undefined;
}

/** A document was found to be wrong or old, and a snapshot was asked for. */
export interface Resync {
  readonly topic: string;
  readonly symbol: string;
  /** `broken`: frames are missing. */
  readonly reason: 'broken' | 'checksum_mismatch' | 'patch_failed';
}

/**
 * The gateway lacks a message of this symbol's publisher, so it sends nothing until it has something whole: the document
 * stays as it is, and is old. Told again where the gateway has more to say, and at once to a stream that begins while it lasts.
 */
export interface Stale extends Staleness {
  readonly topic: string;
  readonly symbol: string;
}

/** The document of a symbol that was stale is the publisher's again. */
export interface Whole {
  readonly topic: string;
  readonly symbol: string;
}
