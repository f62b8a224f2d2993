/** A topic in a lane, as the encoder serves it to this thread, and the clients' subscriptions that it feeds. */
import { delayedName } from '../../protocol/delayed-name.js';
import { type Stream, sourceKindOf, topicOf } from '../../protocol/topics.js';
import { shardOf } from '../../threads/shard-of.js';
import { FixBook } from './book.js';
import { Cut, type CutShape, cutKey } from './cut.js';
import type { ChainPlace, Entries } from './entries.js';

const UNBOUND = -1;

/** What a view tells those that it feeds, in order. */
export interface ViewUser {
  /** It has the document and gets its changes from here on; undefined: there is no data yet. */
  answered(view: FixView, entries: Entries | undefined, place: ChainPlace): void;
  /** The document as a whole: what was sent of it before no longer counts. */
  whole(view: FixView, entries: Entries, place: ChainPlace): void;
  changed(view: FixView, entries: Entries, place: ChainPlace): void;
  /** A message of an event topic. */
  event(view: FixView, entries: Entries, place: ChainPlace): void;
  /** Messages of an event topic were lost. */
  lost(view: FixView, from: number, to: number, reason: string): void;
  /** The topic is held back until it is whole again. */
  stale(view: FixView, reason: string): void;
  /** There will be no data. */
  refused(view: FixView, text: string): void;
}

export class FixView {
  readonly stream: Stream;
  readonly symbol: string;
  readonly topic: string;
  readonly sourceName: string;
  readonly lane: number;
  /** How late its messages are, ms; 0: in real time. */
  readonly delayMs: number;
  readonly shard: number;
  readonly users = new Set<ViewUser>();
  /** On whose behalf it was requested first. */
  readonly owner: number;
  source = UNBOUND;
  ring = UNBOUND;
  epoch = '';
  epochTag = 0;
  seq = 0;
  /** The number of the open request; 0: none. */
  request = 0;
  isWanted = false;
  /** Frames were missed: it waits for its document. */
  isBroken = false;
  /** Undefined: it is not held back. */
  staleReason: string | undefined;
  /** The request whose answer said so last. */
  staleRequest = 0;
  /** Kept from the first client on that wants another part of the book than the lane has. */
  #book: FixBook | undefined;
  /** The book holds the document. */
  #hasBook = false;
  readonly #cuts = new Map<string, Cut>();

  constructor(stream: Stream, symbol: string, lane: number, owner: number, shards: number, delayMs = 0) {
    this.stream = stream;
    this.symbol = symbol;
    this.topic = topicOf(stream, symbol);
    this.sourceName = `${sourceKindOf(stream)}:${delayedName(symbol, delayMs)}`;
    this.lane = lane;
    this.delayMs = delayMs;
    this.owner = owner;
    this.shard = shardOf(this.sourceName, shards);
  }

  get isLive(): boolean {
    return this.source !== UNBOUND && !this.isBroken;
  }

  /** What `ownCut` is updated from. */
  get book(): FixBook {
    this.#book ??= new FixBook();
    return this.#book;
  }

  /** A part of the book that its user updates itself; the book is kept from the next document on. */
  ownCut(shape: CutShape): Cut {
    this.#book ??= new FixBook();
    return new Cut(shape, this.symbol);
  }

  /** A part of the book; kept from the next document on. */
  cut(shape: CutShape): Cut {
    const { book } = this;
    const key = cutKey(shape);
    let cut = this.#cuts.get(key);
    if (cut === undefined) {
      cut = new Cut(shape, this.symbol);
      this.#cuts.set(key, cut);
      if (this.#hasBook) cut.update(book);
    }
    return cut;
  }

  /** Keeps the book, and updates its parts. @param isWhole the entries are all of it */
  keep(entries: Entries, isWhole: boolean): void {
    if (this.#book === undefined || (!isWhole && !this.#hasBook)) return;
    if (isWhole) this.#book.whole(entries);
    else this.#book.change(entries);
    this.#hasBook = true;
    for (const cut of this.#cuts.values()) cut.update(this.#book);
  }
}
