/** One symbol of one request: the views that feed it, and what it sends of them. */
import type { StreamPosition } from '../../protocol/stream-position.js';
import type { PauseReason } from './client-journal.js';
import type { Cut } from './cut.js';
import { type ChainPlace, Entries, partOf } from './entries.js';
import type { MarketClient } from './market-client.js';
import { STALE, staleText } from './news.js';
import type { MarketRequest } from './request.js';
import { Resolution } from './resolution.js';
import { bookShareOf, EVERYTHING, statisticsShareOf } from './shares.js';
import { Statistics } from './statistics.js';
import { SubscribedTrades } from './subscribed-trades.js';
import { SubscriptionJournal } from './subscription-journal.js';
import type { FixView, ViewUser } from './view.js';
import { ViewChoice } from './view-choice.js';
import type { FixViews } from './views.js';
import { wantedBook } from './wanted-book.js';

const NO_ENTRIES = new Entries();
const NOWHERE: ChainPlace = { epoch: '', prevSeq: 0, seq: 0, checksum: undefined };

export class Subscription implements ViewUser {
  readonly request: MarketRequest;
  readonly symbol: string;
  readonly choice: ViewChoice;
  readonly #client: MarketClient;
  readonly #views: FixViews;
  #book: FixView | undefined;
  #cut: Cut | undefined;
  #trades: SubscribedTrades | undefined;
  #statistics: FixView | undefined;
  readonly #figures: Statistics;
  readonly #journal: SubscriptionJournal | undefined;
  #bookPlace = NOWHERE;
  #hasBook = false;
  #isStarted = false;
  #isAsked = false;
  /** A W is due. */
  #isWaiting = true;
  /** What the client missed, as W says it. */
  #resolution: Resolution | undefined;
  /** Too many messages wait, in the client's own judgement: nothing is sent. */
  #isHeld = false;
  /** The part of the book is this subscription's own: it holds what was sent, so that changes can be sent as one. */
  #overlays = false;
  /** The last position that was sent. */
  #sentSeq = 0;
  /** The client knows that it is held back; it gets a W once it is not. */
  #isStaleTold = false;

  constructor(request: MarketRequest, symbol: string, client: MarketClient, views: FixViews) {
    this.request = request;
    this.symbol = symbol;
    this.#client = client;
    this.#views = views;
    this.choice = new ViewChoice(request, symbol, client, views);
    this.#figures = new Statistics(symbol, request.statistics);
    this.#journal = client.journal && new SubscriptionJournal(client.journal, request.id);
  }

  /** The views that feed it. */
  get views(): readonly FixView[] {
    return [this.#book, this.#trades?.view, this.#statistics].filter(view => view !== undefined);
  }

  /** False while a W is due. */
  get isLive(): boolean {
    return !this.#isWaiting;
  }

  /** True while a W is due that `ask` brings, or everything. */
  get isUnanswered(): boolean {
    if (!this.#isStarted || this.#isMoving) return true;
    return this.#isWaiting && (this.#book !== undefined || this.#statistics !== undefined);
  }

  /** True from `ask` until the answer. */
  get isAsked(): boolean {
    return this.#isAsked;
  }

  /** Requests a W; at first it begins to follow its views. */
  ask(): void {
    if (!this.#isStarted) this.#start();
    else if (this.#isMoving) this.#move();
    else {
      this.#isAsked = false;
      for (const view of [this.#book, this.#statistics]) {
        if (view?.isLive !== true) continue;
        this.#isAsked = true;
        this.#views.ask(view);
      }
      return;
    }
    this.#isAsked = this.#book !== undefined || this.#statistics !== undefined;
  }

  #start(): void {
    this.#isStarted = true;
    const { hasTrades, statistics } = this.request;
    this.#followBook(true);
    if (hasTrades) {
      const view = this.choice.acquire('trades', 0, this);
      this.#journal?.follow(view, EVERYTHING, true);
      this.#trades = new SubscribedTrades(view, this, this.#client, this.#journal);
      if (view.isLive) this.#trades.begin(view, this.#isSilent);
    }
    if (statistics.size > 0) this.#followStatistics(true);
  }

  /** @param stays the connection does */
  end(stays: boolean): void {
    this.#journal?.end(stays);
    for (const view of this.views) this.#views.release(view, this);
    [this.#book, this.#trades, this.#statistics] = [undefined, undefined, undefined];
  }

  /** The client gets another class: book and statistics come from other views, which `ask` follows. */
  moveTo(): void {
    if (this.#isMoving) this.#await('moved');
    else if (!this.request.isFull) this.#journal?.resolved(this.#book, this.#sentPosition, this.#conflation);
  }

  get #isMoving(): boolean {
    return this.choice.isMoving(this.#book) || this.choice.isMoving(this.#statistics);
  }

  #move(): void {
    const before = [this.#book, this.#statistics].filter(view => view !== undefined);
    for (const view of before) this.#journal?.moved(view, this.#sentPosition);
    this.#followBook(false);
    if (this.#statistics !== undefined) this.#followStatistics(false);
    for (const view of before) this.#views.release(view, this);
  }

  /** The last message of a client that is logged out because it does not keep up. */
  overrun(): void {
    if (this.request.isFull && this.#hasBook && this.#cut !== undefined) {
      this.#resolution = Resolution.ended;
      this.#sendWhole(this.#cut.whole(), this.#bookPlace);
      return;
    }
    this.#client.change(this, NO_ENTRIES, undefined, Resolution.ended);
    this.#journal?.overrun(this.views[0], this.#sentPosition);
  }

  /** What was sent last may not have arrived: nothing is sent before a W. */
  await(): void {
    this.#await('resync');
  }

  #await(reason: PauseReason): void {
    this.#isWaiting = true;
    if (this.#book !== undefined) this.#journal?.pause(this.#book, this.#sentPosition, reason);
    this.#client.due(this);
  }

  /** Nothing is sent from now on. */
  paused(): void {
    if (this.#book !== undefined) this.#journal?.pause(this.#book, this.#sentPosition, 'slow_consumer');
    this.#trades?.pause();
  }

  resumed(): void {
    if (this.#isHeld) return;
    this.#trades?.resume();
    this.#replace();
  }

  /** A W says what was not sent. */
  #replace(): void {
    this.#resolution = Resolution.replaced;
    this.#await('slow_consumer');
  }

  hold(): void {
    this.#isHeld = true;
    this.paused();
  }

  release(): void {
    this.#isHeld = false;
    if (this.#client.isPaused) return;
    this.#trades?.resume();
    const book = this.#book;
    if (!this.#overlays || this.#isWaiting || book === undefined) this.#replace();
    else this.#overlay(book, Resolution.conflated);
  }

  answered(view: FixView, entries: Entries | undefined, place: ChainPlace): void {
    if (view === this.#trades?.view) {
      this.#trades.begin(place, this.#isSilent);
      return;
    }
    this.#isAsked = false;
    if (!this.#isWaiting) return;
    if (view === this.#statistics) this.#figures.read(entries, true);
    this.#document(view, entries, place);
  }

  whole(view: FixView, entries: Entries, place: ChainPlace): void {
    if (view === this.#statistics) this.#figures.read(entries, true);
    this.#isAsked = false;
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
    if (this.#isWaiting || this.#isSilent) return;
    if (this.#overlays) {
      this.#overlay(view, this.#conflation);
      return;
    }
    if (this.#cut === undefined) {
      if (entries.count > 0) this.#change(view, entries, place);
      return;
    }
    if (this.#cut.changes.count === 0) return;
    if (this.request.isFull) this.#sendWhole(this.#cut.whole(), place);
    else this.#change(view, this.#cut.changes, partOf(place));
  }

  event(_view: FixView, entries: Entries, place: ChainPlace): void {
    if (!this.#isSilent) this.#trades?.sent(entries, place);
  }

  lost(_view: FixView, from: number, to: number, reason: string): void {
    if (!this.#isSilent) this.#trades?.lost({ from, to }, reason);
  }

  /** A client that gets nothing is told with the W that it gets later. */
  stale(view: FixView, reason: string, isAlone = false): void {
    if (this.#isSilent) return;
    this.#isStaleTold = true;
    this.#journal?.stale(view, reason, isAlone);
    this.#client.news([this.symbol], STALE, staleText(view.topic, reason));
  }

  refused(_view: FixView, text: string): void {
    this.#client.ended(this, text);
  }

  #followBook(isAsked: boolean): void {
    const wanted = wantedBook(this.request);
    if (wanted === undefined) return;
    this.#hasBook = false;
    this.#book = this.choice.acquire(wanted.stream, this.request.detail, this);
    this.#overlays = wanted.overlays;
    const share = bookShareOf(this.request, wanted, this.#book);
    this.#cut = share.cut;
    const isShared = !wanted.overlays && this.request.statistics.size === 0;
    this.#journal?.follow(this.#book, share, isShared, isAsked);
  }

  #followStatistics(isAsked: boolean): void {
    this.#figures.place = undefined;
    this.#statistics = this.choice.acquire('quotes', 0, this);
    this.#journal?.follow(this.#statistics, statisticsShareOf(this.request), false, isAsked);
  }

  /** A document that was waited for, or that replaces what was sent. */
  #document(view: FixView, entries: Entries | undefined, place: ChainPlace): void {
    if (view === this.#book) {
      this.#bookPlace = place;
      this.#hasBook = true;
    } else this.#figures.place = place;
    const lacksBook = this.#book !== undefined && !this.#hasBook;
    const lacksStatistics = this.#statistics !== undefined && this.#figures.place === undefined;
    if (lacksBook || lacksStatistics || this.#isSilent || this.#isMoving) return;
    const isEmpty = entries === undefined && this.#statistics === undefined;
    // A symbol without data: its first document comes as a whole one.
    if (isEmpty && !this.request.isSnapshot) {
      if (view.staleReason !== undefined && !this.#isStaleTold) this.stale(view, view.staleReason, true);
      return;
    }
    this.#isWaiting = false;
    if (this.#overlays && this.#book !== undefined) this.#cut?.update(this.#book.book);
    const at = this.#book === undefined ? place : this.#bookPlace;
    this.#sendWhole(this.#cut?.whole() ?? (view === this.#book ? entries : undefined), at, entries !== undefined);
    if (view.staleReason !== undefined) this.stale(view, view.staleReason, true);
    if (this.request.isSnapshot) this.#client.ended(this, undefined);
  }

  #sendWhole(book: Entries | undefined, place: ChainPlace, hasDocument = true): void {
    const parts: Entries[] = book === undefined ? [] : [book];
    if (this.#statistics !== undefined) parts.push(this.#figures.whole());
    this.#client.whole(this, parts, this.#cut === undefined ? place : partOf(place), this.#resolution);
    this.#isStaleTold = false;
    this.#sentSeq = place.seq;
    this.#journal?.whole([this.#book, this.#statistics], [place, this.#figures.place ?? NOWHERE], {
      resolution: this.#resolution,
      isEmpty: !hasDocument && parts.every(({ count }) => count === 0),
      changes: this.request.isSnapshot ? undefined : { resolution: this.request.isFull ? undefined : this.#conflation },
    });
    this.#resolution = undefined;
  }

  #statisticsChanged(news: Entries, place: ChainPlace): void {
    const changed = this.#figures.read(news, false);
    this.#figures.place = place;
    const view = this.#statistics;
    if (changed.size === 0 || this.#isWaiting || this.#isSilent || view === undefined) return;
    if (this.request.isFull) {
      this.#sendWhole(this.#cut?.whole(), this.#book === undefined ? place : this.#bookPlace);
      return;
    }
    const entries = this.#figures.changes(changed);
    // Beside a book, which has a numbering of its own, they have no place.
    if (this.#book === undefined) this.#change(view, entries, partOf(place));
    else {
      this.#client.change(this, entries, undefined, this.#conflation);
      this.#journal?.changed(view, place, this.#conflation);
    }
  }

  get #isSilent(): boolean {
    return this.#isHeld || this.#client.isPaused;
  }

  get #conflation(): Resolution | undefined {
    return this.#client.level > 0 ? Resolution.conflated : undefined;
  }

  /** All that has changed since the last message, as one. */
  #overlay(view: FixView, resolution: Resolution | undefined): void {
    if (this.#cut?.update(view.book) === true) {
      this.#change(view, this.#cut.changes, partOf(this.#bookPlace), resolution);
    }
  }

  /** Changes that are not the client's have places too: a message follows the last one that was sent. */
  #change(view: FixView, entries: Entries, place: ChainPlace, resolution = this.#conflation): void {
    const { epoch, prevSeq, seq, checksum } = place;
    const following = prevSeq === this.#sentSeq ? place : { epoch, prevSeq: this.#sentSeq, seq, checksum };
    this.#client.change(this, entries, following, resolution);
    this.#sentSeq = seq;
    this.#journal?.changed(view, following, resolution);
  }

  /** The position of what was sent last. */
  get #sentPosition(): StreamPosition {
    return { epoch: this.#bookPlace.epoch, seq: this.#sentSeq };
  }
}
