/**
 * Replays that wait because the feed's store cannot be read for now, as while a JetStream cluster has no quorum: the
 * store still holds what their clients missed. They are tried again in turn, a few at a time.
 */

/** How long a replay waits in all; after that, the client starts from the present. */
export const HELD_MS_MAX = 5 * 60_000;
/** The same while the feed counts as live: a cluster takes up to 25 s to notice that it has no quorum. */
export const UNREACHABLE_MS_MAX = 30_000;
/** Pause between two attempts. */
export const HELD_RETRY_MS = 250;
/** Most replays that are tried at once. */
const RETRIES_MAX = 16;

/** How long to wait for this gateway to catch up with a client that comes from one further ahead. */
const AHEAD_MS_MAX = 2_000;

/** A busy feed is silent for less. */
const FEED_QUIET_MS = 1_000;

/** @param silentMs time since the feed's last message; undefined before the first */
export const isQuiet = (silentMs = Number.POSITIVE_INFINITY): boolean => silentMs > FEED_QUIET_MS;

export interface UpstreamSigns {
  /** The feed says that it has lost its upstream. */
  readonly isFeedStale: () => boolean;
  /** Nothing comes from the feed: it may have lost its upstream without noticing. */
  readonly isFeedQuiet: () => boolean;
}

/** How long to wait for messages that another gateway has: longer while this one cannot be given them. */
export class Patience {
  readonly #signs: UpstreamSigns;
  #leftMs = AHEAD_MS_MAX;
  #quietLeftMs = UNREACHABLE_MS_MAX;
  #staleLeftMs = HELD_MS_MAX;

  constructor(signs: UpstreamSigns) {
    this.#signs = signs;
  }

  /** False once it is at its end. @param ms have passed */
  lasts(ms: number): boolean {
    if (this.#staleLeftMs > 0 && this.#signs.isFeedStale()) this.#staleLeftMs -= ms;
    else if (this.#quietLeftMs > 0 && this.#signs.isFeedQuiet()) this.#quietLeftMs -= ms;
    else this.#leftMs -= ms;
    return this.#leftMs > 0;
  }
}

/** When a replay was held first, and when the feed was last seen stale since (monotonic ms). */
export interface Hold {
  readonly sinceMs: number;
  staleAtMs: number;
}

interface Holdable {
  /** Undefined unless its store could not be read. */
  hold: Hold | undefined;
}

interface HeldReplaysOptions<Item> {
  /** Reads the store again, and holds the item again if it cannot be read. */
  readonly retry: (item: Item) => Promise<void>;
  /** The item has waited too long. */
  readonly giveUp: (item: Item) => void;
  readonly isFeedStale: UpstreamSigns['isFeedStale'];
  /** Monotonic. */
  readonly nowMicros: () => number;
}

export class HeldReplays<Item extends Holdable> {
  readonly #options: HeldReplaysOptions<Item>;
  /** Those that wait; the longest waiting first. */
  readonly #waiting = new Set<Item>();
  #retrying = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: HeldReplaysOptions<Item>) {
    this.#options = options;
  }

  add(item: Item): void {
    const nowMs = this.#options.nowMicros() / 1000;
    item.hold ??= { sinceMs: nowMs, staleAtMs: nowMs };
    this.#waiting.add(item);
    this.#timer ??= setTimeout(() => this.#check(), HELD_RETRY_MS).unref();
  }

  delete(item: Item): void {
    this.#waiting.delete(item);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#waiting.clear();
  }

  #check(): void {
    this.#timer = undefined;
    const { isFeedStale, nowMicros, giveUp } = this.#options;
    const nowMs = nowMicros() / 1000;
    const isStale = isFeedStale();
    for (const item of [...this.#waiting]) {
      const { hold } = item;
      if (hold === undefined) continue;
      if (isStale) hold.staleAtMs = nowMs;
      if (nowMs - hold.sinceMs < HELD_MS_MAX && nowMs - hold.staleAtMs < UNREACHABLE_MS_MAX) continue;
      this.#waiting.delete(item);
      giveUp(item);
    }
    // The number is taken now: those held again at once have their turn at the next check.
    for (let left = Math.min(this.#waiting.size, RETRIES_MAX); left > 0; left--) this.#retryNext();
    if (this.#waiting.size > 0) this.#timer ??= setTimeout(() => this.#check(), HELD_RETRY_MS).unref();
  }

  #retryNext(): void {
    const [item] = this.#waiting;
    if (item === undefined || this.#retrying >= RETRIES_MAX) return;
    this.#waiting.delete(item);
    this.#retrying++;
    void this.#options.retry(item).then(() => {
      this.#retrying--;
      // The store can be read again: the next one need not wait for a check.
      if (!this.#waiting.has(item)) this.#retryNext();
    });
  }
}
