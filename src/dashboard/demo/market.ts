/** The market of the page: the same streams over two connections, one for each format. Both count what arrives. */

import { bookChecksumOf } from '../../client/book.js';
import {
  type AssetQuote,
  type Book,
  type ClientStatus,
  MillraceClient,
  type StateChange,
  type Trade,
} from '../../client/index.js';
import { MsgpackReader } from '../../protocol/msgpack-reader.js';
import { MsgpackWriter } from '../../protocol/msgpack-writer.js';
import type { Format } from '../../protocol/view-options.js';
import { tappedSocket } from '../tapped-socket.js';
import { demoSession } from './session.js';

/** Symbols that a market without named ones is followed for, once they trade. */
const DISCOVERED_MAX = 16;
const CHECKSUM = /"checksum":(\d+)/;

interface MarketEvents {
  /** A message as it came. */
  frame(format: Format, data: string | ArrayBuffer): void;
  status(format: Format, status: ClientStatus): void;
  quote(symbol: string, quote: AssetQuote): void;
  /** @param sent the checksum in the frame, undefined where it has none. @param own what this page computes */
  book(symbol: string, book: Book, seq: number, sent: number | undefined, own: number): void;
  /** A book that the client found to be wrong. */
  wrongBook(symbol: string): void;
  trade(trade: Trade): void;
  /** For good: by the gateway's decision. */
  closed(reason: string): void;
}

export class Market {
  readonly #events: MarketEvents;
  readonly #clients: readonly { readonly format: Format; readonly client: MillraceClient }[];
  readonly #followed = new Set<string>();
  /** The JSON message that the client reads now. */
  #text = '';

  /** @param symbols empty: those that trade */
  constructor(symbols: readonly string[], events: MarketEvents) {
    this.#events = events;
    this.#clients = [
      { format: 'json', client: this.#connect('json') },
      { format: 'msgpack', client: this.#connect('msgpack') },
    ];
    for (const { format, client } of this.#clients) {
      const trades = symbols.length === 0 ? client.trades() : client.trades(symbols);
      trades.on('event', ({ message }) => {
        if (format !== 'json') return;
        if (symbols.length === 0) this.#follow([message.symbol]);
        events.trade(message);
      });
    }
    if (symbols.length > 0) this.#follow(symbols);
  }

  /** Quotes and books of these symbols, where they are new and there is room. */
  #follow(symbols: readonly string[]): void {
    const fresh = symbols.filter(symbol => !this.#followed.has(symbol)).slice(0, DISCOVERED_MAX - this.#followed.size);
    if (fresh.length === 0) return;
    for (const symbol of fresh) this.#followed.add(symbol);
    for (const { format, client } of this.#clients) {
      const quotes = client.quotes(fresh);
      const depth = client.depth(fresh);
      const isShown = format === 'json';
      quotes.on('change', ({ symbol, document }) => isShown && this.#events.quote(symbol, document));
      depth.on('change', change => isShown && this.#book(change));
      depth.on('resync', ({ symbol, reason }) => {
        if (isShown && reason === 'checksum_mismatch') this.#events.wrongBook(symbol);
      });
    }
  }

  #book({ symbol, document, seq }: StateChange<Book>): void {
    const sent = CHECKSUM.exec(this.#text)?.[1];
    const book = { bids: { ...document.bids }, asks: { ...document.asks } };
    this.#events.book(symbol, document, seq, sent === undefined ? undefined : Number(sent), bookChecksumOf(book));
  }

  #connect(format: Format): MillraceClient {
    const reader = new MsgpackReader();
    const client = new MillraceClient({
      url: location.href,
      token: async () => (await demoSession()).token,
      format,
      ...(format === 'msgpack'
        ? { messagePack: { pack: packed, unpack: (bytes: Uint8Array) => reader.read(bytes, 0, bytes.byteLength) } }
        : {}),
      // The reader of a page waits for it.
      reconnect: { maxMs: 3_000 },
      WebSocket: tappedSocket(data => {
        if (typeof data === 'string') this.#text = data;
        this.#events.frame(format, data);
      }),
    });
    client.on('status', status => this.#events.status(format, status));
    client.on('closed', ({ code, reason }) => this.#events.closed(`${code} ${reason}`.trim()));
    return client;
  }
}

function packed(value: unknown): Uint8Array {
  const writer = new MsgpackWriter();
  writer.value(value);
  return writer.written;
}
