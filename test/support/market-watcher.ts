/** A client of the market of `MarketPump` that holds the gateway to its word: no wrong document, no silent hole. */
import { type Frame, TestClient } from './client.js';
import { Documents } from './documents.js';
import { type TestGateway, testToken } from './gateway.js';
import { NUMBERED, PLAIN } from './market-pump.js';
import { until } from './until.js';

const TIMEOUT_MS = 30_000;

export class MarketWatcher {
  readonly client: TestClient;
  readonly #documents = new Documents();

  private constructor(client: TestClient) {
    this.client = client;
  }

  /** Connects to a gateway that knows the symbols. */
  static async open(gateway: TestGateway, format: 'json' | 'msgpack' = 'json'): Promise<MarketWatcher> {
    const query = `symbols=${NUMBERED},${PLAIN}&format=${format}&token=${await testToken()}`;
    const client = await TestClient.connect(`${gateway.url}/ws/quotes?${query}`);
    client.send({ action: 'subscribe', stream: 'trades', symbols: [NUMBERED, PLAIN], id: 'trades' });
    await client.next('answer to subscribe', frame => frame.type === 'subscribed' && frame.id === 'trades');
    return new MarketWatcher(client);
  }

  /** What `status` frames said, in order. */
  get statuses(): string[] {
    return this.client.ofType('status').map(({ feed }) => String(feed));
  }

  async hears(feed: string, times = 1): Promise<void> {
    const said = () => this.statuses.filter(status => status === feed).length >= times;
    await until(said, TIMEOUT_MS, `status ${feed}, not only ${this.statuses}`);
  }

  ids(symbol: string): number[] {
    return this.#trades(symbol).map(({ trade_id: id }) => Number(id));
  }

  epochs(symbol: string): string[] {
    return [...new Set(this.#trades(symbol).map(({ epoch }) => String(epoch)))];
  }

  gaps(symbol: string): Frame[] {
    return this.client.ofType('gap').filter(({ topic }) => topic === `trades:${symbol}`);
  }

  /** Waits for that trade of each symbol (all others come before it), and for the documents that belong to it. */
  async reaches(last: number, symbols: readonly string[] = [NUMBERED, PLAIN]): Promise<void> {
    const there = () =>
      symbols.every(symbol => Number(this.#trades(symbol).at(-1)?.trade_id) >= last && this.price(symbol) >= last);
    await until(there, TIMEOUT_MS, `trades and quotes up to ${last}; it is at ${symbols.map(s => this.ids(s).at(-1))}`);
  }

  /** The price in the document held. @throws {Error} where a frame did not follow what was held */
  price(symbol: string): number {
    return Number(this.#documents.follow(this.client).document.quotes[symbol]?.current_price);
  }

  /** Trades that are missing although no gap stands where they were. Also what came twice or out of order. */
  silentHoles(symbol: string): string[] {
    const wrong: string[] = [];
    let held: number | undefined;
    let isAnnounced = false;
    for (const frame of this.client.frames) {
      if (frame.type === 'gap' && frame.topic === `trades:${symbol}`) isAnnounced = true;
      if (frame.type !== 'trade_executed' || frame.symbol !== symbol) continue;
      const id = Number(frame.trade_id);
      if (held !== undefined && !isAnnounced && id !== held + 1) wrong.push(`${held} → ${id}`);
      held = id;
      isAnnounced = false;
    }
    return wrong;
  }

  #trades(symbol: string): Frame[] {
    return this.client.frames.filter(frame => frame.type === 'trade_executed' && frame.symbol === symbol);
  }
}

/** `from`, …, `to` */
export const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);
