/**
 * What a publisher sends, as types. Quotes, trades and orders may have members of the publisher's own, of anything that
 * JSON can carry, bigints included: they are passed on to clients, exactly.
 */
import type { Channel } from '../protocol/topics.js';

/**
 * A price, quantity or ratio: a finite number, a bigint, or a decimal text (`"150.25"`, `"-0.12"`, `"1E-8"`), whose digits
 * reach clients as they were written, without an exponent, and never through a float. Quantities are not negative.
 */
export type Amount = number | bigint | string;

/** RFC 3339, or seconds, milliseconds, µs or nanoseconds since the Unix epoch: which of them, the size says. */
export type Time = string | number | bigint;

/** One price level. Quantity 0 removes the level, in a change. */
export type BookLevel = readonly [price: Amount, quantity: Amount];

/**
 * A whole quote: at least one member besides the symbol. Prices in the instrument's quote currency; `null` where there is no
 * value.
 */
export interface AssetQuote {
  readonly symbol: string;
  /** Last price. */
  readonly current_price?: Amount | null;
  /** What `change` is counted from, e.g. the last close. */
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

/** Changed members of a quote. A member cannot be removed by one; a whole quote without it does that. */
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
  /** Left out: the message's event time. */
  readonly executed_at?: Time;
}

export const ORDER_ACTIONS = ['created', 'filled', 'partially_filled', 'cancelled', 'rejected'] as const;
export type OrderAction = (typeof ORDER_ACTIONS)[number];

export const SIDES = ['buy', 'sell'] as const;
export type Side = (typeof SIDES)[number];

/** What happened to an order, and how it stands after it. Only its user sees it. */
export interface OrderUpdate {
  readonly action: OrderAction;
  readonly order_id: string | number | bigint;
  readonly symbol: string;
  readonly side: Side;
  /** The order's state in the publisher's own words, e.g. `open`. */
  readonly status: string;
  readonly quantity: Amount;
  /** In all so far, not by this update. */
  readonly filled_quantity: Amount;
  /** Limit price. Left out, or null, where the order has none. */
  readonly price?: Amount | null;
  /** Left out: the message's event time. */
  readonly timestamp?: Time;
}

/** One message of an analytics channel. */
export interface AnalyticsMessage {
  /** The channel's type (`alert` of `alerts`); left out, it is filled in. */
  readonly type?: string;
  /** Left out: the message's event time. */
  readonly timestamp?: Time;
  /** Anything that JSON can carry, whole numbers of any size (bigint) included. */
  readonly data: unknown;
}

export type { Channel };

/** Of one message. */
export interface PublishOptions {
  /** When it happened, µs since the Unix epoch (`Ts-Event`). Left out: now. */
  readonly tsEventMicros?: number;
  /**
   * `Nats-Msg-Id`: a JetStream stream stores messages of one id once within its duplicate window, so a publisher that
   * names its own (a trade's id, say) may publish again what it is not sure of after a restart. 1 to 128 visible ASCII
   * characters. Left out: under JetStream an id of its own.
   */
  readonly messageId?: string;
  /** W3C Trace Context, `00-<trace>-<span>-<flags>`. */
  readonly traceparent?: string;
}

/** What a publish comes to. */
export interface PublishAck {
  /** NATS subject. */
  readonly subject: string;
  /** JetStream: the stream's sequence. Core: the publisher's own (`Seq`); 0 where it does not number. */
  readonly seq: number;
  /** JetStream: the stream had it already. */
  readonly duplicate: boolean;
}
