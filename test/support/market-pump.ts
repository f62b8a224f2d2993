/**
 * A market that goes on whatever happens to its servers: trades and quotes with growing numbers, on one subject as its
 * publisher numbers them and on another without a number, at every server alike.
 */
import { headers, type NatsConnection } from 'nats';

const INTERVAL_MS = 10;

export const NUMBERED = 'NUMBERED';
export const PLAIN = 'PLAIN';

export class MarketPump {
  readonly #servers: readonly NatsConnection[];
  #timer: NodeJS.Timeout | undefined;
  /** The number of the last trade and quote of each symbol. */
  last = 0;

  constructor(servers: readonly NatsConnection[]) {
    this.#servers = servers;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.put(), INTERVAL_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  put(): void {
    const n = ++this.last;
    for (const nats of this.#servers) {
      for (const symbol of [NUMBERED, PLAIN]) {
        const numbers = headers();
        numbers.set('Seq', String(n));
        numbers.set('Epoch', 'market');
        const options = symbol === NUMBERED ? { headers: numbers } : {};
        const trade = { symbol, trade_id: n, price: '1', quantity: '1' };
        nats.publish(`md.trades.${symbol}`, JSON.stringify(trade), options);
        nats.publish(`md.quotes.${symbol}`, JSON.stringify({ symbol, current_price: n }), options);
      }
    }
  }
}
