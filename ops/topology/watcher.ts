/** A client of the topology: it follows everything through the SDK, and counts what it gets. */
import * as messagePack from 'msgpackr';
import WebSocket from 'ws';
import {
  type DepthStream,
  MillraceClient,
  type QuoteStream,
  type WebSocketConstructor,
} from '../../src/client/index.js';
import { topicName } from '../../src/protocol/topic-parts.js';
import type { Market } from './market.js';
import { TradeTally } from './trade-tally.js';

/** Levels of a book that a client follows. */
const LEVELS = 10;
/** A reconnect that waits for seconds would say more of the SDK's patience than of the gateways. */
const RECONNECT = { baseMs: 100, maxMs: 2_000 };

interface WatcherOptions {
  readonly url: string;
  readonly token: string;
  readonly format: 'json' | 'msgpack';
  readonly symbols: readonly string[];
  /** Its connection, or what it hears of the feed, has changed, or a gap was announced. */
  readonly onChange: () => void;
}

export class Watcher {
  readonly tallies: ReadonlyMap<string, TradeTally>;
  /** Losses that the gateway announced, by their reason. */
  readonly gaps = new Map<string, number>();
  /** In which its trades were numbered: one, while the gateways agree that nothing was lost. */
  readonly epochs = new Set<string>();
  /** Documents that proved to be wrong or old, and were repaired by a snapshot. */
  repairs = 0;
  connects = 0;
  /** All its topics are subscribed. */
  readonly ready: Promise<void>;
  readonly #client: MillraceClient;
  readonly #symbols: readonly string[];
  readonly #quotes: QuoteStream;
  readonly #depth: DepthStream;
  #isOpen = false;

  constructor({ url, token, format, symbols, onChange }: WatcherOptions) {
    this.#symbols = symbols;
    this.tallies = new Map(symbols.map(symbol => [symbol, new TradeTally()]));
    this.#client = new MillraceClient({
      url,
      token,
      format,
      messagePack,
      reconnect: RECONNECT,
      WebSocket: WebSocket as unknown as WebSocketConstructor,
    });
    this.#client.on('status', ({ state }) => {
      const isOpen = state === 'open';
      if (isOpen && !this.#isOpen) this.connects++;
      this.#isOpen = isOpen;
      onChange();
    });
    this.#quotes = this.#client.quotes(symbols).on('resync', () => this.repairs++);
    this.#depth = this.#client.depth(symbols, { levels: LEVELS }).on('resync', () => this.repairs++);
    const trades = this.#client
      .trades(symbols)
      .on('event', ({ message, epoch }) => {
        this.epochs.add(epoch);
        this.tallies.get(message.symbol)?.add(Number(message.trade_id));
      })
      .on('gap', ({ topic, reason }) => {
        this.gaps.set(reason, (this.gaps.get(reason) ?? 0) + 1);
        this.tallies.get(topicName(topic))?.announceGap();
        onChange();
      });
    this.ready = Promise.all([this.#quotes.ready, this.#depth.ready, trades.ready]).then(() => undefined);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** It is connected, and its gateway says that prices are old. */
  get isStale(): boolean {
    return this.#isOpen && this.#client.status.feed === 'stale';
  }

  /** Documents, such as `depth:ACME`, that are not what was published last. */
  differences(market: Market): string[] {
    return this.#symbols.flatMap(symbol => {
      const quote = market.quoteOf(symbol);
      const hasQuote = quote === undefined || isSame(quote, this.#quotes.get(symbol));
      const hasBook = (['bids', 'asks'] as const).every(side => {
        const levels = market.bookOf(symbol, side);
        return levels === undefined || isSame(best(levels, side), this.#depth.best(symbol, side));
      });
      return [...(hasQuote ? [] : [`quotes:${symbol}`]), ...(hasBook ? [] : [`depth:${symbol}`])];
    });
  }

  close(): void {
    this.#client.close();
  }
}

function best(levels: ReadonlyMap<string, string>, side: 'bids' | 'asks'): [string, string][] {
  const sign = side === 'bids' ? -1 : 1;
  return [...levels].sort(([a], [b]) => sign * (Number(a) - Number(b))).slice(0, LEVELS);
}

/** Members in any order. */
function isSame(expected: object, actual: object | undefined): boolean {
  const ordered = (value: object): string =>
    JSON.stringify(Array.isArray(value) ? value : Object.entries(value).sort());
  return actual !== undefined && ordered(expected) === ordered(actual);
}
