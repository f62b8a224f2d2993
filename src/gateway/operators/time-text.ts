/** Times of day for operators, from how long ago something was. */
import { monotonicMicros, timeOfDayAt } from '../../protocol/wall-clock.js';

/** RFC 3339, UTC. */
export const timeTextAgo = (agoMs: number): string =>
  new Date(timeOfDayAt(monotonicMicros() - agoMs * 1000) / 1000).toISOString();
