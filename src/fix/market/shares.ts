/** What requests get of the views that feed them. */
import { cutKey } from './cut.js';
import type { MarketRequest } from './request.js';
import type { FixView } from './view.js';
import type { ViewShare } from './view-journal.js';
import type { WantedBook } from './wanted-book.js';

export const EVERYTHING: ViewShare = { part: undefined, cut: undefined, isFull: false };

export function bookShareOf({ isFull }: MarketRequest, wanted: WantedBook, book: FixView): ViewShare {
  const { shape, isExact, overlays } = wanted;
  if (isExact && !overlays) return EVERYTHING;
  const cut = overlays ? book.ownCut(shape) : book.cut(shape);
  return { part: `${cutKey(shape)}${isFull ? 'w' : ''}`, cut, isFull };
}

/** Beside a book, changes have no position: its part ends with `u`. */
export function statisticsShareOf({ statistics, hasBids, hasOffers }: MarketRequest): ViewShare {
  return { ...EVERYTHING, part: `${[...statistics].join('')}${hasBids || hasOffers ? 'u' : ''}` };
}
