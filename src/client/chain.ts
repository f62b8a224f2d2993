/**
 * The client's side of the delta protocol: maintains the documents of the state topics by applying each frame, and
 * proves for every topic that nothing is missing between two frames. Runs in a browser as well as in Node.
 */

import type { StreamPosition } from '../protocol/stream-position.js';
import { topicName, topicParts } from '../protocol/topic-parts.js';
import { pointerToken, topicOf } from '../protocol/topics.js';
import { type BookDocument, bookChecksumOf, isBook } from './book.js';
import { applyOperations, isBounded } from './operations.js';
import {
  brokenAt,
  CONTROL,
  type FrameOutcome,
  follows,
  isRecord,
  isSameStaleness,
  isSeq,
  isStateTopic,
  type Link,
  linkOf,
  malformed,
  positionOf,
  type ServerFrame,
  type Staleness,
  stalenessOf,
  texts,
  topicNamedBy,
} from './outcome.js';

export type { StreamPosition } from '../protocol/stream-position.js';
export type { FrameOutcome, ServerFrame, Staleness } from './outcome.js';

export interface ClientDocuments {
  /** The document that `quotes_patch` operations apply to. */
  readonly quotes: { quotes: Record<string, unknown> };
  /** Book by symbol. */
  readonly depth: Map<string, BookDocument>;
  /** Last `orderbook_update` by symbol. */
  readonly orderbook: Map<string, ServerFrame>;
}

/** The position of a topic that never had any data. */
const NOWHERE: StreamPosition = { epoch: '', seq: 0 };

/**
 * Most event topics whose position is kept. A gateway has fewer symbols (`SYMBOLS_MAX`); beyond it, the trades of
 * further symbols are accepted, but gaps between them go unnoticed.
 */
export const EVENT_CHAINS_MAX = 2 ** 17;

/**
 * The topics of a client over successive connections. It keeps only those that are followed, whatever the server names.
 */
export class TopicChains {
  /** A document that is known to be wrong is removed; one that is merely old, while its chain is broken, stays. */
  readonly documents: ClientDocuments = { quotes: { quotes: {} }, depth: new Map(), orderbook: new Map() };
  readonly #positions = new Map<string, StreamPosition>();
  /** State topics without a valid position until their next snapshot. */
  readonly #broken = new Set<string>();
  /** State topics that the server holds back. */
  readonly #stale = new Map<string, Staleness>();
  readonly #isFollowed: (topic: string) => boolean;

  /**
   * @param isFollowed whether a topic is followed, by its name or with its whole stream; frames of others are `ignored`
   */
  constructor(isFollowed: (topic: string) => boolean = () => true) {
    this.#isFollowed = isFollowed;
  }

  /** The position in a topic; undefined before its first snapshot or event, and while its chain is broken. */
  position(topic: string): StreamPosition | undefined {
    return this.#positions.get(topic);
  }

  /** What the server last said of a state topic that it holds back; undefined for any other. */
  staleness(topic: string): Staleness | undefined {
    return this.#stale.get(topic);
  }

  /** The current document of a state topic, if there is one. */
  documentOf(topic: string): unknown {
    const [stream, symbol] = topicParts(topic);
    const { quotes, depth, orderbook } = this.documents;
    switch (stream) {
      case 'quotes':
        return Object.hasOwn(quotes.quotes, symbol) ? quotes.quotes[symbol] : undefined;
      case 'depth':
        return depth.get(symbol);
      case 'orderbook':
        return orderbook.get(symbol);
      default:
        return undefined;
    }
  }

  /**
   * Call when the connection is lost and another follows. Documents and their staleness stay, but no delta applies
   * before the next snapshot. Only the event topics in `resumed`, with `since`, continue at their position.
   */
  reconnecting(resumed: ReadonlySet<string>): void {
    for (const topic of [...this.#positions.keys()]) {
      if (isStateTopic(topic)) this.#lose(topic);
      else if (!resumed.has(topic)) this.#positions.delete(topic);
    }
  }

  /** Takes the connection's next frame (or each element of an array), in order of arrival. Never throws. */
  feed(frame: ServerFrame): FrameOutcome {
    const named = topicNamedBy(frame);
    if (named !== undefined && !this.#isFollowed(named)) return { kind: 'ignored', topics: [named] };
    switch (frame.type) {
      case 'quotes_patch':
        return frame.snapshot === true ? this.#quotesSnapshot(frame) : this.#quotesDelta(frame);
      case 'depth_patch':
        return this.#depth(frame);
      case 'orderbook_update':
        return this.#orderbook(frame);
      case 'trade_executed':
      case 'order_update':
      case 'room_message':
        return this.#event(frame);
      case 'gap':
        return this.#gap(frame);
      case 'heartbeat':
        return this.#heartbeat(frame);
      case 'stale':
        return this.#heldBack(frame);
      case 'subscribed':
        return this.#subscribed(frame);
      case 'unsubscribed':
        for (const topic of texts(frame.topics)) this.forget(topic);
        return CONTROL;
      default:
        return named === undefined ? CONTROL : this.#event(frame);
    }
  }

  /** Forgets a topic that is no longer followed; for `trades:*`, all its symbols. */
  forget(topic: string): void {
    const [stream, symbol] = topicParts(topic);
    if (symbol === '*') {
      for (const held of this.#positions.keys()) if (held.startsWith(`${stream}:`)) this.#positions.delete(held);
      return;
    }
    this.#positions.delete(topic);
    this.#broken.delete(topic);
    this.#stale.delete(topic);
    this.#deleteDocument(topic);
  }

  #quotesSnapshot(frame: ServerFrame): FrameOutcome {
    const { epoch, seqs, operations } = frame;
    if (typeof epoch !== 'string' || !isRecord(seqs) || !Array.isArray(operations)) {
      return malformed('a quotes_patch snapshot without epoch, seqs or operations');
    }
    if (!Object.values(seqs).every(isSeq))
      return malformed('a quotes_patch snapshot with a seq that is not a whole number');
    const topics: string[] = [];
    const others = new Set<unknown>();
    for (const [symbol, seq] of Object.entries(seqs)) {
      const topic = topicOf('quotes', symbol);
      if (!this.#isFollowed(topic)) {
        others.add(pointerToken(symbol));
        continue;
      }
      // Whatever the snapshot does not add again is removed.
      delete this.documents.quotes.quotes[symbol];
      this.#hold(topic, { epoch, seq: seq as number });
      topics.push(topic);
    }
    const own = operations.filter(operation => !others.has(String(operation?.path).split('/', 3)[2]));
    const failure = this.#patchQuotes(own, seqs);
    if (failure === undefined) return this.#whole(topics);
    for (const topic of topics) this.#discard(topic);
    return { kind: 'patch_failed', topic: topics[0] ?? 'quotes', reason: failure };
  }

  #quotesDelta(frame: ServerFrame): FrameOutcome {
    const link = linkOf(frame);
    if (link === undefined || !Array.isArray(frame.operations)) return malformed('a quotes_patch without its chain');
    const refused = this.#refuse(link);
    if (refused !== undefined) return refused;
    const failure = this.#patchQuotes(frame.operations, { [link.name]: true });
    if (failure !== undefined) return this.#patchFailed(link.topic, failure);
    this.#hold(link.topic, link.position);
    return { kind: 'delta', topics: [link.topic] };
  }

  #depth(frame: ServerFrame): FrameOutcome {
    const link = linkOf(frame);
    if (link === undefined || !Array.isArray(frame.operations)) return malformed('a depth_patch without its chain');
    const whole = frame.snapshot === true;
    if (!whole) {
      const refused = this.#refuse(link);
      if (refused !== undefined) return refused;
    }
    const book = (whole ? undefined : this.documents.depth.get(link.name)) ?? { bids: {}, asks: {} };
    const failure = applyOperations(
      book,
      frame.operations,
      path => path.length <= 2 && (path[0] === 'bids' || path[0] === 'asks'),
    );
    if (failure !== undefined) return this.#patchFailed(link.topic, failure);
    if (!isBook(book) || !isBounded(book)) return this.#patchFailed(link.topic, 'the result is not a book');
    if (typeof frame.checksum === 'number') {
      const got = bookChecksumOf(book);
      if (got !== frame.checksum) {
        this.#discard(link.topic);
        return { kind: 'checksum_mismatch', topic: link.topic, expected: frame.checksum, got };
      }
    }
    this.documents.depth.set(link.name, book);
    this.#hold(link.topic, link.position);
    return whole ? this.#whole([link.topic]) : { kind: 'delta', topics: [link.topic] };
  }

  #orderbook(frame: ServerFrame): FrameOutcome {
    const link = linkOf(frame);
    if (link === undefined) return malformed('an orderbook_update without its chain');
    const expected = this.#positions.get(link.topic);
    this.documents.orderbook.set(link.name, frame);
    this.#hold(link.topic, link.position);
    if (frame.snapshot === true) return this.#whole([link.topic]);
    return follows(link, expected) ? { kind: 'delta', topics: [link.topic] } : brokenAt(link, expected);
  }

  #event(frame: ServerFrame): FrameOutcome {
    const link = linkOf(frame);
    if (link === undefined) return malformed(`an event without its chain: ${String(frame.type)}`);
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

  /** The position in a heartbeat reveals the loss of an idle topic's last frames. */
  #heartbeat(frame: ServerFrame): FrameOutcome {
    const { topic } = frame;
    const got = positionOf(frame);
    if (typeof topic !== 'string' || got === undefined) return malformed('a heartbeat without topic or position');
    const isState = isStateTopic(topic);
    const isStale = isState && frame.stale === true;
    const staleness = isStale && !this.#stale.has(topic) ? stalenessOf(frame, got) : undefined;
    if (staleness !== undefined) this.#stale.set(topic, staleness);
    const expected = this.#positions.get(topic);
    if (expected !== undefined && (expected.epoch !== got.epoch || expected.seq !== got.seq)) {
      if (isState) this.#lose(topic);
      else this.#hold(topic, got);
      return { kind: 'broken', topic, expected, got, ...(staleness === undefined ? {} : { staleness }) };
    }
    if (staleness !== undefined) return { kind: 'stale', topics: [topic], staleness };
    return !isStale && this.#stale.has(topic) ? { kind: 'whole_missed', topic } : CONTROL;
  }

  /** A repeated stale frame is not news unless it says something different. */
  #heldBack(frame: ServerFrame): FrameOutcome {
    const { topic } = frame;
    if (typeof topic !== 'string' || !isStateTopic(topic)) return malformed('a stale frame without a state topic');
    const staleness = stalenessOf(frame, positionOf(frame) ?? NOWHERE);
    if (isSameStaleness(staleness, this.#stale.get(topic))) return CONTROL;
    this.#stale.set(topic, staleness);
    return { kind: 'stale', topics: [topic], staleness };
  }

  /** A snapshot of these topics was applied: none of them is stale any more. */
  #whole(topics: readonly string[]): FrameOutcome {
    const whole = topics.filter(topic => this.#stale.delete(topic));
    return whole.length === 0 ? { kind: 'snapshot', topics } : { kind: 'snapshot', topics, whole };
  }

  /** Event topics start at the position the server reports; resumed ones at the position already held. */
  #subscribed(frame: ServerFrame): FrameOutcome {
    if (frame.recovered === true) return CONTROL;
    const positions = isRecord(frame.positions) ? frame.positions : {};
    for (const topic of texts(frame.topics)) {
      const position = isStateTopic(topic) || !this.#isFollowed(topic) ? undefined : positionOf(positions[topic]);
      if (position !== undefined) this.#hold(topic, position);
      else if (frame.recovered === false) this.#positions.delete(topic);
    }
    return CONTROL;
  }

  /** @param symbols an object whose members are the frame's symbols. @returns why it failed */
  #patchQuotes(operations: readonly unknown[], symbols: object): string | undefined {
    const { quotes } = this.documents;
    const failure = applyOperations(
      quotes,
      operations,
      ([root, symbol]) => root === 'quotes' && symbol !== undefined && Object.hasOwn(symbols, symbol),
    );
    if (failure !== undefined) return failure;
    for (const symbol of Object.keys(symbols)) {
      const quote = Object.hasOwn(quotes.quotes, symbol) ? quotes.quotes[symbol] : {};
      if (!isRecord(quote) || !isBounded(quote)) return 'the result is not a quote';
    }
    return undefined;
  }

  /** Undefined if the delta may be applied. */
  #refuse(link: Link): FrameOutcome | undefined {
    if (this.#broken.has(link.topic)) return { kind: 'ignored', topics: [link.topic] };
    const expected = this.#positions.get(link.topic);
    if (follows(link, expected)) return undefined;
    this.#lose(link.topic);
    return brokenAt(link, expected);
  }

  #patchFailed(topic: string, reason: string): FrameOutcome {
    this.#discard(topic);
    return { kind: 'patch_failed', topic, reason };
  }

  #hold(topic: string, position: StreamPosition): void {
    const isFull = this.#positions.size >= EVENT_CHAINS_MAX && !this.#positions.has(topic);
    if (isFull && !isStateTopic(topic)) return;
    this.#positions.set(topic, position);
    this.#broken.delete(topic);
  }

  #lose(topic: string): void {
    this.#positions.delete(topic);
    this.#broken.add(topic);
  }

  /** Like `lose`, if the document is not just old but wrong. */
  #discard(topic: string): void {
    this.#lose(topic);
    this.#deleteDocument(topic);
  }

  #deleteDocument(topic: string): void {
    const symbol = topicName(topic);
    if (topic.startsWith('quotes:')) delete this.documents.quotes.quotes[symbol];
    else if (topic.startsWith('depth:')) this.documents.depth.delete(symbol);
    else if (topic.startsWith('orderbook:')) this.documents.orderbook.delete(symbol);
  }
}
