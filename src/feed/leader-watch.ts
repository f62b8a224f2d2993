/**
 * Notices that a stream has lost its leader, as in a cluster without a quorum: nothing can be stored then, but a consumer
 * on a surviving server keeps sending heartbeats.
 */
import type { Clock } from '../feed-contract/feed.js';

/** A stream that delivers nothing for this long, or up to twice as long, is asked for its leader. */
const QUIET_MS = 2_500;
/** A busy leader may miss one question. */
const MISSED_MAX = 2;

interface LeaderWatchOptions {
  readonly clock: Clock;
  /** How many messages were delivered. */
  readonly delivered: () => number;
  /** Asks what only the leader answers. Rejects if it does not, within some seconds. */
  readonly ask: () => Promise<unknown>;
  /** Called at most once. */
  readonly onLost: (reason: string) => void;
}

export class LeaderWatch {
  readonly #options: LeaderWatchOptions;
  /** A new consumer's stream is asked once even if it is busy: it may prove to be another one. */
  #hasAsked = false;
  #timer: unknown;
  #deliveredBefore: number;
  #missed = 0;
  #isStopped = false;

  constructor(options: LeaderWatchOptions) {
    this.#options = options;
    this.#deliveredBefore = options.delivered();
    this.#wait();
  }

  stop(): void {
    this.#isStopped = true;
    this.#options.clock.clearTimeout(this.#timer);
  }

  #wait(): void {
    this.#timer = this.#options.clock.setTimeout(() => this.#check(), QUIET_MS);
  }

  #check(): void {
    const delivered = this.#options.delivered();
    const isQuiet = delivered === this.#deliveredBefore;
    this.#deliveredBefore = delivered;
    if (isQuiet || !this.#hasAsked) this.#ask();
    else this.#found();
  }

  #ask(): void {
    this.#hasAsked = true;
    this.#options.ask().then(
      () => this.#found(),
      () => this.#notFound(),
    );
  }

  #found(): void {
    if (this.#isStopped) return;
    this.#missed = 0;
    this.#wait();
  }

  #notFound(): void {
    if (this.#isStopped) return;
    this.#missed++;
    if (this.#options.delivered() !== this.#deliveredBefore) this.#found();
    else if (this.#missed < MISSED_MAX) this.#ask();
    else {
      this.stop();
      this.#options.onLost('the stream has no leader');
    }
  }
}
