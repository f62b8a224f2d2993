/**
 * Types of what a publisher sends. Quotes, trades and orders may have members of the publisher's own, with any value
 * that JSON can carry, and bigints: they reach clients exactly.
 */
import type { Channel } from '../protocol/topics.js';

/**
 * A price, quantity or ratio: a finite number, a bigint, or a decimal text (`"150.25"`, `"-0.12"`, `"1E-8"`). The
 * digits of a text reach clients as written, without an exponent, and never through a float. Quantities are not
 * negative.
 */
export type Amount = number | bigint | string;

/** RFC 3339, or seconds, milliseconds, µs or nanoseconds since the Unix epoch, told apart by their size. */
export type Time = string | number | bigint;

/** One price level. In a change, quantity 0 removes the level. */
export type BookLevel = readonly [price: Amount, quantity: Amount];

/**
 * A whole quote: at least one member besides the symbol. Prices are in the instrument's quote currency; `null` if there
 * is no value.
 */
export interface AssetQuote {
  readonly symbol: string;
  /** Last price. */
  readonly current_price?: Amount | null;
  /** The reference price of `change`, e.g. the last close. */
  readonly base_price?: Amount | null;
  /** `current_price` − `base_price`. */
  readonly change?: Amount | null;
  /** The same in percent of `base_price`: 1.5 is 1.5 %. */
  readonly change_percent?: Amount | null;
  readonly bid?: Amount | null;
  readonly ask?: Amount | null;
  /** Units traded so far in the session. */
  readonly volume?: Amount | null;
  readonly last_updated?: Time | null;
}

/** Changed members of a quote. A change cannot remove a member; a whole quote without it does. */
export type QuoteChanges = Partial<Omit<AssetQuote, 'symbol'>>;

/** One execution. */
export interface Trade {
  /** Unique among the symbol's trades. */
  readonly trade_id: string | number | bigint;
  readonly symbol: string;
  readonly price: Amount;
  readonly quantity: Amount;
  /** Parties and their fees: shown only to clients entitled to `trades:full`. */
  readonly buyer_id?: string;
  readonly seller_id?: string;
  readonly buyer_fee?: Amount | null;
  readonly seller_fee?: Amount | null;
  /** Who took the liquidity. Surveillance needs it (ops/surveillance.md). */
  readonly aggressor_side?: Side;
  /** Default: the message's event time. */
  readonly executed_at?: Time;
}

/** `replaced`: price or quantity changed; the update has the new ones. */
export const ORDER_ACTIONS = ['created', 'replaced', 'filled', 'partially_filled', 'cancelled', 'rejected'] as const;
export type OrderAction = (typeof ORDER_ACTIONS)[number];

export const SIDES = ['buy', 'sell'] as const;
export type Side = (typeof SIDES)[number];

export const CANCELLERS = ['user', 'exchange'] as const;

/** What happened to an order, and its state afterwards. Only its user sees it. */
export interface OrderUpdate {
  readonly action: OrderAction;
  readonly order_id: string | number | bigint;
  readonly symbol: string;
  readonly side: Side;
  /** The order's state in the publisher's own words, e.g. `open`. */
  readonly status: string;
  /** In the publisher's own words, e.g. `limit` or `market`. */
  readonly order_type?: string;
  /** Who cancelled it: with `cancelled` only. */
  readonly cancelled_by?: (typeof CANCELLERS)[number];
  readonly quantity: Amount;
  /** In total so far, not by this update. */
  readonly filled_quantity: Amount;
  /** Limit price. Absent or null if the order has none. */
  readonly price?: Amount | null;
  /** Default: the message's event time. */
  readonly timestamp?: Time;
}

/** One message of an analytics channel. */
export interface AnalyticsMessage {
  /** The channel's type (`alert` for `alerts`); filled in if absent. */
  readonly type?: string;
  /** Default: the message's event time. */
  readonly timestamp?: Time;
  /** Anything that JSON can carry, and whole numbers of any size (bigint). */
  readonly data: unknown;
}

export type { Channel };

/** Options of one message. */
export interface PublishOptions {
  /** When it happened, µs since the Unix epoch (`Ts-Event`). Default: now. */
  readonly tsEventMicros?: number;
  /**
   * `Nats-Msg-Id`: within its duplicate window, a JetStream stream stores messages with the same id once. So a
   * publisher that uses its own ids (a trade's id, say) may repeat messages after a restart if it is not sure of them.
   * 1 to 128 visible ASCII characters. Default with JetStream: a generated id.
   */
  readonly messageId?: string;
  /** W3C Trace Context, `00-<trace>-<span>-<flags>`. */
  readonly traceparent?: string;
}

/** The result of a publish. */
export interface PublishAck {
  /** NATS subject, with the prefix. */
  readonly subject: string;
  /** JetStream: the stream's sequence. Core: the publisher's own (`Seq`); 0 if it does not number. */
  readonly seq: number;
  /** JetStream: the stream already had it. */
  readonly duplicate: boolean;
}
