/** The gauges of a gateway thread that has ended: its counters stay, but nothing is open any more. */

/** The zeroed gauges. */
export const NOTHING_OPEN = {
  open: 0,
  pending: 0,
  views: 0,
  buffered: 0,
  circuits: { open: 0, halfOpen: 0 },
  conflated: 0,
  clientsLagging: 0,
  waitingBytes: { all: 0, most: 0 },
  loopDelayMs: 0,
  frameAgeMs: 0,
};
