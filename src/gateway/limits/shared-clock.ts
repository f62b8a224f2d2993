/**
 * Reads the clock that all threads share and that is never set. If the wall clock were set back, one second could last
 * an hour.
 */
export function sharedNowMs(): number {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1000 + Math.floor(nanos / 1e6);
}
