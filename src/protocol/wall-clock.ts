/**
 * Two kinds of time that must not be mixed. **Time of day** (`ts_sent`, `ts_event`, RFC 3339 texts) follows the system
 * clock, which may be set at any time. **Intervals** (timeouts, ages, latencies, rates) use the monotonic clock, which
 * cannot be set.
 */

/** How often the system clock is read at most, and thus how long a thread may be wrong after the clock was set. */
export const ANCHOR_INTERVAL_MS = 500;
/** Smaller differences are drift, which never makes time run backwards; a larger one means that the clock was set. */
const STEP_MIN_MS = 1;
/** If the readings of both clocks are further apart than this, the thread was interrupted between them. */
const READING_MAX_MS = 0.05;
const READINGS_MAX = 4;
/** Largest drift of {@link timeOfDayAt}: with this and half a millisecond, it stays within 1 ms. */
const DRIFT_MICROS_MAX = 500;
const HALF_MS_MICROS = 500;

/** The clocks of a {@link WallClock}. */
interface TimeSource {
  /** The monotonic clock, ms with fraction. */
  readonly monotonicMs: () => number;
  /** The system clock, whole ms since the Unix epoch, rounded down. */
  readonly systemMs: () => number;
  /** Ms since the Unix epoch at which `monotonicMs` was 0, by the system clock at that time. */
  readonly originMs: number;
}

const systemSource = (): TimeSource => ({
  monotonicMs: () => performance.now(),
  systemMs: () => Date.now(),
  originMs: performance.timeOrigin,
});

/**
 * Time of day with microseconds. Between two anchors it is the monotonic clock plus an offset; the anchors keep the
 * offset within 1 ms of the system clock. The system clock only tells whole milliseconds, so an anchor moves the offset
 * no further than until both agree: without a step, the part below a millisecond stays as exact as at the start.
 */
export class WallClock {
  readonly #source: TimeSource;
  #offsetMs: number;
  #anchorDueMs = Number.NEGATIVE_INFINITY;
  #lastMicros = 0;

  constructor(source: TimeSource = systemSource()) {
    this.#source = source;
    this.#offsetMs = source.originMs;
  }

  /** µs since the Unix epoch, fractional. Runs backwards only if the system clock was set back. */
  nowMicros(): number {
    const monotonicMs = this.#source.monotonicMs();
    if (monotonicMs >= this.#anchorDueMs) this.#anchor();
    const micros = (this.#offsetMs + monotonicMs) * 1000;
    if (micros > this.#lastMicros) this.#lastMicros = micros;
    return this.#lastMicros;
  }

  #anchor(): void {
    const { monotonicMs, systemMs } = this.#source;
    let before = 0;
    let system = 0;
    let after = 0;
    for (let reading = 0; reading < READINGS_MAX; reading++) {
      before = monotonicMs();
      system = systemMs();
      after = monotonicMs();
      if (after - before <= READING_MAX_MS) break;
    }
    this.#anchorDueMs = after + ANCHOR_INTERVAL_MS;
    // The system clock was in [system, system + 1) at a moment between the two monotonic readings.
    const behindMs = system - (this.#offsetMs + after);
    const aheadMs = this.#offsetMs + before - (system + 1);
    if (behindMs > 0) this.#offsetMs += behindMs;
    if (aheadMs <= 0) return;
    this.#offsetMs -= aheadMs;
    if (aheadMs > STEP_MIN_MS) this.#lastMicros = 0;
  }
}

/**
 * µs of a clock that all threads of a process share and that cannot be set, for intervals. It counts from the Unix
 * epoch, by the system clock at the start of the process, so it is not a time of day.
 */
export function monotonicMicros(): number {
  return (performance.timeOrigin + performance.now()) * 1000;
}

/**
 * The time of day, µs since the Unix epoch, at which {@link monotonicMicros} was `micros`, by the system clock as it is
 * set now: within 1 ms. It reads the system clock each time, so use it for what is written or measured rarely. After
 * the clock was set, two results may be 1 ms closer together or further apart than their moments.
 */
export function timeOfDayAt(micros: number): number {
  const before = monotonicMicros();
  // The system clock was in [systemMicros, systemMicros + 1000) between the two.
  const systemMicros = Date.now() * 1000;
  const after = monotonicMicros();
  const aheadMicros = before - (systemMicros + 1000);
  const behindMicros = systemMicros - after;
  if (behindMicros > DRIFT_MICROS_MAX) return micros + behindMicros + HALF_MS_MICROS;
  return aheadMicros > DRIFT_MICROS_MAX ? micros - aheadMicros - HALF_MS_MICROS : micros;
}
