/**
 * Whether a worker keeps up. It looks every `LOOK_INTERVAL_MS`, at how late its event loop is and at the age of the youngest
 * realtime frame that it published since the last look. The youngest, not the mean: a burst makes some frames old and is
 * gone; where even the youngest is old, there is a queue that does not go away (as CoDel has it, RFC 8289 section 3.2).
 *
 * Beyond the limit at every look for a while, the level rises; below half of it for longer, it falls: one at a time.
 */
import { SHEDDING_LEVEL } from '../../protocol/load.js';

export const LOOK_INTERVAL_MS = 100;
/** Of the limit: below it, a worker has room again. */
const CALM_SHARE = 0.5;
/** Refusing clients is worse than sending them less: the last level takes this many times as long as each before it. */
const SHEDDING_PATIENCE = 5;

export interface OverloadOptions {
  /** The limit of both delays, ms. */
  readonly latencyMs: number;
  /** How long it must be exceeded before the level rises, and kept well before it falls, ms. */
  readonly afterMs: number;
  readonly recoveryMs: number;
  /** A monotonic clock. */
  readonly nowMs: () => number;
  readonly onLevel: (level: number) => void;
}

/** What a look is about; the fan-out fills it in. */
export interface Published {
  /** Age of the youngest realtime frame since the last look; Infinity: there was none. */
  youngestMicros: number;
  /** Times that the worker was overrun by an encoder. */
  overruns: number;
}

export class Overload {
  /** 0: all is well; up to `SHEDDING_LEVEL`. */
  level = 0;
  /** As of the last look. */
  loopDelayMs = 0;
  frameAgeMs = 0;
  readonly #options: OverloadOptions;
  #lookedAtMs: number;
  #overruns = 0;
  /** Since when the limit is exceeded at every look, and since when it is kept well; 0: it is not. */
  #overSinceMs = 0;
  #calmSinceMs = 0;

  constructor(options: OverloadOptions) {
    this.#options = options;
    this.#lookedAtMs = options.nowMs();
  }

  /** To be called every `LOOK_INTERVAL_MS`, by a timer. */
  look(published: Published): void {
    const { nowMs, latencyMs } = this.#options;
    const now = nowMs();
    const { youngestMicros, overruns } = published;
    this.loopDelayMs = Math.max(0, now - this.#lookedAtMs - LOOK_INTERVAL_MS);
    this.frameAgeMs = Number.isFinite(youngestMicros) ? youngestMicros / 1000 : 0;
    published.youngestMicros = Number.POSITIVE_INFINITY;
    const wasOverrun = overruns > this.#overruns;
    this.#overruns = overruns;
    const delayMs = Math.max(this.loopDelayMs, this.frameAgeMs);
    const isOver = wasOverrun || delayMs > latencyMs;
    const isCalm = !wasOverrun && delayMs < latencyMs * CALM_SHARE;
    const since = (sinceMs: number, holds: boolean) => (holds ? sinceMs || this.#lookedAtMs : 0);
    this.#overSinceMs = since(this.#overSinceMs, isOver);
    this.#calmSinceMs = since(this.#calmSinceMs, isCalm);
    this.#lookedAtMs = now;
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
