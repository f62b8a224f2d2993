/** What the detectors watch: orders, trades and depth, with numbers that are compared and never passed on. */

export type Side = 'buy' | 'sell';

export interface OrderEvent {
  readonly kind: 'order';
  /** µs since the Unix epoch, as the publisher says, else when it was received. */
  readonly atMicros: number;
  readonly user: string;
  readonly symbol: string;
  readonly orderId: string;
  readonly action: 'created' | 'replaced' | 'partially_filled' | 'filled' | 'cancelled' | 'rejected';
  /** Undefined when the message does not say. */
  readonly side: Side | undefined;
  /** Undefined for an order without a limit. */
  readonly price: number | undefined;
  /** Of the whole order, as it is now; 0 when the message does not say. */
  readonly quantity: number;
  /** Of the whole order so far. */
  readonly filled: number;
  /** A market maker's quote, which counts twice in ratios. */
  readonly isQuote: boolean;
  /** Cancelled by the venue, as at the end of a session: that says nothing about its user. */
  readonly isByVenue: boolean;
}

export interface TradeEvent {
  readonly kind: 'trade';
  readonly atMicros: number;
  readonly symbol: string;
  readonly tradeId: string;
  readonly price: number;
  readonly quantity: number;
  readonly buyer: string;
  readonly seller: string;
  /** Who took the liquidity; undefined when the publisher does not say. */
  readonly aggressor: Side | undefined;
}

/** Quantity on the ten best levels. */
export interface DepthEvent {
  readonly kind: 'depth';
  readonly atMicros: number;
  readonly symbol: string;
  readonly bidQuantity: number;
  readonly askQuantity: number;
}

/** What one connection did within one second. */
export interface ClientEvent {
  readonly atMicros: number;
  /** '' without a credential. */
  readonly user: string;
  readonly connection: string;
  readonly commands: number;
  /** Topics, in order; each a subscription or the end of one. */
  readonly subscribed: readonly string[];
  readonly unsubscribed: readonly string[];
}

export type MarketEvent = OrderEvent | TradeEvent | DepthEvent;

/** Tells users in a symbol apart, whatever characters their names have. */
export const pairKey = (symbol: string, ...users: readonly string[]): string =>
  `${symbol.length} ${users[0]?.length} ${symbol} ${users.join(' ')}`;

export const opposite = (side: Side): Side => (side === 'buy' ? 'sell' : 'buy');
