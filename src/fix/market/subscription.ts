/** One symbol of one request: the views that feed it, and what it sends of them. */
import { REALTIME, type Tier } from '../../protocol/view-options.js';
import { FIX_VARIANT, laneWith, levelsOfDetail, servedLane, TRADES_PUBLIC } from '../../threads/lanes.js';
import { readEntries } from './book.js';
import type { Cut } from './cut.js';
import { type ChainPlace, Entries, EntriesWriter } from './entries.js';
import type { MarketRequest } from './request.js';
import type { FixView, ViewUser } from './view.js';
import type { FixViews } from './views.js';

/** ApplQueueResolution (814): what became of messages that were not sent. */
export const Resolution = { replaced: 1, conflated: 2 } as const;
type Resolution = (typeof Resolution)[keyof typeof Resolution];

/** The client that a subscription sends to. */
export interface MarketClient {
  readonly tier: Tier;
  /** On whose behalf views are wanted. */
  readonly owner: number;
  /** The class that it gets at its best, and how many classes slower it gets now. */
  readonly rateClass: number;
  readonly level: number;
  /** True while it does not keep up: nothing is sent. */
  readonly isPaused: boolean;
  /** W. */
  whole(subscription: Subscription, parts: readonly Entries[], place: ChainPlace, resolution?: Resolution): void;
  /** X. */
  change(subscription: Subscription, entries: Entries, place: ChainPlace): void;
  /** B: something about this symbol. */
  news(symbols: readonly string[], headline: string, text: string): void;
  /** The subscription has come to its end. @param text why; undefined: everything was sent */
  ended(subscription: Subscription, text: string | undefined): void;
}

const NOWHERE: ChainPlace = { epoch: '', prevSeq: 0, seq: 0, checksum: undefined };
const BOTH_SIDES_LEVELS = new Set([0, 1, 2, 3].map(levelsOfDetail));

export class Subscription implements ViewUser {
  readonly request: MarketRequest;
  readonly symbol: string;
  readonly #client: MarketClient;
  readonly #views: FixViews;
  #book: FixView | undefined;
  #cut: Cut | undefined;
  #trades: FixView | undefined;
  #statistics: FixView | undefined;
  readonly #prices = new Map<string, string>();
  readonly #statisticsWriter = new EntriesWriter();
  readonly #statisticsEntries = new Entries();
  #bookPlace = NOWHERE;
  #hasBook = false;
  #hasStatistics = false;
  /** A W is due. */
  #isWaiting = true;
  /** What the client missed, as W says it. */
  #resolution: Resolution | undefined;
  /** The last trade that was sent; messages after it were not, until it keeps up again. */
  #tradesSentTo = 0;

  constructor(request: MarketRequest, symbol: string, client: MarketClient, views: FixViews) {
    this.request = request;
    this.symbol = symbol;
    this.#client = client;
    this.#views = views;
  }

  /** The views that feed it. */
  get views(): readonly FixView[] {
    return [this.#book, this.#trades, this.#statistics].filter(view => view !== undefined);
  }

  /** False while a W is due. */
  get isLive(): boolean {
    return !this.#isWaiting;
  }

  /** Follows the views; what they answer is sent. */
  start(): void {
    const { hasTrades, statistics } = this.request;
    const { owner } = this.#client;
    this.#followBook();
    if (hasTrades) {
      const lane = laneWith(REALTIME, TRADES_PUBLIC, FIX_VARIANT);
      this.#trades = this.#views.acquire('trades', this.symbol, lane, owner, this);
    }
    if (statistics.size > 0) {
      this.#statistics = this.#views.acquire('quotes', this.symbol, this.#laneOf(0), owner, this);
    }
  }

  end(): void {
    for (const view of [this.#book, this.#trades, this.#statistics])
      if (view !== undefined) this.#views.release(view, this);
    this.#book = undefined;
    this.#trades = undefined;
    this.#statistics = undefined;
  }

  /** The client gets another class: its book comes from another view. */
  moveTo(): void {
    const before = this.#book;
    this.#isWaiting = true;
    this.#followBook();
    if (before !== undefined) this.#views.release(before, this);
  }

  /** What was sent last may not have arrived: a new W says where the topic stands. */
  refresh(resolution?: Resolution): void {
    this.#isWaiting = true;
    this.#resolution = resolution;
    for (const view of [this.#book, this.#statistics]) if (view?.isLive === true) this.#views.ask(view);
  }

  /** Nothing is sent from now on. */
  paused(): void {
    this.#tradesSentTo = this.#trades?.seq ?? 0;
  }

  resumed(): void {
    const trades = this.#trades;
    if (trades !== undefined && trades.seq > this.#tradesSentTo) {
      this.#lostTrades(this.#tradesSentTo + 1, trades.seq, 'slow consumer');
    }
    this.refresh(Resolution.replaced);
  }

  answered(view: FixView, entries: Entries | undefined, place: ChainPlace): void {
    if (view === this.#trades || !this.#isWaiting) return;
    if (view === this.#statistics) this.#readStatistics(entries, true);
    this.#document(view, entries, place);
  }

  whole(view: FixView, entries: Entries, place: ChainPlace): void {
    if (view === this.#statistics) this.#readStatistics(entries, true);
    this.#isWaiting = true;
    this.#document(view, entries, place);
  }

  changed(view: FixView, entries: Entries, place: ChainPlace): void {
    if (view === this.#statistics) {
      this.#statisticsChanged(entries, place);
      return;
    }
    if (view !== this.#book) return;
    this.#bookPlace = place;
    if (this.#isWaiting || this.#client.isPaused) return;
    if (this.#cut === undefined) {
      if (entries.count > 0) this.#client.change(this, entries, place);
      return;
    }
    if (this.#cut.changes.count === 0) return;
    if (this.request.isFull) this.#sendWhole(this.#cut.whole(), place);
    else this.#client.change(this, this.#cut.changes, partOf(place));
  }

  event(_view: FixView, entries: Entries, place: ChainPlace): void {
    if (this.#client.isPaused) return;
    this.#client.change(this, entries, place);
  }

  lost(_view: FixView, from: number, to: number, reason: string): void {
    if (this.#client.isPaused) return;
    this.#lostTrades(from, to, reason);
  }

  stale(view: FixView, reason: string): void {
    const text = `${view.topic} is held back (${reason}); a snapshot follows once it is whole`;
    this.#client.news([this.symbol], 'STALE', text);
  }

  refused(_view: FixView, text: string): void {
    this.#client.ended(this, text);
  }

  #followBook(): void {
    const { hasBids, hasOffers, levels, detail, isFull, statistics } = this.request;
    if (!hasBids && !hasOffers) return;
    const stream = detail === 0 ? 'orderbook' : 'depth';
    this.#hasBook = false;
    this.#book = this.#views.acquire(stream, this.symbol, this.#laneOf(detail), this.#client.owner, this);
    const isExact = hasBids && hasOffers && BOTH_SIDES_LEVELS.has(levels) && !isFull && statistics.size === 0;
    this.#cut = isExact ? undefined : this.#book.cut({ levels, hasBids, hasOffers });
  }

  #laneOf(detail: number): number {
    const { rateClass, tier, level } = this.#client;
    return servedLane(laneWith(rateClass, detail, FIX_VARIANT), tier, level);
  }

  /** A document that was waited for, or that replaces what was sent. */
  #document(view: FixView, entries: Entries | undefined, place: ChainPlace): void {
    if (view === this.#book) {
      this.#bookPlace = place;
      this.#hasBook = true;
    } else this.#hasStatistics = true;
    const hasAll =
      (this.#book === undefined || this.#hasBook) && (this.#statistics === undefined || this.#hasStatistics);
    if (!hasAll || this.#client.isPaused) return;
    const isEmpty = entries === undefined && this.#statistics === undefined;
    // A symbol without data: its first document comes as a whole one.
    if (isEmpty && !this.request.isSnapshot) return;
    this.#isWaiting = false;
    this.#sendWhole(this.#cut?.whole() ?? entries, this.#book === undefined ? place : this.#bookPlace);
    if (view.staleReason !== undefined) this.stale(view, view.staleReason);
    if (this.request.isSnapshot) this.#client.ended(this, undefined);
  }

  #sendWhole(book: Entries | undefined, place: ChainPlace): void {
    const parts: Entries[] = book === undefined ? [] : [book];
    if (this.#statistics !== undefined) parts.push(this.#statisticsWhole());
    this.#client.whole(this, parts, this.#cut === undefined ? place : partOf(place), this.#resolution);
    this.#resolution = undefined;
  }

  #statisticsWhole(): Entries {
    const out = this.#statisticsWriter;
    out.begin();
    for (const [type, price] of this.#prices) {
      out.field('269', type);
      out.field('270', price);
      out.count++;
    }
    out.end(this.#statisticsEntries);
    return this.#statisticsEntries;
  }

  #statisticsChanged(entries: Entries, place: ChainPlace): void {
    const changed = this.#readStatistics(entries, false);
    if (changed.length === 0 || this.#isWaiting || this.#client.isPaused) return;
    if (this.request.isFull) {
      this.#sendWhole(this.#cut?.whole(), place);
      return;
    }
    const out = this.#statisticsWriter;
    out.begin();
    for (const type of changed) {
      const price = this.#prices.get(type);
      out.field('279', price === undefined ? '2' : '1');
      out.field('269', type);
      out.symbol(this.symbol);
      if (price !== undefined) out.field('270', price);
      out.count++;
    }
    out.end(this.#statisticsEntries);
    this.#client.change(this, this.#statisticsEntries, partOf(place));
  }

  /** @returns the types that the client wants, of those in the entries */
  #readStatistics(entries: Entries | undefined, isWhole: boolean): string[] {
    if (isWhole) this.#prices.clear();
    const changed: string[] = [];
    if (entries === undefined) return changed;
    readEntries(entries, (code, _action, price) => {
      const type = String.fromCharCode(code);
      if (!this.request.statistics.has(type)) return;
      changed.push(type);
      if (price === '') this.#prices.delete(type);
      else this.#prices.set(type, price);
    });
    return changed;
  }

  #lostTrades(from: number, to: number, reason: string): void {
    const text = `trades ${from} to ${to} of ${this.symbol} are lost (${reason})`;
    this.#client.news([this.symbol], 'TRADES LOST', text);
  }
}

/** A part of the book has no checksum of its own. */
function partOf(place: ChainPlace): ChainPlace {
  return place.checksum === undefined ? place : { ...place, checksum: undefined };
}

/** The streams that serve a request, for entitlements and costs. */
export function streamsOf({ detail, hasBids, hasOffers, hasTrades, statistics }: MarketRequest) {
  const book = detail === 0 ? ('orderbook' as const) : ('depth' as const);
  return [
    ...(hasBids || hasOffers ? [book] : []),
    ...(hasTrades ? ['trades' as const] : []),
    ...(statistics.size > 0 ? ['quotes' as const] : []),
  ];
}
