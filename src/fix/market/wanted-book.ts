/** What a request wants of a book, and how it gets that from a view. */
import { levelsOfDetail } from '../../threads/lanes.js';
import type { CutShape } from './cut.js';
import type { MarketRequest } from './request.js';

const BOTH_SIDES_LEVELS = new Set([0, 1, 2, 3].map(levelsOfDetail));

interface WantedBook {
  readonly stream: 'orderbook' | 'depth';
  readonly shape: CutShape;
  /** The view has what is wanted, no more and no less. */
  readonly isExact: boolean;
  /** All changes since the last message may be sent as one. */
  readonly overlays: boolean;
}

/** Undefined: the request is not for a book. */
export function wantedBook(request: MarketRequest): WantedBook | undefined {
  const { hasBids, hasOffers, levels, detail, isFull, statistics, queue } = request;
  if (!hasBids && !hasOffers) return undefined;
  const isBookAlone = !isFull && statistics.size === 0;
  return {
    stream: detail === 0 ? 'orderbook' : 'depth',
    shape: { levels, hasBids, hasOffers },
    isExact: hasBids && hasOffers && BOTH_SIDES_LEVELS.has(levels) && isBookAlone,
    overlays: queue?.action === 'overlay' && isBookAlone,
  };
}
