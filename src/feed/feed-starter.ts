/** Starts a feed whose server may be down. Opens a new feed for each attempt, until one starts or `end` is called. */
import { type Clock, type Feed, type FeedSink, RETRY_DELAY_MS_MAX } from '../feed-contract/feed.js';
import { type FeedFailure, type FeedOutcome, NOT_RUNNING } from '../feed-contract/feed-outcome.js';

const RETRY_DELAY_MS_MIN = 500;

interface FeedStarterOptions {
  /** A feed that failed to start cannot be started again. */
  readonly open: () => Feed;
  readonly clock: Clock;
}

export class FeedStarter {
  readonly #options: FeedStarterOptions;
  #isEnded = false;
  #endWait: (() => void) | undefined;
  /** The feed of the attempt under way. */
  #opened: Feed | undefined;

  constructor(options: FeedStarterOptions) {
    this.#options = options;
  }

  /** One attempt. */
  async attempt(sink: FeedSink): Promise<FeedOutcome<{ readonly feed: Feed }>> {
    if (this.#isEnded) return NOT_RUNNING;
    const feed = this.#options.open();
    this.#opened = feed;
    const outcome = await feed.start(sink);
    this.#opened = undefined;
    if (!outcome.ok) return outcome;
    if (!this.#isEnded) return { ok: true, feed };
    await feed.stop();
    return NOT_RUNNING;
  }

  /**
   * Waits before each attempt, until one succeeds. Undefined if it was ended, or if waiting does not help.
   * @param onFailure called after each failed attempt; false ends the attempts
   * @param leftMs the longest wait for the next attempt
   */
  async retry(
    sink: FeedSink,
    onFailure: (failure: FeedFailure) => boolean,
    leftMs: () => number = () => Number.POSITIVE_INFINITY,
  ): Promise<Feed | undefined> {
    for (let delayMs = RETRY_DELAY_MS_MIN; !this.#isEnded; delayMs = Math.min(RETRY_DELAY_MS_MAX, delayMs * 2)) {
      await this.#wait(Math.min(delayMs, leftMs()));
      const outcome = await this.attempt(sink);
      if (outcome.ok) return outcome.feed;
      if (this.#isEnded || !onFailure(outcome)) return undefined;
    }
    return undefined;
  }

  /** Stops what is starting. No attempt follows. */
  async end(): Promise<void> {
    this.#isEnded = true;
    this.#endWait?.();
    await this.#opened?.stop();
  }

  #wait(delayMs: number): Promise<void> {
    const { clock } = this.#options;
    return new Promise(resolve => {
      const timer = clock.setTimeout(resolve, delayMs);
      this.#endWait = () => {
        clock.clearTimeout(timer);
        resolve();
      };
    });
  }
}
