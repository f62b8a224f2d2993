/**
 * The client's side of the delta protocol: holds the documents of the state topics by applying each frame, and proves
 * for every topic that nothing is missing between two frames. Runs in a browser as well as in Node.
 */
import { topicOf } from '../protocol/topics.js';
import { type BookDocument, bookChecksumOf, isBook } from './book.js';
import { applyOperations } from './operations.js';

/** A decoded server frame: one JSON object or MessagePack map. */
export type ServerFrame = Readonly<Record<string, unknown>>;

/** Where a topic stands: a `seq` means nothing without its `epoch`. */
export interface ChainPosition {
  readonly epoch: string;
  readonly seq: number;
}

/** What a frame did. After `broken`, `checksum_mismatch` or `patch_failed` ask the server to `resync` the state topic. */
export type FrameOutcome =
  /**
   * `snapshot`, `delta`, `event`: applied, for these topics. `ignored`: a delta of a topic whose chain broke before and
   * that waits for its snapshot. `control`: carries no data.
   */
  | { readonly kind: 'snapshot' | 'delta' | 'event' | 'ignored' | 'control'; readonly topics: readonly string[] }
  /** The server announced that it lost these events; the chain goes on after `to`. */
  | { readonly kind: 'gap'; readonly topics: readonly string[]; readonly from: number; readonly to: number }
  /**
   * The frame does not follow what is held: a loss nobody announced. `expected` is undefined where nothing is held yet.
   * A whole frame (`orderbook`, an event) is taken all the same and the chain goes on from it.
   */
  | {
      readonly kind: 'broken';
      readonly topic: string;
      readonly expected: ChainPosition | undefined;
      readonly got: ChainPosition;
    }
  /** The book after the frame is not the server's. */
  | {
      readonly kind: 'checksum_mismatch';
      readonly topic: string;
      readonly expected: number;
      readonly got: number;
    }
  /** An operation does not fit the document. */
  | { readonly kind: 'patch_failed'; readonly topic: string; readonly reason: string }
  /** A data frame without the members that its type must have. */
  | { readonly kind: 'malformed'; readonly reason: string };

export interface ClientDocuments {
  /** The document that `quotes_patch` operations apply to. */
  readonly quotes: { quotes: Record<string, unknown> };
  /** Book by symbol. */
  readonly depth: Map<string, BookDocument>;
  /** Last `orderbook_update` by symbol. */
  readonly orderbook: Map<string, ServerFrame>;
}

/** The chained members of a delta or event frame. */
interface Link {
  readonly topic: string;
  readonly symbol: string;
  readonly position: ChainPosition;
  /** `prev_seq`; undefined on a frame that has none (a snapshot may). */
  readonly previous: number | undefined;
}

/** One connection's topics. Make a new one per connection. It holds as much as the server sends subscribed topics. */
export class TopicChains {
  readonly documents: ClientDocuments = { quotes: { quotes: {} }, depth: new Map(), orderbook: new Map() };
  readonly #positions = new Map<string, ChainPosition>();
  /** State topics whose document is wrong until their next snapshot. */
  readonly #broken = new Set<string>();

  /** What is held of a topic; undefined before its first snapshot or event, and while its chain is broken. */
  position(topic: string): ChainPosition | undefined {
    return this.#positions.get(topic);
  }

  /** Takes the next frame of the connection, in the order of arrival. Never throws. */
  feed(frame: ServerFrame): FrameOutcome {
    switch (frame.type) {
      case 'quotes_patch':
        return frame.snapshot === true ? this.#quotesSnapshot(frame) : this.#quotesDelta(frame);
      case 'depth_patch':
        return this.#depth(frame);
      case 'orderbook_update':
        return this.#orderbook(frame);
      case 'trade_executed':
        return this.#trade(frame);
      case 'gap':
        return this.#gap(frame);
      case 'heartbeat':
        return this.#heartbeat(frame);
      case 'subscribed':
        if (frame.recovered === false) for (const topic of texts(frame.topics)) this.#positions.delete(topic);
        return CONTROL;
      case 'unsubscribed':
        for (const topic of texts(frame.topics)) this.#forget(topic);
        return CONTROL;
      default:
        return CONTROL;
    }
  }

  #quotesSnapshot(frame: ServerFrame): FrameOutcome {
    const { epoch, seqs, operations } = frame;
    if (typeof epoch !== 'string' || !isRecord(seqs) || !Array.isArray(operations)) {
      return malformed('a quotes_patch snapshot without epoch, seqs or operations');
    }
    const { quotes } = this.documents;
    const topics: string[] = [];
    for (const [symbol, seq] of Object.entries(seqs)) {
      if (!isSeq(seq)) return malformed(`the seq of ${symbol} is not a whole number`);
      // What the snapshot does not add again is gone.
      delete quotes.quotes[symbol];
      const topic = topicOf('quotes', symbol);
      this.#hold(topic, { epoch, seq });
      topics.push(topic);
    }
    const failure = this.#patchQuotes(operations);
    if (failure === undefined) return { kind: 'snapshot', topics };
    for (const topic of topics) this.#lose(topic);
    return { kind: 'patch_failed', topic: topics[0] ?? 'quotes', reason: failure };
  }

  #quotesDelta(frame: ServerFrame): FrameOutcome {
    const link = linkOf(frame, 'quotes');
    if (link === undefined || !Array.isArray(frame.operations)) return malformed('a quotes_patch without its chain');
    const refused = this.#refuse(link);
    if (refused !== undefined) return refused;
    const failure = this.#patchQuotes(frame.operations);
    if (failure !== undefined) return this.#patchFailed(link.topic, failure);
    this.#hold(link.topic, link.position);
    return { kind: 'delta', topics: [link.topic] };
  }

  #depth(frame: ServerFrame): FrameOutcome {
    const link = linkOf(frame, 'depth');
    if (link === undefined || !Array.isArray(frame.operations)) return malformed('a depth_patch without its chain');
    const whole = frame.snapshot === true;
    if (!whole) {
      const refused = this.#refuse(link);
      if (refused !== undefined) return refused;
    }
    const book = (whole ? undefined : this.documents.depth.get(link.symbol)) ?? { bids: {}, asks: {} };
    const failure = applyOperations(book, frame.operations);
    if (failure !== undefined) return this.#patchFailed(link.topic, failure);
    if (!isBook(book)) return this.#patchFailed(link.topic, 'what is left is no book');
    this.documents.depth.set(link.symbol, book);
    if (typeof frame.checksum === 'number') {
      const got = bookChecksumOf(book);
      if (got !== frame.checksum) {
        this.#lose(link.topic);
        return { kind: 'checksum_mismatch', topic: link.topic, expected: frame.checksum, got };
      }
    }
    this.#hold(link.topic, link.position);
    return { kind: whole ? 'snapshot' : 'delta', topics: [link.topic] };
  }

  #orderbook(frame: ServerFrame): FrameOutcome {
    const link = linkOf(frame, 'orderbook');
    if (link === undefined) return malformed('an orderbook_update without its chain');
    const expected = this.#positions.get(link.topic);
    this.documents.orderbook.set(link.symbol, frame);
    this.#hold(link.topic, link.position);
    if (frame.snapshot === true) return { kind: 'snapshot', topics: [link.topic] };
    return follows(link, expected) ? { kind: 'delta', topics: [link.topic] } : brokenAt(link, expected);
  }

  #trade(frame: ServerFrame): FrameOutcome {
    const link = linkOf(frame, 'trades');
    if (link === undefined) return malformed('a trade_executed without its chain');
    const expected = this.#positions.get(link.topic);
    this.#hold(link.topic, link.position);
    if (expected === undefined || follows(link, expected)) return { kind: 'event', topics: [link.topic] };
    return brokenAt(link, expected);
  }

  #gap(frame: ServerFrame): FrameOutcome {
    const { topic, from, to, epoch } = frame;
    if (typeof topic !== 'string' || !isSeq(from) || !isSeq(to)) return malformed('a gap without topic, from or to');
    const held = this.#positions.get(topic);
    if (isStateTopic(topic)) this.#lose(topic);
    else if (typeof epoch === 'string') this.#hold(topic, { epoch, seq: to });
    else if (held !== undefined) this.#hold(topic, { epoch: held.epoch, seq: to });
    return { kind: 'gap', topics: [topic], from, to };
  }

  /** The server's statement of where a silent topic stands shows the loss of its last frames. */
  #heartbeat(frame: ServerFrame): FrameOutcome {
    const { topic, epoch, seq } = frame;
    if (typeof topic !== 'string' || typeof epoch !== 'string' || !isSeq(seq)) return malformed('a bare heartbeat');
    const expected = this.#positions.get(topic);
    if (expected === undefined || (expected.epoch === epoch && expected.seq === seq)) return CONTROL;
    const got = { epoch, seq };
    if (isStateTopic(topic)) this.#lose(topic);
    else this.#hold(topic, got);
    return { kind: 'broken', topic, expected, got };
  }

  #patchQuotes(operations: readonly unknown[]): string | undefined {
    const document = this.documents.quotes;
    const failure = applyOperations(document, operations);
    if (isRecord(document.quotes)) return failure;
    document.quotes = {};
    for (const topic of [...this.#positions.keys()]) if (topic.startsWith('quotes:')) this.#lose(topic);
    return failure ?? 'it takes the quotes away';
  }

  /** Undefined when the delta may be applied. */
  #refuse(link: Link): FrameOutcome | undefined {
    if (this.#broken.has(link.topic)) return { kind: 'ignored', topics: [link.topic] };
    const expected = this.#positions.get(link.topic);
    if (follows(link, expected)) return undefined;
    this.#lose(link.topic);
    return brokenAt(link, expected);
  }

  #patchFailed(topic: string, reason: string): FrameOutcome {
    this.#lose(topic);
    return { kind: 'patch_failed', topic, reason };
  }

  #hold(topic: string, position: ChainPosition): void {
    this.#positions.set(topic, position);
    this.#broken.delete(topic);
  }

  #lose(topic: string): void {
    this.#positions.delete(topic);
    this.#broken.add(topic);
  }

  #forget(topic: string): void {
    const colon = topic.indexOf(':');
    const symbol = topic.slice(colon + 1);
    if (symbol === '*') {
      const stream = topic.slice(0, colon + 1);
      for (const held of this.#positions.keys()) if (held.startsWith(stream)) this.#positions.delete(held);
      return;
    }
    this.#positions.delete(topic);
    this.#broken.delete(topic);
    if (topic.startsWith('quotes:')) delete this.documents.quotes.quotes[symbol];
    else if (topic.startsWith('depth:')) this.documents.depth.delete(symbol);
    else if (topic.startsWith('orderbook:')) this.documents.orderbook.delete(symbol);
  }
}

const CONTROL: FrameOutcome = { kind: 'control', topics: [] };

function linkOf(frame: ServerFrame, stream: 'quotes' | 'depth' | 'orderbook' | 'trades'): Link | undefined {
  const { symbol, epoch, seq, prev_seq: previous } = frame;
  if (typeof symbol !== 'string' || typeof epoch !== 'string' || !isSeq(seq)) return undefined;
  const position = { epoch, seq };
  return { topic: topicOf(stream, symbol), symbol, position, previous: isSeq(previous) ? previous : undefined };
}

function follows(link: Link, held: ChainPosition | undefined): boolean {
  return held !== undefined && held.epoch === link.position.epoch && held.seq === link.previous;
}

function brokenAt(link: Link, expected: ChainPosition | undefined): FrameOutcome {
  const got = { epoch: link.position.epoch, seq: link.previous ?? Number.NaN };
  return { kind: 'broken', topic: link.topic, expected, got };
}

function malformed(reason: string): FrameOutcome {
  return { kind: 'malformed', reason };
}

function isStateTopic(topic: string): boolean {
  return topic.startsWith('quotes:') || topic.startsWith('depth:') || topic.startsWith('orderbook:');
}

function isSeq(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter(item => typeof item === 'string') : [];
}
