/** Asks again and again, one request at a time, and rests while no one looks at the page. */

interface PollerOptions {
  /** From the end of one request to the start of the next. */
  readonly everyMs: number;
  /** @param signal aborted when the poller stops */
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** What `run` threw, unless the poller was stopped. */
  readonly onFailure: (cause: unknown) => void;
}

export class Poller {
  readonly #options: PollerOptions;
  #stop: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isRunning = false;
  readonly #onVisible = () => {
    if (!document.hidden) this.now();
  };

  constructor(options: PollerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#stop = new AbortController();
    document.addEventListener('visibilitychange', this.#onVisible);
    void this.#turn();
  }

  stop(): void {
    this.#stop?.abort();
    this.#stop = undefined;
    clearTimeout(this.#timer);
    document.removeEventListener('visibilitychange', this.#onVisible);
  }

  /** Asks at once, unless it does already. */
  now(): void {
    clearTimeout(this.#timer);
    void this.#turn();
  }

  async #turn(): Promise<void> {
    const stop = this.#stop;
    if (stop === undefined || this.#isRunning || document.hidden) return;
    this.#isRunning = true;
    try {
      await this.#options.run(stop.signal);
    } catch (cause) {
      if (!stop.signal.aborted) this.#options.onFailure(cause);
    } finally {
      this.#isRunning = false;
    }
    if (this.#stop === stop) this.#timer = setTimeout(() => void this.#turn(), this.#options.everyMs);
  }
}
