/** Trades of one symbol within the last seconds: who took how much, and where the price was before them. */
import { EVIDENCE_MAX } from '../alert.js';
import type { TradeEvent } from '../events.js';
import { Fifo } from './fifo.js';

/** Trades remembered: beyond, the oldest is forgotten before its time. */
export const TRADES_MAX = 5_000;

interface Trade {
  readonly atMicros: number;
  readonly id: string;
  readonly price: number;
  /** The aggressor; undefined when the publisher does not say. */
  readonly user: string | undefined;
  /** Positive when the aggressor bought. */
  readonly signed: number;
}

interface Flow {
  /** Bought less sold by this user as the aggressor. */
  signed: number;
  volume: number;
  trades: number;
}

export class TradeWindow {
  /** The price of the last trade before the window. */
  openPrice: number;
  /** Of all aggressors. */
  volume = 0;
  readonly flows = new Map<string, Flow>();
  readonly #trades = new Fifo<Trade>();
  #lastMicros = 0;

  constructor(price: number) {
    this.openPrice = price;
  }

  /** A late trade counts as of now; one that is later than a window comes from a clock that was set back, and starts again. */
  inOrder(atMicros: number, windowMicros: number): number {
    const isLate = atMicros < this.#lastMicros && this.#lastMicros - atMicros <= windowMicros;
    const inOrder = isLate ? this.#lastMicros : atMicros;
    if (inOrder < this.#lastMicros) while (this.#trades.size > 0) this.#expire();
    this.#lastMicros = inOrder;
    return inOrder;
  }

  add(
    { tradeId, price, quantity, aggressor, buyer, seller }: TradeEvent,
    atMicros: number,
    windowMicros: number,
  ): void {
    const user = aggressor === undefined ? undefined : aggressor === 'buy' ? buyer : seller;
    const trade = { atMicros, id: tradeId, price, user, signed: aggressor === 'sell' ? -quantity : quantity };
    this.#trades.push(trade);
    this.#count(trade, 1);
    while (this.#trades.size > TRADES_MAX || (this.#trades.first?.atMicros ?? atMicros) <= atMicros - windowMicros) {
      this.#expire();
    }
  }

  /** Ids of the newest trades of this aggressor. */
  tradesOf(aggressor: string): string[] {
    const trades = this.#trades.all().filter(({ user }) => user === aggressor);
    return trades.slice(-EVIDENCE_MAX).map(({ id }) => id);
  }

  #expire(): void {
    const trade = this.#trades.shift();
    if (trade === undefined) return;
    this.openPrice = trade.price;
    this.#count(trade, -1);
  }

  #count({ user, signed }: Trade, change: 1 | -1): void {
    if (user === undefined) return;
    const flow = this.flows.get(user) ?? { signed: 0, volume: 0, trades: 0 };
    this.flows.set(user, flow);
    flow.signed += change * signed;
    flow.volume += change * Math.abs(signed);
    flow.trades += change;
    this.volume += change * Math.abs(signed);
    if (flow.trades === 0) this.flows.delete(user);
    // Without the error that adding and subtracting doubles leaves.
    if (this.flows.size === 0) this.volume = 0;
  }
}
