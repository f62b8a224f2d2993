/**
 * Detects whether a worker keeps up. Every `CHECK_INTERVAL_MS` it checks the event-loop delay and the age of the
 * youngest realtime frame published since the last check. It uses the youngest, not the mean: a burst makes some
 * frames old and passes, but when even the youngest is old, there is a standing queue (as in CoDel, RFC 8289 section
 * 3.2).
 *
 * When every check exceeds the limit for a while, the level rises; when every check stays below half of it for longer,
 * the level falls, one step at a time.
 */
import { SHEDDING_LEVEL } from '../../protocol/load.js';

export const CHECK_INTERVAL_MS = 100;
/** Share of the limit below which a worker has room again. */
const CALM_SHARE = 0.5;
/**
 * Refusing clients is worse than sending them less: the last level takes this many times longer to reach than each
 * before it.
 */
const SHEDDING_PATIENCE = 5;

interface OverloadOptions {
  /** Limit for both delays, ms. */
  readonly latencyMs: number;
  /** How long the limit must be exceeded before the level rises, ms; and how long all must be calm before it falls. */
  readonly afterMs: number;
  readonly recoveryMs: number;
  /** A monotonic clock. */
  readonly nowMs: () => number;
  readonly onLevel: (level: number) => void;
}

/** What a check examines; the fan-out fills it in. */
export interface Published {
  /** Age of the youngest realtime frame since the last check; Infinity when there was none. */
  youngestMicros: number;
  /** How often an encoder overran the worker. */
  overruns: number;
}

export class Overload {
  /** 0: normal; up to `SHEDDING_LEVEL`. */
  level = 0;
  /** As of the last check. */
  loopDelayMs = 0;
  frameAgeMs = 0;
  readonly #options: OverloadOptions;
  #checkedAtMs: number;
  #overruns = 0;
  /** Since when every check has exceeded the limit, and since when every check has been calm; 0: it does not apply. */
  #overSinceMs = 0;
  #calmSinceMs = 0;

  constructor(options: OverloadOptions) {
    this.#options = options;
    this.#checkedAtMs = options.nowMs();
  }

  /** Call every `CHECK_INTERVAL_MS` from a timer. */
  check(published: Published): void {
    const { nowMs, latencyMs } = this.#options;
    const now = nowMs();
    const { youngestMicros, overruns } = published;
    this.loopDelayMs = Math.max(0, now - this.#checkedAtMs - CHECK_INTERVAL_MS);
    this.frameAgeMs = Number.isFinite(youngestMicros) ? youngestMicros / 1000 : 0;
    published.youngestMicros = Number.POSITIVE_INFINITY;
    const wasOverrun = overruns > this.#overruns;
    this.#overruns = overruns;
    const delayMs = Math.max(this.loopDelayMs, this.frameAgeMs);
    const isOver = wasOverrun || delayMs > latencyMs;
    const isCalm = !wasOverrun && delayMs < latencyMs * CALM_SHARE;
    const since = (sinceMs: number, isTrue: boolean) => (isTrue ? sinceMs || this.#checkedAtMs : 0);
    this.#overSinceMs = since(this.#overSinceMs, isOver);
    this.#calmSinceMs = since(this.#calmSinceMs, isCalm);
    this.#checkedAtMs = now;
    if (isOver) this.#rise(now);
    else if (isCalm) this.#fall(now);
  }

  #rise(now: number): void {
    const { afterMs } = this.#options;
    const isLast = this.level === SHEDDING_LEVEL - 1;
    if (this.level === SHEDDING_LEVEL || now - this.#overSinceMs < (isLast ? SHEDDING_PATIENCE : 1) * afterMs) return;
    this.#overSinceMs = now;
    this.#change(this.level + 1);
  }

  #fall(now: number): void {
    if (this.level === 0 || now - this.#calmSinceMs < this.#options.recoveryMs) return;
    this.#calmSinceMs = now;
    this.#change(this.level - 1);
  }

  #change(level: number): void {
    this.level = level;
    this.#options.onLevel(level);
  }
}
