/** What a client of FIX gets of a view: a part of the book, or some of a quote's statistics, cut as the gateway cuts them. */
import { FixBook } from '../fix/market/book.js';
import { Cut, type CutShape } from '../fix/market/cut.js';
import { Entries } from '../fix/market/entries.js';
import { Statistics } from '../fix/market/statistics.js';
import { FIX_HEADER_BYTES } from '../threads/fix-entries.js';

/** Entries of a view (threads/fix-entries.ts): its documents at two positions, and the change between them. */
export interface PartSource {
  readonly from: () => Buffer | undefined;
  readonly to: () => Buffer | undefined;
  readonly change: () => Buffer | undefined;
}

export interface FixPart {
  /** Changes beside a book name no position. */
  readonly hasPosition: boolean;
  /** The part's entries, in the same layout; undefined: there are none. @param isChange false: the whole part */
  of(isChange: boolean, source: PartSource): Buffer | undefined;
}

/** Levels, then the sides. */
const BOOK = /^(\d+)(b?)(o?)w?$/;
const SIDES = /[bo]/;

/** @param part as records name it (journal/kinds.ts) */
export function fixPartOf(part: string, symbol: string): FixPart {
  const [, levels, bids, offers] = BOOK.exec(part) ?? [];
  if (levels !== undefined && SIDES.test(part)) {
    return new BookPart({ levels: Number(levels), hasBids: bids === 'b', hasOffers: offers === 'o' }, symbol);
  }
  const types = new Set(part.replace('u', ''));
  return new StatisticsPart(types, symbol, !part.endsWith('u'));
}

class BookPart implements FixPart {
  readonly hasPosition = true;
  readonly #shape: CutShape;
  readonly #symbol: string;

  constructor(shape: CutShape, symbol: string) {
    this.#shape = shape;
    this.#symbol = symbol;
  }

  of(isChange: boolean, { from, to }: PartSource): Buffer | undefined {
    const cut = new Cut(this.#shape, this.#symbol);
    const book = new FixBook();
    const [before, after] = [isChange ? from() : undefined, to()];
    if (before !== undefined) {
      book.whole(entriesOf(before));
      cut.update(book);
    }
    if (after === undefined) return undefined;
    book.whole(entriesOf(after));
    const hasChanged = cut.update(book);
    if (!isChange) return packed(cut.whole());
    return hasChanged ? packed(cut.changes) : undefined;
  }
}

class StatisticsPart implements FixPart {
  readonly hasPosition: boolean;
  readonly #types: ReadonlySet<string>;
  readonly #symbol: string;

  constructor(types: ReadonlySet<string>, symbol: string, hasPosition: boolean) {
    this.#types = types;
    this.#symbol = symbol;
    this.hasPosition = hasPosition;
  }

  of(isChange: boolean, { from, to, change }: PartSource): Buffer | undefined {
    const figures = new Statistics(this.#symbol, this.#types);
    const [whole, news] = isChange ? [from(), change()] : [to(), undefined];
    if (whole === undefined) return undefined;
    figures.read(entriesOf(whole), true);
    if (!isChange) return packed(figures.whole());
    const changed = news === undefined ? undefined : figures.read(entriesOf(news), false);
    return changed === undefined || changed.size === 0 ? undefined : packed(figures.changes(changed));
  }
}

/** @param frame of a FIX lane */
export function entriesOf(frame: Buffer): Entries {
  const entries = new Entries();
  entries.read({ copy: frame, payloadStart: 0, payloadEnd: frame.length });
  return entries;
}

/** A copy, as a frame of a FIX lane. */
function packed({ bytes, start, end, sum, count }: Entries): Buffer {
  const frame = Buffer.alloc(FIX_HEADER_BYTES + end - start);
  frame.writeUInt32LE(sum >>> 0, 0);
  frame.writeUInt32LE(count, 4);
  frame.set(bytes.subarray(start, end), FIX_HEADER_BYTES);
  return frame;
}
