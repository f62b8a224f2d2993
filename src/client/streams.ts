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
  /** A document turned out to be wrong or old; its next change is a snapshot. */
  resync: Resync;
  /** The gateway holds a symbol back: its document is old until `whole`. */
  stale: Stale;
  /** The symbol's document matches the publisher's again; the `change` arrives just before. */
  whole: Whole;
}

/**
 * Documents by symbol, updated by the gateway's patches. While its consumer is busy, an iteration keeps the newest
 * change of each symbol, and says in `skipped` how many earlier ones it replaces.
 */
export class StateStream<Document> extends TopicStream<StateChange<Document>, StateStreamEvents<Document>> {
  /**
   * The current, live document; undefined before the first, and once the stream is closed. While the connection is down
   * it stays unchanged: see `stalenessMs`.
   */
  get(symbol: string): Document | undefined {
    // The topic's stream determines the type of its document.
    return this.lease.documentOf(symbol) as Document | undefined;
  }

  /**
   * True while the gateway holds the symbol back because it lacks a message of the publisher: the document is old. A
   * reconnect does not change that; the next snapshot does.
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

/** Books by symbol, limited to some levels; the gateway's checksum verifies each. */
export class DepthStream extends StateStream<Book> {
  /** `[price, quantity]`, best first; empty while there is no book. @param count most levels; default: all */
  best(symbol: string, side: 'bids' | 'asks', count = Number.POSITIVE_INFINITY): [price: string, quantity: string][] {
    const book = this.get(symbol);
    return book === undefined ? [] : bestLevels(book as BookDocument, side, count);
  }
}

export interface EventStreamEvents<Message> extends StreamEvents {
  event: StreamEvent<Message>;
  /** Events that will not arrive; without a gap, nothing is lost. */
  gap: Gap;
}

/**
 * Every message, in order. While its consumer is busy, an iteration keeps up to `eventBufferMax` events; beyond that it
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

/** The messages of one room, and a way to publish into it. */
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
   * Publishes to the members of the room, this client included. Resolves with the message's position. Without a
   * connection it waits for one; an interrupted publication is sent again with the same id, and the gateway takes it
   * once. Rejects with a `MillraceError`.
   */
  publish(data: unknown): Promise<Published> {
    if (this.isClosed) return Promise.reject(new MillraceError('closed', 'the stream was closed'));
    return this.#publications.publish(this.#room, data);
  }
}
