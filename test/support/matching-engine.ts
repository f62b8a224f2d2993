/**
 * A small exchange for tests and demos: limit orders matched by price, then time, and published through
 * `millrace/publisher`.
 */
import Big from 'big.js';
import { decimalOf } from '../../src/protocol/amount.js';
import { isZeroDecimal } from '../../src/protocol/decimal.js';
import type { OrderAction, Publisher, Side } from '../../src/publisher/index.js';

const FEE_RATE_DEFAULT = '0.001';
/** Orders that may rest in one book; further ones that would are rejected. */
const RESTING_MAX = 10_000;

export interface MatchingEngineOptions {
  readonly publisher: Pick<Publisher, 'order' | 'trade' | 'bookSnapshot' | 'bookChange'>;
  readonly symbols: readonly string[];
  /** Share of a trade's value that each party pays, a decimal. */
  readonly feeRate?: string;
}

interface NewOrder {
  readonly userId: string;
  readonly symbol: string;
  readonly side: Side;
  /** Limit, and quantity: decimals above 0. */
  readonly price: string;
  readonly quantity: string;
}

type OrderStatus = 'open' | 'partially_filled' | 'filled' | 'cancelled' | 'rejected';

/** An order as it stands. */
interface PlacedOrder extends NewOrder {
  readonly orderId: string;
  readonly filledQuantity: string;
  readonly status: OrderStatus;
}

interface Order {
  readonly id: string;
  readonly userId: string;
  readonly symbol: string;
  readonly side: Side;
  readonly price: Big;
  readonly quantity: Big;
  filled: Big;
  status: OrderStatus;
}

/** All orders at one price, the oldest first. */
interface PriceLevel {
  readonly price: Big;
  readonly orders: Order[];
}

/** One symbol's book: each side's levels from the best. */
interface Book {
  readonly buy: PriceLevel[];
  readonly sell: PriceLevel[];
  resting: number;
  trades: number;
}

type Level = [price: string, quantity: string];

/** Prices that a command touched, by side. */
type Touched = Readonly<Record<Side, Set<string>>>;

export class MatchingEngine {
  readonly #publisher: MatchingEngineOptions['publisher'];
  readonly #feeRate: Big;
  readonly #books: ReadonlyMap<string, Book>;
  readonly #resting = new Map<string, Order>();
  #orders = 0;

  constructor({ publisher, symbols, feeRate = FEE_RATE_DEFAULT }: MatchingEngineOptions) {
    this.#publisher = publisher;
    this.#feeRate = new Big(feeRate);
    this.#books = new Map(symbols.map(symbol => [symbol, { buy: [], sell: [], resting: 0, trades: 0 }]));
  }

  /**
   * Publishes every book whole: to be called before the first order, and whenever somebody may have missed a change.
   */
  publishBooks(): void {
    for (const symbol of this.#books.keys()) {
      const { bids, asks } = this.book(symbol);
      void this.#publisher.bookSnapshot(symbol, bids, asks);
    }
  }

  /** Matches the order at once, at the prices of the resting orders; what is left of it rests. */
  place(request: NewOrder): PlacedOrder {
    const book = this.#books.get(request.symbol);
    const reason = this.#whyNot(request, book);
    if (book === undefined || reason !== undefined) return this.#reject(request, reason ?? '');
    const { userId, symbol, side } = request;
    const [price, quantity] = [new Big(request.price), new Big(request.quantity)];
    const id = `O${++this.#orders}`;
    const order: Order = { id, userId, symbol, side, price, quantity, filled: new Big(0), status: 'open' };
    const touched: Touched = { buy: new Set(), sell: new Set() };
    this.#tell(order, 'created');
    this.#match(order, book, touched);
    if (order.filled.lt(quantity)) {
      touched[side].add(price.toFixed());
      rest(order, book[side]);
      book.resting++;
      this.#resting.set(id, order);
    }
    this.#publishTouched(symbol, touched);
    return placed(order);
  }

  /** Takes a resting order out of its book. @returns the order, undefined when none rests by this id. */
  cancel(orderId: string): PlacedOrder | undefined {
    const order = this.#resting.get(orderId);
    const book = order && this.#books.get(order.symbol);
    if (order === undefined || book === undefined) return undefined;
    order.status = 'cancelled';
    const levels = book[order.side];
    const at = levels.findIndex(level => level.price.eq(order.price));
    const orders = levels[at]?.orders ?? [];
    orders.splice(orders.indexOf(order), 1);
    if (orders.length === 0) levels.splice(at, 1);
    this.#leave(order, book);
    this.#tell(order, 'cancelled');
    const touched: Touched = { buy: new Set(), sell: new Set() };
    touched[order.side].add(order.price.toFixed());
    this.#publishTouched(order.symbol, touched);
    return placed(order);
  }

  /** Quantity by price, each side from the best. */
  book(symbol: string): { bids: Level[]; asks: Level[] } {
    const { buy = [], sell = [] } = this.#books.get(symbol) ?? {};
    const levelsOf = (levels: readonly PriceLevel[]) =>
      levels.map((level): Level => [level.price.toFixed(), openQuantity(level).toFixed()]);
    return { bids: levelsOf(buy), asks: levelsOf(sell) };
  }

  #whyNot({ price, quantity }: NewOrder, book: Book | undefined): string | undefined {
    if (book === undefined) return 'unknown symbol';
    if (!isPlain(price) || isZeroDecimal(price)) return 'the price is not a decimal above 0';
    if (!isPlain(quantity) || isZeroDecimal(quantity)) return 'the quantity is not a decimal above 0';
    return book.resting >= RESTING_MAX ? 'the book is full' : undefined;
  }

  #reject(request: NewOrder, reason: string): PlacedOrder {
    const { userId, symbol, side, price, quantity } = request;
    const orderId = `O${++this.#orders}`;
    const isAmount = isPlain(quantity) && isPlain(price);
    void this.#publisher.order(userId, {
      action: 'rejected',
      order_id: orderId,
      symbol,
      side,
      status: 'rejected',
      quantity: isAmount ? quantity : '0',
      filled_quantity: '0',
      ...(isAmount ? { price } : {}),
      reason,
    });
    return { ...request, orderId, filledQuantity: '0', status: 'rejected' };
  }

  #match(taker: Order, book: Book, touched: Touched): void {
    const opposite: Side = taker.side === 'buy' ? 'sell' : 'buy';
    const levels = book[opposite];
    for (let best = levels[0]; best !== undefined && crosses(taker, best.price); best = levels[0]) {
      const [maker] = best.orders;
      if (maker === undefined) throw new Error('a price level without orders is left in the book');
      touched[opposite].add(best.price.toFixed());
      this.#trade(taker, maker, book);
      if (maker.status === 'filled') {
        best.orders.shift();
        if (best.orders.length === 0) levels.shift();
        this.#leave(maker, book);
      }
      if (taker.status === 'filled') return;
    }
  }

  #trade(taker: Order, maker: Order, book: Book): void {
    const [takerOpen, makerOpen] = [taker.quantity.minus(taker.filled), maker.quantity.minus(maker.filled)];
    const quantity = takerOpen.lt(makerOpen) ? takerOpen : makerOpen;
    const [buyer, seller] = taker.side === 'buy' ? [taker, maker] : [maker, taker];
    const fee = maker.price.times(quantity).times(this.#feeRate).toFixed();
    void this.#publisher.trade({
      trade_id: `${taker.symbol}-${++book.trades}`,
      symbol: taker.symbol,
      price: maker.price.toFixed(),
      quantity: quantity.toFixed(),
      buyer_id: buyer.userId,
      seller_id: seller.userId,
      buyer_fee: fee,
      seller_fee: fee,
    });
    for (const order of [maker, taker]) {
      order.filled = order.filled.plus(quantity);
      order.status = order.filled.eq(order.quantity) ? 'filled' : 'partially_filled';
      this.#tell(order, order.status);
    }
  }

  #leave(order: Order, book: Book): void {
    book.resting--;
    this.#resting.delete(order.id);
  }

  #tell(order: Order, action: OrderAction): void {
    void this.#publisher.order(order.userId, {
      action,
      order_id: order.id,
      symbol: order.symbol,
      side: order.side,
      status: order.status,
      quantity: order.quantity.toFixed(),
      filled_quantity: order.filled.toFixed(),
      price: order.price.toFixed(),
    });
  }

  #publishTouched(symbol: string, touched: Touched): void {
    const { bids, asks } = this.book(symbol);
    const changes = (levels: readonly Level[], prices: ReadonlySet<string>): Level[] =>
      [...prices].map(price => levels.find(([at]) => at === price) ?? [price, '0']);
    void this.#publisher.bookChange(symbol, changes(bids, touched.buy), changes(asks, touched.sell));
  }
}

function crosses({ side, price }: Order, best: Big): boolean {
  return side === 'buy' ? price.gte(best) : price.lte(best);
}

/** Behind the orders at its price; a new level keeps the side in order. */
function rest(order: Order, levels: PriceLevel[]): void {
  const isBehind = ({ price }: PriceLevel) => (order.side === 'buy' ? price.lte(order.price) : price.gte(order.price));
  const found = levels.findIndex(isBehind);
  const at = found < 0 ? levels.length : found;
  const level = levels[at];
  if (level?.price.eq(order.price)) level.orders.push(order);
  else levels.splice(at, 0, { price: order.price, orders: [order] });
}

function openQuantity({ orders }: PriceLevel): Big {
  return orders.reduce((sum, order) => sum.plus(order.quantity).minus(order.filled), new Big(0));
}

function placed(order: Order): PlacedOrder {
  const { id: orderId, userId, symbol, side, price, quantity, filled, status } = order;
  const [limit, total] = [price.toFixed(), quantity.toFixed()];
  return { orderId, userId, symbol, side, price: limit, quantity: total, filledQuantity: filled.toFixed(), status };
}

/** A decimal text as the engine's own: without sign and exponent. */
function isPlain(text: unknown): text is string {
  return typeof text === 'string' && decimalOf(text) === text && !text.startsWith('-');
}
