/** Which view serves a topic to a session. */

import { durationText } from '../../config/duration.js';
import { ALL_SYMBOLS, isStateStream, type Stream } from '../../protocol/topics.js';
import { REALTIME } from '../../protocol/view-options.js';
import { laneOf, TRADES_FULL, TRADES_PUBLIC } from '../../threads/lanes.js';
import type { Session } from '../model/session.js';

/** The default name when a command gives none: all trades, the user's own orders. */
export function ownName(session: Session, stream: Stream): string {
  return stream === 'orders' ? session.credential.sub : ALL_SYMBOLS;
}

/** How clients are told of it: `15m`. */
export const delayText = (delayMs: number): string => durationText(delayMs);

/** The view that serves a stream to this session. @param rateClass for state streams; event streams have none */
export function laneFor(
  session: Session,
  stream: Stream,
  bookDetail: number,
  rateClass = session.identity.defaultClass,
): number {
  const { format, isStamped } = session;
  if (isStateStream(stream)) return laneOf(rateClass, stream === 'depth' ? bookDetail : 0, format, isStamped);
  const isFull = stream === 'trades' && session.entitlements.hasFullTrades;
  return laneOf(REALTIME, isFull ? TRADES_FULL : TRADES_PUBLIC, format, isStamped);
}
