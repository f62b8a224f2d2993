/**
 * WS_USER_LIMIT_POLICY=replace-oldest: beyond WS_MAX_CONNECTIONS_PER_USER, a user's newest connection takes the slot of
 * its oldest one, on whichever thread that is. The main thread finds the oldest (supervision/replacements.ts).
 */
import type { LimitsConfig } from '../../config/limits.js';
import { CloseCode } from '../../protocol/close-code.js';
import type { FromWorker } from '../../threads/thread-messages.js';
import type { ConnectionLimits } from '../limits/connection-limits.js';
import type { Session } from '../model/session.js';

interface UserSlotsOptions {
  readonly policy: LimitsConfig['userLimitPolicy'];
  readonly limits: Pick<ConnectionLimits, 'isOverUserLimit'>;
  /** Open sessions. */
  readonly sessions: ReadonlySet<Session>;
  readonly post: (message: FromWorker) => void;
  readonly end: (session: Session, code: CloseCode, reason: string) => void;
}

export class UserSlots {
  readonly #options: UserSlotsOptions;

  constructor(options: UserSlotsOptions) {
    this.#options = options;
  }

  /** The session is open, or has another credential. */
  taken({ credential }: Session): void {
    const { policy, limits, post } = this.#options;
    const { sub: user } = credential;
    if (policy === 'replace-oldest' && limits.isOverUserLimit(user)) post({ type: 'over_user_limit', user });
  }

  /** The main thread asks for the user's oldest connection. */
  tellOldest(id: number, user: string): void {
    this.#options.post({ type: 'oldest', id, sinceMs: this.#oldestOf(user)?.identity.userSinceMs });
  }

  /** Closes the user's oldest session, unless the user is back within the limit. */
  replaceOldest(user: string): void {
    const { limits, end } = this.#options;
    const oldest = limits.isOverUserLimit(user) ? this.#oldestOf(user) : undefined;
    // Must not reconnect: it would take the slot of the next one, and so on in turn.
    if (oldest !== undefined) end(oldest, CloseCode.forbidden, 'replaced by a newer connection');
  }

  /** The session of this thread that has been the user's for the longest time, unless it is closing. */
  #oldestOf(user: string): Session | undefined {
    let oldest: Session | undefined;
    for (const session of this.#options.sessions) {
      const { credential, identity, keepalive } = session;
      if (credential.sub !== user || keepalive.closingAtMs > 0) continue;
      if (oldest === undefined || identity.userSinceMs < oldest.identity.userSinceMs) oldest = session;
    }
    return oldest;
  }
}
