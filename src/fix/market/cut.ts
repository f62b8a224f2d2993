/** A part of a book: its best levels, one side or both. Clients that want the same part share its entries. */
import { compareDecimal } from '../../protocol/decimal.js';
import type { BookLevel, FixBook } from './book.js';
import { Entries, EntriesWriter } from './entries.js';

const NO_LEVELS: readonly BookLevel[] = [];

/** Which part. */
export interface CutShape {
  readonly levels: number;
  readonly hasBids: boolean;
  readonly hasOffers: boolean;
}

export const cutKey = ({ levels, hasBids, hasOffers }: CutShape): string =>
  `${levels}${hasBids ? 'b' : ''}${hasOffers ? 'o' : ''}`;

export class Cut {
  /** What changed at the last `update`, and the whole part; valid until the next update of any cut. */
  readonly changes = new Entries();
  readonly #shape: CutShape;
  readonly #symbol: string;
  readonly #whole = new Entries();
  readonly #changesWriter = new EntriesWriter();
  readonly #wholeWriter = new EntriesWriter();
  #bids = NO_LEVELS;
  #offers = NO_LEVELS;

  constructor(shape: CutShape, symbol: string) {
    this.#shape = shape;
    this.#symbol = symbol;
  }

  /** Takes the part from the book. @returns whether it changed */
  update(book: FixBook): boolean {
    const { levels, hasBids, hasOffers } = this.#shape;
    const [bids, offers] = [this.#bids, this.#offers];
    this.#bids = hasBids ? book.bids.slice(0, levels) : NO_LEVELS;
    this.#offers = hasOffers ? book.offers.slice(0, levels) : NO_LEVELS;
    this.#changesWriter.begin();
    this.#diff('0', bids, this.#bids, -1);
    this.#diff('1', offers, this.#offers, 1);
    this.#changesWriter.end(this.changes);
    return this.changes.count > 0;
  }

  /** The whole part, as of the last update. */
  whole(): Entries {
    this.#wholeWriter.begin();
    this.#side('0', this.#bids);
    this.#side('1', this.#offers);
    this.#wholeWriter.end(this.#whole);
    return this.#whole;
  }

  #side(type: string, levels: readonly BookLevel[]): void {
    const out = this.#wholeWriter;
    let position = 0;
    for (const { price, size } of levels) {
      out.field('269', type);
      out.field('270', price);
      out.field('271', size);
      out.field('290', String(++position));
      out.count++;
    }
  }

  /** Both are sorted, the best level first. */
  #diff(type: string, from: readonly BookLevel[], to: readonly BookLevel[], sign: number): void {
    let [i, j] = [0, 0];
    while (i < from.length || j < to.length) {
      const [before, after] = [from[i], to[j]];
      if (before !== undefined && before === after) {
        i++;
        j++;
        continue;
      }
      const order =
        before === undefined ? 1 : after === undefined ? -1 : compareDecimal(before.price, after.price) * sign;
      if (order < 0 && before !== undefined) {
        this.#entry('2', type, before.price, undefined);
        i++;
      } else if (after !== undefined) {
        if (order > 0) this.#entry('0', type, after.price, after.size);
        else if (before?.size !== after.size || before.price !== after.price) {
          this.#entry('1', type, after.price, after.size);
        }
        if (order === 0) i++;
        j++;
      }
    }
  }

  #entry(action: string, type: string, price: string, size: string | undefined): void {
    const out = this.#changesWriter;
    out.field('279', action);
    out.field('269', type);
    out.symbol(this.#symbol);
    out.field('270', price);
    if (size !== undefined) out.field('271', size);
    out.count++;
  }
}
