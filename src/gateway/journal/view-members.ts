/** How records name a view. */
import { durationText } from '../../config/duration.js';
import { DEPTHS } from '../../protocol/view-options.js';
import type { ViewMembers } from '../../threads/journal-records.js';
import { classNameOfLane, detailOfLane, isStampedLane, TRADES_FULL } from '../../threads/lanes.js';
import type { View } from '../model/session.js';

/** @param symbol of `trades:*`: the one whose sequences are recorded */
export function membersOf(
  { topic, stream, lane, tier, delayMs, isState, isMsgpack }: View,
  symbol?: string,
): ViewMembers {
  const detail = detailOfLane(lane);
  const depth = stream === 'depth' ? DEPTHS[detail - 1] : undefined;
  return {
    topic,
    class: isState ? classNameOfLane(lane) : 'event',
    format: isMsgpack ? 'msgpack' : 'json',
    ...(tier === 'institutional' ? { tier } : undefined),
    ...(depth === undefined ? undefined : { depth }),
    ...(isStampedLane(lane) ? { stamped: true } : undefined),
    ...(stream === 'trades' && detail === TRADES_FULL ? { full: true } : undefined),
    ...(delayMs > 0 ? { delay: durationText(delayMs) } : undefined),
    ...(symbol === undefined ? undefined : { symbol }),
  };
}
