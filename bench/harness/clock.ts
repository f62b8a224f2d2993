/**
 * Latencies are differences between clocks of different processes on one machine. Each reads `performance.timeOrigin +
 * performance.now()`: CLOCK_MONOTONIC, anchored to CLOCK_REALTIME when the process started. So two of them disagree by
 * what CLOCK_REALTIME was set or slewed between their starts; every process says here how far it is from CLOCK_REALTIME now.
 */
const PROBES = 5;

/** `timeOrigin + now` less CLOCK_REALTIME, in µs: at the moment in which `Date.now()` ticks it is exact to some µs. */
export function clockOffsetMicros(): number {
  const offsets: number[] = [];
  for (let probe = 0; probe < PROBES; probe++) {
    const before = Date.now();
    let ticked = before;
    while (ticked === before) ticked = Date.now();
    offsets.push((performance.timeOrigin + performance.now() - ticked) * 1000);
  }
  // Being interrupted after the tick makes an offset too large, never too small.
  return Math.min(...offsets);
}
