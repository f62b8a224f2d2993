/** The streams that a client hands out. */
import { type BookDocument, bestLevels } from './book.js';
import { MillraceError } from './errors.js';
import type {
  AssetQuote,
  BestLevel,
  Book,
  Gap,
  Resync,
  RoomMessage,
  Stale,
  StateChange,
  StreamEvent,
  Whole,
} from './frames.js';
import { EventBuffer, type IterationBuffer, NewestBuffer } from './iteration.js';
import type { Publications, Published } from './publications.js';
import { type Origin, type StreamEvents, TopicStream } from './stream.js';

export interface StateStreamEvents<Document> extends StreamEvents {
  change: StateChange<Document>;
  /** A document was found to be wrong or old; its next change is a snapshot. */
  resync: Resync;
  /** The gateway holds a symbol back: its document is old until `whole`. */
  stale: Stale;
  /** The symbol's document is the publisher's again; it comes as a `change` just before. */
  whole: Whole;
}

/**
 * Documents by symbol, kept by the gateway's patches. An iteration keeps the newest change of each symbol while its
 * consumer is busy, and says in `skipped` how many that one stands for.
 */
export class StateStream<Document> extends TopicStream<StateChange<Document>, StateStreamEvents<Document>> {
  /**
   * The present document, the live one; undefined before the first, and once the stream is closed. While the connection
   * is down it stays as it was: see `stalenessMs`.
   */
  get(symbol: string): Document | undefined {
    // The topic's stream decides what its document is.
    return this.lease.documentOf(symbol) as Document | undefined;
  }

  /**
   * True while the gateway holds the symbol back because it lacks a message of its publisher: the document is old. It stays
   * so over a reconnect, until a snapshot comes.
   */
  isStale(symbol: string): boolean {
    return this.lease.isStale(symbol);
  }

  protected newBuffer(): IterationBuffer<StateChange<Document>> {
    return new NewestBuffer();
  }

  protected tellItem(change: StateChange<Document>): void {
    this.emit('change', change);
  }

  protected hasListeners(): boolean {
    return this.listenerCount('change') > 0;
  }

  protected override tellResync(resync: Resync): void {
    this.emit('resync', resync);
  }

  protected override tellStale(stale: Stale): void {
    this.emit('stale', stale);
  }

  protected override tellWhole(whole: Whole): void {
    this.emit('whole', whole);
  }
}

/** `orderbook`: the best level of each symbol. */
export type BestLevelStream = StateStream<BestLevel>;
export type QuoteStream = StateStream<AssetQuote>;

/** Books of some levels by symbol, each verified by the gateway's checksum. */
export class DepthStream extends StateStream<Book> {
  /** `[price, quantity]`, the best first; empty while there is no book. @param count levels at most; all when left out */
  best(symbol: string, side: 'bids' | 'asks', count = Number.POSITIVE_INFINITY): [price: string, quantity: string][] {
    const book = this.get(symbol);
    return book === undefined ? [] : bestLevels(book as BookDocument, side, count);
  }
}

export interface EventStreamEvents<Message> extends StreamEvents {
  event: StreamEvent<Message>;
  /** Events that will not come; nothing is lost without one. */
  gap: Gap;
}

/**
 * Every message, in order. An iteration keeps what comes while its consumer is busy up to `eventBufferMax`; beyond, it
 * ends with an `iteration_overflow` that says how many events were lost.
 */
export class EventStream<Message> extends TopicStream<StreamEvent<Message>, EventStreamEvents<Message>> {
  protected newBuffer(): IterationBuffer<StreamEvent<Message>> {
    return new EventBuffer(this.eventBufferMax);
  }

  protected tellItem(event: StreamEvent<Message>): void {
    this.emit('event', event);
  }

  protected hasListeners(): boolean {
    return this.listenerCount('event') > 0;
  }

  protected override tellGap(gap: Gap): void {
    this.emit('gap', gap);
  }
}

/** The messages of one room, and the way to publish into it. */
export class RoomStream extends EventStream<RoomMessage> {
  readonly #room: string;
  readonly #publications: Publications;

  /** @internal */
  constructor(origin: Origin, room: string, publications: Publications) {
    super(origin);
    this.#room = room;
    this.#publications = publications;
  }

  /**
   * Publishes to the members of the room, this client included. Resolves with where the message stands. Without a
   * connection it waits for one, and an interrupted one is sent again under the same id, which the gateway takes once.
   * Rejects with a `MillraceError`.
   */
  publish(data: unknown): Promise<Published> {
    if (this.isClosed) return Promise.reject(new MillraceError('closed', 'the stream was closed'));
    return this.#publications.publish(this.#room, data);
  }
}
