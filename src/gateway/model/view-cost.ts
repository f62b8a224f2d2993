/** What the answer to a view's request costs its encoder, in units of a small document. */

import { ALL_SYMBOLS, type Stream } from '../../protocol/topics.js';
import { DEPTHS } from '../../protocol/view-options.js';
import { detailOfLane } from '../../threads/lanes.js';

/** How many levels of a book cost an encoder as much as one small document. */
const LEVELS_PER_COST = 12.5;
/** `trades:*` is answered topic by topic. */
const ALL_TRADES_COST = 8;

export function viewCostOf(stream: Stream, symbol: string, lane: number): number {
  if (stream === 'trades' && symbol === ALL_SYMBOLS) return ALL_TRADES_COST;
  if (stream !== 'depth') return 1;
  return Math.ceil((DEPTHS[detailOfLane(lane) - 1] ?? 0) / LEVELS_PER_COST);
}
