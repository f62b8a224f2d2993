/**
 * How soon a thread that died is started again: at once at first, then ever more slowly. One that keeps dying is in a crash
 * loop, which makes the gateway not ready until a thread has stood for long enough.
 */
const FIRST_DELAY_MS = 100;
/** After so many deaths in a row, each sooner than it takes to count as stable, it is a crash loop. */
export const CRASH_LOOP_DEATHS = 5;
/** And then it is tried this often. */
export const CRASH_LOOP_DELAY_MS = 5000;

export class RestartPace {
  readonly #stableAfterMs: number;
  readonly #nowMs: () => number;
  #deaths = 0;
  /** Undefined while there is none. */
  #startedAtMs: number | undefined;

  /** @param stableAfterMs a thread that ran this long is no longer held to be in a crash loop */
  constructor(stableAfterMs: number, nowMs: () => number = () => performance.now()) {
    this.#stableAfterMs = stableAfterMs;
    this.#nowMs = nowMs;
  }

  /** True while the thread keeps dying, or has not stood for long enough since. */
  get isCrashLoop(): boolean {
    return this.#deaths >= CRASH_LOOP_DEATHS && !this.#isStable;
  }

  started(): void {
    this.#startedAtMs = this.#nowMs();
  }

  /** It died, or could not be started. @returns when to start the next, in ms: 100, 200, 400, 800, then 5000 */
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
