/**
 * How soon a dead thread restarts: at once at first, then ever more slowly. A thread that keeps dying is in a crash
 * loop: the gateway is not ready until one has run for long enough.
 */
const FIRST_DELAY_MS = 100;
/** This many deaths in a row, each before the thread counts as stable, make a crash loop. */
export const CRASH_LOOP_DEATHS = 5;
/** Interval of restarts in a crash loop. */
export const CRASH_LOOP_DELAY_MS = 5000;

export class RestartPace {
  readonly #stableAfterMs: number;
  readonly #nowMs: () => number;
  #deaths = 0;
  /** Undefined while no thread runs. */
  #startedAtMs: number | undefined;

  /** @param stableAfterMs a thread that runs this long is no longer in a crash loop */
  constructor(stableAfterMs: number, nowMs: () => number = () => performance.now()) {
    this.#stableAfterMs = stableAfterMs;
    this.#nowMs = nowMs;
  }

  /** True while the thread keeps dying, or has not yet run for long enough since. */
  get isCrashLoop(): boolean {
    return this.#deaths >= CRASH_LOOP_DEATHS && !this.#isStable;
  }

  started(): void {
    this.#startedAtMs = this.#nowMs();
  }

  /** The thread died or failed to start. @returns when to start the next, in ms: 100, 200, 400, 800, then 5000 */
  died(): number {
    this.#deaths = this.#isStable ? 1 : this.#deaths + 1;
    this.#startedAtMs = undefined;
    if (this.#deaths >= CRASH_LOOP_DEATHS) return CRASH_LOOP_DELAY_MS;
    return FIRST_DELAY_MS * 2 ** (this.#deaths - 1);
  }

  get #isStable(): boolean {
    return this.#startedAtMs !== undefined && this.#nowMs() - this.#startedAtMs >= this.#stableAfterMs;
  }
}
