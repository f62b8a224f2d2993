/** USE_MAX for FIX sessions, each of which uses market data from its Logon on: which one of a user is the oldest. */
import type { FixConnection } from './fix/connection.js';
import { sharedNowMs } from './gateway/limits/shared-clock.js';
import { USE_REPLACED, type UseCounts } from './gateway/limits/use-counts.js';
import type { FromWorker, ToWorker } from './threads/thread-messages.js';

interface FixUseOptions {
  readonly counts: UseCounts;
  readonly connections: Iterable<FixConnection>;
  /** The clock of `openedMs`. */
  readonly nowMs: () => number;
  readonly post: (message: FromWorker) => void;
}

export class FixUse {
  readonly #options: FixUseOptions;

  constructor(options: FixUseOptions) {
    this.#options = options;
  }

  /** The main thread asks for a user's oldest connection; for the limit of connections, this thread names none. */
  tellOldest({ id, user, isUse = false }: Extract<ToWorker, { type: 'oldest' }>): void {
    const { nowMs, post } = this.#options;
    const oldest = isUse ? this.#oldestOf(user) : undefined;
    const sinceMs = oldest && sharedNowMs() - (nowMs() - oldest.openedMs);
    post({ type: 'oldest', id, sinceMs });
  }

  /** Logs out the user's oldest session, unless the user is back within the limit. */
  replaceOldest(user: string): void {
    const { counts } = this.#options;
    const oldest = counts.isOver(user) ? this.#oldestOf(user) : undefined;
    if (oldest === undefined) return;
    oldest.end('limited', `${USE_REPLACED}; log on again once that one has ended`, true);
  }

  #oldestOf(user: string): FixConnection | undefined {
    let oldest: FixConnection | undefined;
    for (const connection of this.#options.connections) {
      const { credential, session, market, openedMs } = connection;
      if (credential?.sub !== user || market === undefined || !session.isActive) continue;
      if (oldest === undefined || openedMs < oldest.openedMs) oldest = connection;
    }
    return oldest;
  }
}
