/**
 * On which sessions market data is used, for USE_MAX: from the first subscription to market data until the connection
 * closes. Beyond the limit, the newest use is refused, or the oldest session is closed, on whichever thread that is
 * (supervision/replacements.ts).
 */
import { CloseCode } from '../../protocol/close-code.js';
import { isMarketData } from '../../protocol/topics.js';
import type { FromWorker } from '../../threads/thread-messages.js';
import { sharedNowMs } from '../limits/shared-clock.js';
import { USE_REPLACED, type UseCounts } from '../limits/use-counts.js';
import type { Session } from '../model/session.js';

interface SimultaneousUseOptions {
  readonly counts: UseCounts;
  readonly post: (message: FromWorker) => void;
  readonly end: (session: Session, code: CloseCode, reason: string) => void;
  /** The clock that all threads share. */
  readonly nowMs?: () => number;
}

const hasMarketData = ({ subscriptions }: Session): boolean =>
  [...subscriptions.values()].some(({ stream }) => isMarketData(stream));

interface Use {
  readonly user: string;
  readonly sinceMs: number;
}

export class SimultaneousUse {
  readonly #options: SimultaneousUseOptions;
  readonly #nowMs: () => number;
  readonly #uses = new Map<Session, Use>();

  constructor(options: SimultaneousUseOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? sharedNowMs;
  }

  /** The session is about to subscribe to market data. @returns why it may not; undefined: it may */
  begin(session: Session): string | undefined {
    const { counts, post } = this.#options;
    const { sub: user } = session.credential;
    if (!counts.counts(user) || this.#uses.has(session)) return undefined;
    const taken = counts.take(user);
    if (taken === 'refused') return counts.refusal;
    this.#uses.set(session, { user, sinceMs: this.#nowMs() });
    if (taken === 'over') post({ type: 'over_user_limit', user, isUse: true });
    return undefined;
  }

  /** The session has another credential: its use counts for that user from now on. */
  renewed(session: Session): void {
    const use = this.#uses.get(session);
    if (use?.user === session.credential.sub) return;
    // Without a use, it was not counted: it was anonymous.
    if (use === undefined && !hasMarketData(session)) return;
    this.ended(session);
    const refusal = this.begin(session);
    if (refusal !== undefined) this.#options.end(session, CloseCode.rateLimited, refusal);
  }

  /** The connection is closed. */
  ended(session: Session): void {
    const use = this.#uses.get(session);
    if (use === undefined) return;
    this.#uses.delete(session);
    this.#options.counts.leave(use.user);
  }

  /** The main thread asks for the user's oldest use. */
  tellOldest(id: number, user: string): void {
    this.#options.post({ type: 'oldest', id, sinceMs: this.#oldestOf(user)?.[1].sinceMs });
  }

  /** Closes the session with the user's oldest use, unless the user is back within the limit. */
  replaceOldest(user: string): void {
    const { counts, end } = this.#options;
    const oldest = counts.isOver(user) ? this.#oldestOf(user) : undefined;
    if (oldest === undefined) return;
    // Must not reconnect: it would displace the next session, which would displace another one, and so on.
    end(oldest[0], CloseCode.forbidden, USE_REPLACED);
  }

  #oldestOf(user: string): [Session, Use] | undefined {
    let oldest: [Session, Use] | undefined;
    for (const entry of this.#uses) {
      const [{ keepalive }, use] = entry;
      if (use.user !== user || keepalive.closingAtMs > 0) continue;
      if (oldest === undefined || use.sinceMs < oldest[1].sinceMs) oldest = entry;
    }
    return oldest;
  }
}
