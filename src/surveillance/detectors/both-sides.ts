import type { OrderEvent, Side } from '../events.js';

/** A user with more open orders on a side than this does not quote, but piles orders up. */
const QUOTES_MAX = 10;
/** Open orders remembered on each side. */
const OPEN_MAX = 32;
/** Share of the messages sent with both sides in the market; a maker that cancels all quotes and sends new ones has half. */
const SHARE_MIN = 0.3;

/** Whether a user in a symbol makes a market: quotes both sides and trades on both, if only a little for many orders. */
export class BothSides {
  #messages = 0;
  #quoting = 0;
  readonly #traded = { buy: false, sell: false };
  readonly #open = { buy: new Set<string>(), sell: new Set<string>() };

  /** Quotes that never trade are no market, whichever sides they are on. */
  get isMarketMaker(): boolean {
    return this.#traded.buy && this.#traded.sell && this.#quoting >= SHARE_MIN * this.#messages;
  }

  traded(side: Side): void {
    this.#traded[side] = true;
  }

  /** Takes every update of the user's orders. */
  order({ action, side, orderId }: OrderEvent): void {
    const { buy, sell } = this.#open;
    if (action === 'created' || action === 'replaced' || action === 'cancelled') {
      const [own, other] = side === 'buy' ? [buy, sell] : [sell, buy];
      this.#messages++;
      if (other.size > 0 && other.size <= QUOTES_MAX && own.size <= QUOTES_MAX) this.#quoting++;
    }
    if (action === 'filled' || action === 'partially_filled') {
      // A fill need not say its side.
      if (side === 'buy' || buy.has(orderId)) this.traded('buy');
      else if (side === 'sell' || sell.has(orderId)) this.traded('sell');
    }
    if (action === 'created' && side !== undefined) {
      const own = this.#open[side];
      own.add(orderId);
      if (own.size > OPEN_MAX) own.delete(own.values().next().value ?? '');
    } else if (action === 'cancelled' || action === 'filled' || action === 'rejected') {
      buy.delete(orderId);
      sell.delete(orderId);
    }
  }
}
