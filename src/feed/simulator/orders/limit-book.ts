/** A limit order book of one symbol: price-time priority, whole ticks and whole lots. */

export type Side = 'buy' | 'sell';

export interface Order {
  readonly id: string;
  readonly user: string;
  readonly side: Side;
  ticks: number;
  lots: number;
  filled: number;
}

export interface Fill {
  readonly maker: Order;
  readonly taker: Order;
  readonly ticks: number;
  readonly lots: number;
}

export class LimitBook {
  /** Best price first; equal prices in order of arrival. */
  readonly #resting: Readonly<Record<Side, Order[]>> = { buy: [], sell: [] };
  readonly #byId = new Map<string, Order>();

  /** Orders that rest in the book. */
  get size(): number {
    return this.#byId.size;
  }

  get(id: string): Order | undefined {
    return this.#byId.get(id);
  }

  /** The best price of a side in ticks; undefined when it is empty. */
  best(side: Side): number | undefined {
    return this.#resting[side][0]?.ticks;
  }

  /** Matches an order and lets the rest of it stand, if it has a limit. @returns the fills, in order */
  add(order: Order, isImmediate: boolean): Fill[] {
    const fills = this.#match(order);
    if (!isImmediate && order.filled < order.lots) this.#rest(order);
    return fills;
  }

  /** @returns false when the order does not rest here */
  cancel(id: string): boolean {
    const order = this.#byId.get(id);
    if (order === undefined) return false;
    this.#remove(order);
    return true;
  }

  /** Gives an order another price and quantity; it loses its place in the queue. @returns the fills; undefined if it is unknown */
  replace(id: string, ticks: number, lots: number): Fill[] | undefined {
    const order = this.#byId.get(id);
    if (order === undefined) return undefined;
    this.#remove(order);
    order.ticks = ticks;
    order.lots = Math.max(lots, order.filled + 1);
    return this.add(order, false);
  }

  /** Resting orders that an order of this side and limit would meet. */
  crossed(side: Side, ticks: number): readonly Order[] {
    const makers = this.#resting[side === 'buy' ? 'sell' : 'buy'];
    return makers.filter(maker => (side === 'buy' ? maker.ticks <= ticks : maker.ticks >= ticks));
  }

  /** Lots by price of the best `levels` levels of a side, from the best. */
  levels(side: Side, levels: number): [ticks: number, lots: number][] {
    const found: [number, number][] = [];
    for (const { ticks, lots, filled } of this.#resting[side]) {
      const last = found.at(-1);
      if (last?.[0] === ticks) last[1] += lots - filled;
      else if (found.length === levels) break;
      else found.push([ticks, lots - filled]);
    }
    return found;
  }

  #match(taker: Order): Fill[] {
    const fills: Fill[] = [];
    const makers = this.#resting[taker.side === 'buy' ? 'sell' : 'buy'];
    for (let maker = makers[0]; maker !== undefined && taker.filled < taker.lots; maker = makers[0]) {
      const isCrossed = taker.side === 'buy' ? maker.ticks <= taker.ticks : maker.ticks >= taker.ticks;
      if (!isCrossed) break;
      const lots = Math.min(maker.lots - maker.filled, taker.lots - taker.filled);
      maker.filled += lots;
      taker.filled += lots;
      if (maker.filled === maker.lots) this.#remove(maker);
      fills.push({ maker, taker, ticks: maker.ticks, lots });
    }
    return fills;
  }

  #rest(order: Order): void {
    const orders = this.#resting[order.side];
    const isBehind = (other: Order) => (order.side === 'buy' ? other.ticks < order.ticks : other.ticks > order.ticks);
    const at = orders.findIndex(isBehind);
    if (at < 0) orders.push(order);
    else orders.splice(at, 0, order);
    this.#byId.set(order.id, order);
  }

  #remove(order: Order): void {
    const orders = this.#resting[order.side];
    orders.splice(orders.indexOf(order), 1);
    this.#byId.delete(order.id);
  }
}
