/** What requests get of the views that feed them. */
import { REALTIME } from '../../protocol/view-options.js';
import { FIX_VARIANT, laneWith, levelsOfDetail, servedLane, TRADES_PUBLIC } from '../../threads/lanes.js';
import { cutKey } from './cut.js';
import type { MarketClient } from './market-client.js';
import type { MarketRequest } from './request.js';
import type { FixView } from './view.js';
import type { ViewShare } from './view-journal.js';

export const EVERYTHING: ViewShare = { part: undefined, cut: undefined, isFull: false };
export const TRADES_LANE = laneWith(REALTIME, TRADES_PUBLIC, FIX_VARIANT);
const BOTH_SIDES_LEVELS = new Set([0, 1, 2, 3].map(levelsOfDetail));

interface BookShare {
  readonly share: ViewShare;
  /** The part is this subscription's own: it holds what was sent, so that changes can be sent as one. */
  readonly overlays: boolean;
  /** Others that follow it get the same messages. */
  readonly isShared: boolean;
}

/** The lane that a client gets now. */
export function laneOf({ rateClass, tier, level }: MarketClient, detail: number): number {
  return servedLane(laneWith(rateClass, detail, FIX_VARIANT), tier, level);
}

export function bookShareOf(request: MarketRequest, book: FixView): BookShare {
  const { hasBids, hasOffers, levels, isFull, statistics, queue } = request;
  const isAlone = statistics.size === 0;
  const shape = { levels, hasBids, hasOffers };
  const overlays = queue?.action === 'overlay' && !isFull && isAlone;
  const isExact = hasBids && hasOffers && BOTH_SIDES_LEVELS.has(levels) && !isFull && isAlone && !overlays;
  if (isExact) return { share: EVERYTHING, overlays, isShared: true };
  const cut = overlays ? book.ownCut(shape) : book.cut(shape);
  const part = `${cutKey(shape)}${isFull ? 'w' : ''}`;
  return { share: { part, cut, isFull }, overlays, isShared: !overlays && isAlone };
}

/** Beside a book, changes have no position: its part ends with `u`. */
export function statisticsShareOf({ statistics, hasBids, hasOffers }: MarketRequest): ViewShare {
  return { ...EVERYTHING, part: `${[...statistics].join('')}${hasBids || hasOffers ? 'u' : ''}` };
}
