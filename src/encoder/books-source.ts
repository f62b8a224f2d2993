/** `md.books.<symbol>` → `orderbook_update` (best level) and `depth_patch` (10, 25, 100 levels, with checksum). */
import Big from 'big.js';
import { decimalOf } from '../protocol/amount.js';
import { LEVELS_MAX } from '../protocol/content-limits.js';
import { isZeroDecimal } from '../protocol/decimal.js';
import { timeText } from '../protocol/time-text.js';
import { topicOf } from '../protocol/topics.js';
import { DEPTHS } from '../protocol/view-options.js';
import { timeOfDayAt } from '../protocol/wall-clock.js';
import { levelsOfDetail } from '../threads/lanes.js';
import { BookChecksum, BookSide, Level } from './book.js';
import { BookLevels } from './book-levels.js';
import { BookMessage, type BookView, changesOf } from './book-message.js';
import type { PlainObject } from './decode.js';
import { DepthPatch } from './depth-patch.js';
import { flagOf } from './flag.js';
import type { Encodable, FrameEncoder, FrameOrigin, Message } from './frame-encoder.js';
import { PatchHead } from './patch-head.js';
import type { DataOutcome, MessageTimes, Rebuild } from './source.js';
import { type MarkDue, StateSource } from './state-source.js';

const BEST = 0;
const DEEPEST = DEPTHS.length;
/** An operation takes about 2.5 times the bytes of a level: beyond this share, sending both sides whole is shorter. */
const OPERATIONS_PER_LEVEL_MAX = 0.4;

export class BooksSource extends StateSource<BookView> {
  protected override readonly partIsFrame = true;
  readonly #bids = new BookSide('bids');
  readonly #asks = new BookSide('asks');
  readonly #checksum = new BookChecksum();
  readonly #views: (BookView | undefined)[] = [undefined, undefined, undefined, undefined];
  /** The level budget that all books of the encoder share. */
  readonly #levels: BookLevels;
  #hasBook = false;
  #needsCheckpoints = false;
  #timestamp = '';
  #head: PatchHead | undefined;

  /** @param levels the level budget of the encoder's books */
  constructor(
    source: number,
    symbol: string,
    out: FrameEncoder,
    markDue: MarkDue,
    levels = new BookLevels(Number.POSITIVE_INFINITY),
  ) {
    super(source, symbol, out, markDue);
    this.#levels = levels;
  }

  override data(value: PlainObject, at: MessageTimes, quiet: boolean): DataOutcome {
    const outcome = super.data(value, at, quiet);
    // A restored book keeps its original time, no matter when a client receives it.
    if (quiet && outcome === 'applied' && this.#timestamp === '') this.#timestamp = timeOf(at);
    return outcome;
  }

  protected override apply(value: PlainObject): DataOutcome {
    if (value.symbol !== this.symbol) return 'wrong_symbol';
    const isWhole = flagOf(value.snapshot);
    const bids = parseLevels(value.bids);
    const asks = parseLevels(value.asks);
    const timestamp = timeOrNone(value.timestamp);
    if (isWhole === undefined || timestamp === undefined) return 'invalid_field';
    if (typeof bids === 'string') return bids;
    if (typeof asks === 'string') return asks;
    if (!isWhole) {
      if (!hasLevels(value.bids) && !hasLevels(value.asks)) return 'missing_field';
      if (!this.#hasBook || this.awaitsWhole) return 'no_base';
      this.#needsCheckpoints = true;
    }
    if (!this.#applySides(bids, asks, isWhole)) return 'too_large';
    this.#hasBook = true;
    this.#timestamp = timestamp;
    for (let detail = 0; detail < this.#views.length; detail++) this.#views[detail] = undefined;
    return 'applied';
  }

  override drop(): void {
    this.#levels.change(-this.#size);
  }

  /** Levels of both sides together. */
  get #size(): number {
    return this.#bids.levels.length + this.#asks.levels.length;
  }

  /** False, leaving the book unchanged, if a side or all books together would have too many levels. */
  #applySides(bids: readonly Level[], asks: readonly Level[], isWhole: boolean): boolean {
    const sizeBefore = this.#size;
    const mayBeTooLong =
      this.#bids.levels.length + bids.length > LEVELS_MAX ||
      this.#asks.levels.length + asks.length > LEVELS_MAX ||
      this.#levels.mayExceed(bids.length + asks.length);
    const before = mayBeTooLong ? [this.#bids.copy(), this.#asks.copy()] : undefined;
    if (isWhole) {
      this.#bids.restore([]);
      this.#asks.restore([]);
    }
    applyLevels(this.#bids, bids);
    applyLevels(this.#asks, asks);
    const isShort = Math.max(this.#bids.levels.length, this.#asks.levels.length) <= LEVELS_MAX;
    if (isShort && this.#levels.change(this.#size - sizeBefore)) return true;
    this.#bids.restore(before?.[0] ?? []);
    this.#asks.restore(before?.[1] ?? []);
    return false;
  }

  protected override view(detail: number): BookView | undefined {
    if (!this.#hasBook) return undefined;
    const levels = levelsOfDetail(detail);
    this.#views[detail] ??= {
      bids: this.#bids.top(levels),
      asks: this.#asks.top(levels),
      timestamp: this.#timestamp,
    };
    return this.#views[detail];
  }

  protected override delta(detail: number, from: BookView, to: BookView, prevSeq: number, at: FrameOrigin) {
    if (detail === BEST) {
      if (sameLevel(from.bids[0], to.bids[0]) && sameLevel(from.asks[0], to.asks[0])) return undefined;
      return this.#message(this.#bestLevel(to, prevSeq, at, false), from, to, undefined);
    }
    const changes = changesOf(from, to);
    if (changes.length === 0) return undefined;
    const checksum = this.#checksum.of(to.asks, to.bids);
    const isLong = changes.length > (to.bids.length + to.asks.length) * OPERATIONS_PER_LEVEL_MAX;
    if (!isLong) return new DepthPatch({ head: this.#headNow(), prevSeq, seq: at.seq, changes, checksum });
    const message = this.#depth(prevSeq, at, wholeSides('replace', to), false, checksum);
    return this.#message(message, from, to, checksum);
  }

  protected override whole(detail: number, view: BookView, prevSeq: number, at: FrameOrigin): Encodable {
    if (detail === BEST) return this.#message(this.#bestLevel(view, prevSeq, at, true), undefined, view, undefined);
    const checksum = this.#checksum.of(view.asks, view.bids);
    const message = this.#depth(prevSeq, at, wholeSides('add', view), true, checksum);
    return this.#message(message, undefined, view, checksum);
  }

  protected override part(detail: number, view: BookView, at: FrameOrigin): Encodable {
    return this.whole(detail, view, at.seq, at);
  }

  #message(message: Message, from: BookView | undefined, to: BookView, checksum: number | undefined): Encodable {
    return new BookMessage(message, { names: this.#headNow().fixNames, from, to, checksum });
  }

  protected override topic(detail: number): string {
    return topicOf(detail === BEST ? 'orderbook' : 'depth', this.symbol);
  }

  override checkpoint(isNeeded: boolean): Rebuild | undefined {
    if (!this.#hasBook) return undefined;
    this.#needsCheckpoints ||= isNeeded;
    if (!this.#needsCheckpoints) return undefined;
    return this.rebuild(this.#text(this.#bids.levels, this.#asks.levels));
  }

  protected override shown(): string | undefined {
    const view = this.view(DEEPEST);
    return view && this.#text(view.bids, view.asks);
  }

  #text(bids: readonly Level[], asks: readonly Level[]): string {
    const timestamp = this.#timestamp === '' ? timeOf(this.origin) : this.#timestamp;
    return JSON.stringify({ symbol: this.symbol, bids: pairs(bids), asks: pairs(asks), snapshot: true, timestamp });
  }

  #headNow(): PatchHead {
    if (this.#head?.epoch !== this.epoch) {
      this.#head = new PatchHead('depth_patch', this.symbol, this.epoch);
    }
    return this.#head;
  }

  #bestLevel(view: BookView, prevSeq: number, at: FrameOrigin, snapshot: boolean): Message {
    const bid = view.bids[0];
    const ask = view.asks[0];
    return {
      type: 'orderbook_update',
      ...(snapshot ? { snapshot: true } : undefined),
      symbol: this.symbol,
      best_bid: bid?.price ?? null,
      best_ask: ask?.price ?? null,
      bid_quantity: bid?.quantity ?? null,
      ask_quantity: ask?.quantity ?? null,
      spread: bid === undefined || ask === undefined ? null : spreadOf(bid.price, ask.price),
      timestamp: view.timestamp === '' ? timeOf(at) : view.timestamp,
      epoch: this.epoch,
      prev_seq: prevSeq,
      seq: at.seq,
    };
  }

  #depth(
    prevSeq: number,
    at: FrameOrigin,
    operations: readonly unknown[],
    snapshot: boolean,
    checksum: number,
  ): Message {
    return {
      type: 'depth_patch',
      ...(snapshot ? { snapshot: true } : undefined),
      symbol: this.symbol,
      epoch: this.epoch,
      prev_seq: prevSeq,
      seq: at.seq,
      operations,
      checksum,
    };
  }
}

function pairs(levels: readonly Level[]): (readonly [price: string, quantity: string])[] {
  return levels.map(({ pair }) => pair);
}

function wholeSides(op: 'add' | 'replace', view: BookView) {
  return [
    { op, path: '/bids', value: Object.fromEntries(pairs(view.bids)) },
    { op, path: '/asks', value: Object.fromEntries(pairs(view.asks)) },
  ];
}

/** The exact difference, with as many decimals as the finer of the two prices. */
function spreadOf(bid: string, ask: string): string {
  return new Big(ask).minus(bid).toFixed(Math.max(decimals(bid), decimals(ask)));
}

function decimals(text: string): number {
  const dot = text.indexOf('.');
  return dot < 0 ? 0 : text.length - dot - 1;
}

function timeOf(at: Pick<FrameOrigin, 'tsEventMicros' | 'hubMicros'>): string {
  return new Date((at.tsEventMicros > 0 ? at.tsEventMicros : timeOfDayAt(at.hubMicros)) / 1000).toISOString();
}

function sameLevel(a: Level | undefined, b: Level | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a.price === b.price && a.quantity === b.quantity);
}

function applyLevels(side: BookSide, levels: readonly Level[]): void {
  let near = 0;
  for (const level of levels)
    near = isZeroDecimal(level.quantity) ? side.remove(level.price, near) : side.set(level, near);
}

/**
 * `[[price, quantity], …]`; ignores further items of a level. Absent: no levels. A string result is the reason for a
 * refusal.
 */
function parseLevels(value: unknown): Level[] | 'invalid_field' | 'too_large' {
  if (!hasLevels(value)) return [];
  if (!Array.isArray(value)) return 'invalid_field';
  if (value.length > LEVELS_MAX) return 'too_large';
  const levels: Level[] = [];
  for (const item of value) {
    if (!Array.isArray(item) || item.length < 2) return 'invalid_field';
    const price = decimalOf(item[0]);
    const quantity = decimalOf(item[1]);
    // A decimal starts with a minus only if it is negative.
    if (price === undefined || quantity === undefined || quantity.startsWith('-')) return 'invalid_field';
    levels.push(new Level(price, quantity));
  }
  return levels;
}

function hasLevels(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** '' if absent; undefined if it is not a time. */
function timeOrNone(value: unknown): string | undefined {
  return value === undefined || value === null || value === '' ? '' : timeText(value);
}
