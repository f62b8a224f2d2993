/** When sequence numbers start over: at one time of each day, UTC. */

const DAY_MS = 86_400_000;

/** The last reset at or before a moment. @param timeOfDayMs ms after midnight UTC; undefined: there is none */
export function lastReset(nowMs: number, timeOfDayMs: number | undefined): number {
  if (timeOfDayMs === undefined) return Number.NEGATIVE_INFINITY;
  return Math.floor((nowMs - timeOfDayMs) / DAY_MS) * DAY_MS + timeOfDayMs;
}

/** The first reset after a moment. */
export function nextReset(nowMs: number, timeOfDayMs: number | undefined): number {
  return timeOfDayMs === undefined ? Number.POSITIVE_INFINITY : lastReset(nowMs, timeOfDayMs) + DAY_MS;
}
