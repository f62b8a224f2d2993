import type { SeededRandom } from './seeded-random.js';

/** Adjacent ticks on which a side may have a level; the rest of the market is not modelled. */
const LADDER_TICKS = 128;
/** A side never has fewer levels than this. */
const BOOK_LEVELS_MIN = 100;
/** Levels near the top whose quantity changes in one update, on each side. */
const CHANGES_PER_UPDATE_MAX = 3;
/** How deep those changes go, in ticks from the best level. */
const CHANGE_DEPTH_TICKS = 25;
const QUANTITY_MAX = 100_000;

/** Receives a level: its price in ticks and its quantity in hundredths, 0 if the level is removed. */
type LevelSink = (priceTicks: number, quantity: number) => void;

/**
 * One side of a book: the quantities on a window of adjacent ticks that begins at the best price. It reports every
 * change to the caller, so a caller that applies the reports has exactly this side.
 */
class Side {
  readonly #quantities = new Int32Array(LADDER_TICKS);
  readonly #random: SeededRandom;
  /** +1 for asks, −1 for bids: the direction from the best price to the worst. */
  readonly #away: 1 | -1;
  #bestTicks: number;
  #levels = LADDER_TICKS;

  constructor(bestTicks: number, away: 1 | -1, random: SeededRandom) {
    this.#bestTicks = bestTicks;
    this.#away = away;
    this.#random = random;
    for (let i = 0; i < LADDER_TICKS; i++) this.#quantities[i] = this.#newQuantity();
  }

  /** Every level, from the best. */
  forEach(report: LevelSink): void {
    for (let i = 0; i < LADDER_TICKS; i++) {
      const ticks = this.#bestTicks + i * this.#away;
      const quantity = this.#at(ticks);
      if (quantity > 0) report(ticks, quantity);
    }
  }

  /** Moves the window to begin at `bestTicks`: deletes levels that left it, and fills new ticks. */
  moveTo(bestTicks: number, report: LevelSink): void {
    const shift = (bestTicks - this.#bestTicks) * this.#away;
    const kept = Math.max(0, LADDER_TICKS - Math.abs(shift));
    // Deletions first: the window is a ring, so a new tick takes the slot of one that left.
    for (let i = kept; i < LADDER_TICKS; i++) {
      const left = shift > 0 ? i - kept : i;
      this.#set(this.#bestTicks + left * this.#away, 0, report);
    }
    this.#bestTicks = bestTicks;
    for (let i = kept; i < LADDER_TICKS; i++) {
      const entered = shift > 0 ? i : i - kept;
      this.#set(bestTicks + entered * this.#away, this.#newQuantity(), report);
    }
    // The best price must have a level: its tick may have been empty before.
    if (this.#at(bestTicks) === 0) this.#set(bestTicks, this.#newQuantity(), report);
  }

  /** Changes one quantity near the top; sometimes it empties a level behind the best. */
  change(report: LevelSink): void {
    const depth = this.#random.below(CHANGE_DEPTH_TICKS);
    const ticks = this.#bestTicks + depth * this.#away;
    const empty = depth > 0 && this.#levels > BOOK_LEVELS_MIN && this.#random.below(4) === 0;
    this.#set(ticks, empty ? 0 : this.#newQuantity(), report);
  }

  #at(ticks: number): number {
    return this.#quantities[ticks % LADDER_TICKS] ?? 0;
  }

  #set(ticks: number, quantity: number, report: LevelSink): void {
    const before = this.#at(ticks);
    if (before === quantity) return;
    if (before === 0) this.#levels++;
    if (quantity === 0) this.#levels--;
    this.#quantities[ticks % LADDER_TICKS] = quantity;
    report(ticks, quantity);
  }

  #newQuantity(): number {
    return this.#random.between(1, QUANTITY_MAX);
  }
}

/**
 * An order book of price levels. Its state changes only in `update`, which reports each changed level, so a snapshot
 * plus the later updates always yield the book, however late you ask. Never crossed after an update.
 */
export class Book {
  readonly #bids: Side;
  readonly #asks: Side;
  readonly #random: SeededRandom;

  /** Prices in ticks; `bestBidTicks` < `bestAskTicks`, and at least 128 ticks above zero. */
  constructor(bestBidTicks: number, bestAskTicks: number, random: SeededRandom) {
    if (bestBidTicks >= bestAskTicks) throw new RangeError(`crossed book: bid ${bestBidTicks}, ask ${bestAskTicks}`);
    if (bestBidTicks < LADDER_TICKS) throw new RangeError(`no room for ${LADDER_TICKS} bids under ${bestBidTicks}`);
    this.#random = random;
    this.#bids = new Side(bestBidTicks, -1, random);
    this.#asks = new Side(bestAskTicks, 1, random);
  }

  /** Moves to the given best prices and changes a few levels; if a level is reported twice, the last report counts. */
  update(bestBidTicks: number, bestAskTicks: number, onBid: LevelSink, onAsk: LevelSink): void {
    this.#bids.moveTo(bestBidTicks, onBid);
    this.#asks.moveTo(bestAskTicks, onAsk);
    for (let n = this.#random.between(1, CHANGES_PER_UPDATE_MAX); n > 0; n--) {
      this.#bids.change(onBid);
      this.#asks.change(onAsk);
    }
  }

  /** Every level, each side from its best price. */
  forEach(onBid: LevelSink, onAsk: LevelSink): void {
    this.#bids.forEach(onBid);
    this.#asks.forEach(onAsk);
  }
}
