/**
 * A venue of one symbol: takes orders, matches them, and writes what a publisher would (ops/publishing.md): an update of each
 * order concerned on the subject of its user, and the trades.
 */
import { type Fill, LimitBook, type Order, type Side } from './limit-book.js';

/** Each party's fee is the traded value divided by this. */
const FEE_DIVISOR = 1000;
const LEVELS = 10;

interface OrderMessage {
  readonly action: 'created' | 'replaced' | 'partially_filled' | 'filled' | 'cancelled' | 'rejected';
  readonly order_id: string;
  readonly user_id: string;
  readonly symbol: string;
  readonly side: Side;
  readonly order_type: 'limit' | 'immediate_or_cancel';
  readonly status: 'open' | 'partially_filled' | 'filled' | 'cancelled' | 'rejected';
  readonly quantity: string;
  readonly filled_quantity: string;
  readonly price: string;
  /** Of a cancelled order: `user`, or `exchange` for what an immediate order left. */
  readonly cancelled_by?: 'user' | 'exchange';
  /** RFC 3339 with µs. */
  readonly timestamp: string;
}

interface TradeMessage {
  readonly trade_id: string;
  readonly symbol: string;
  readonly price: string;
  readonly quantity: string;
  readonly buyer_id: string;
  readonly seller_id: string;
  readonly buyer_fee: string;
  readonly seller_fee: string;
  readonly aggressor_side: Side;
  readonly executed_at: string;
}

export interface BookMessage {
  readonly symbol: string;
  readonly bids: readonly (readonly [price: string, quantity: string])[];
  readonly asks: readonly (readonly [price: string, quantity: string])[];
  readonly snapshot: true;
}

/** What a venue publishes. */
export interface VenueSink {
  order(message: OrderMessage): void;
  trade(message: TradeMessage): void;
}

interface NewOrder {
  readonly user: string;
  readonly side: Side;
  /** The limit. */
  readonly ticks: number;
  readonly lots: number;
  /** Whether what is not filled at once is cancelled. */
  readonly isImmediate?: boolean;
}

/** Prices are whole cents, quantities whole hundredths. */
export class Exchange {
  readonly symbol: string;
  readonly #book = new LimitBook();
  readonly #sink: VenueSink;
  readonly #time: () => string;
  #orders = 0;
  #trades = 0;

  /** @param time now, RFC 3339 */
  constructor(symbol: string, sink: VenueSink, time: () => string) {
    this.symbol = symbol;
    this.#sink = sink;
    this.#time = time;
  }

  /** Orders that rest in the book. */
  get resting(): number {
    return this.#book.size;
  }

  best(side: Side): number | undefined {
    return this.#book.best(side);
  }

  /** A resting order; undefined once it is filled or cancelled. */
  open(id: string): Readonly<Order> | undefined {
    return this.#book.get(id);
  }

  /** @returns the order's id */
  submit({ user, side, ticks, lots, isImmediate = false }: NewOrder): string {
    const order: Order = { id: `${this.symbol}-o${++this.#orders}`, user, side, ticks, lots, filled: 0 };
    const type = isImmediate ? 'immediate_or_cancel' : 'limit';
    this.#update(order, 'created', 'open', type);
    this.#preventSelfTrade(order);
    this.#fills(this.#book.add(order, isImmediate), type);
    if (isImmediate && order.filled < lots) this.#update(order, 'cancelled', 'cancelled', type, 'exchange');
    return order.id;
  }

  /** @returns false when the order is not open any more */
  cancel(id: string): boolean {
    const order = this.#book.get(id);
    if (order === undefined || !this.#book.cancel(id)) return false;
    this.#update(order, 'cancelled', 'cancelled', 'limit', 'user');
    return true;
  }

  /** @returns false when the order is not open any more */
  replace(id: string, ticks: number, lots: number): boolean {
    const order = this.#book.get(id);
    if (order === undefined) return false;
    const changed = { ...order, ticks, lots: Math.max(lots, order.filled + 1) };
    this.#update(changed, 'replaced', order.filled > 0 ? 'partially_filled' : 'open', 'limit');
    this.#preventSelfTrade(changed);
    this.#fills(this.#book.replace(id, ticks, lots) ?? [], 'limit');
    return true;
  }

  /** The ten best levels. */
  book(): BookMessage {
    const side = (name: Side) =>
      this.#book.levels(name, LEVELS).map(([ticks, lots]) => [hundredths(ticks), hundredths(lots)] as const);
    return { symbol: this.symbol, bids: side('buy'), asks: side('sell'), snapshot: true };
  }

  /** As most venues do: an order never meets another one of its user, which is cancelled instead. */
  #preventSelfTrade({ user, side, ticks }: Order): void {
    for (const own of this.#book.crossed(side, ticks)) {
      if (own.user !== user) continue;
      this.#book.cancel(own.id);
      this.#update(own, 'cancelled', 'cancelled', 'limit', 'exchange');
    }
  }

  #fills(fills: readonly Fill[], takerType: OrderMessage['order_type']): void {
    for (const { maker, taker, ticks, lots } of fills) {
      const [buyer, seller] = taker.side === 'buy' ? [taker, maker] : [maker, taker];
      const fee = hundredths(Math.round((ticks * lots) / 100 / FEE_DIVISOR));
      this.#sink.trade({
        trade_id: `${this.symbol}-${++this.#trades}`,
        symbol: this.symbol,
        price: hundredths(ticks),
        quantity: hundredths(lots),
        buyer_id: buyer.user,
        seller_id: seller.user,
        buyer_fee: fee,
        seller_fee: fee,
        aggressor_side: taker.side,
        executed_at: this.#time(),
      });
      this.#filled(maker, 'limit');
      this.#filled(taker, takerType);
    }
  }

  #filled(order: Order, type: OrderMessage['order_type']): void {
    const what = order.filled === order.lots ? 'filled' : 'partially_filled';
    this.#update(order, what, what, type);
  }

  #update(
    order: Order,
    action: OrderMessage['action'],
    status: OrderMessage['status'],
    type: OrderMessage['order_type'],
    cancelledBy?: 'user' | 'exchange',
  ): void {
    this.#sink.order({
      action,
      order_id: order.id,
      user_id: order.user,
      symbol: this.symbol,
      side: order.side,
      order_type: type,
      status,
      quantity: hundredths(order.lots),
      filled_quantity: hundredths(order.filled),
      price: hundredths(order.ticks),
      ...(cancelledBy === undefined ? {} : { cancelled_by: cancelledBy }),
      timestamp: this.#time(),
    });
  }
}

function hundredths(value: number): string {
  const digits = String(value).padStart(3, '0');
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
