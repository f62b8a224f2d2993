/** Of the clock that all threads share and nobody sets: set back, the wall clock would make one second last an hour. */
export function sharedNowMs(): number {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1000 + Math.floor(nanos / 1e6);
}
