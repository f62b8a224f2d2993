/**
 * `auth`: replaces the credential of a live connection. Topics that the new one does not allow end; the rest continue.
 */
import type { Credential } from '../../auth/credential.js';
import { mayHave } from '../../auth/credential.js';
import type { ErrorCode } from '../../protocol/codes.js';
import type { AuthCommand } from '../../protocol/commands.js';
import { isStateStream } from '../../protocol/topics.js';
import { classOfLane, detailOfLane } from '../../threads/lanes.js';
import type { ConnectionLimits } from '../limits/connection-limits.js';
import { sharedNowMs } from '../limits/shared-clock.js';
import type { RequestedTopic, Session } from '../model/session.js';
import type { Refusal } from '../refusal.js';
import type { Subscriptions } from '../subscriptions/subscriptions.js';
import type { TierChanges } from '../subscriptions/tier-changes.js';
import { laneFor } from '../views/view-of.js';
import type { Credentials } from './credentials.js';
import { andThen, type Handled } from './maybe-promise.js';
import type { Replies } from './replies.js';

interface ReauthenticationOptions {
  readonly credentials: Credentials;
  readonly subscriptions: Subscriptions;
  readonly tierChanges: TierChanges;
  readonly limits: ConnectionLimits;
  readonly replies: Replies;
  /** Called when the session has another credential. */
  readonly onRenewed: (session: Session) => void;
}

/** Rounds of moving topics to other views after a check; each waits for the changes before it. */
const MOVES_MAX = 3;

const NOT_ALLOWED = 'not allowed by the new credential, or allowed with another delay; unsubscribed';
const NO_LONGER_ALLOWED = 'no longer allowed for this credential, or allowed with another delay; unsubscribed';

/** The error code on a live connection for what would refuse an upgrade. */
function codeOf({ status }: Refusal): ErrorCode {
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  return status === 429 ? 'rate_limited' : 'internal';
}

export class Reauthentication {
  readonly #options: ReauthenticationOptions;

  constructor(options: ReauthenticationOptions) {
    this.#options = options;
  }

  renew(session: Session, { id, token }: AuthCommand): Handled {
    const { credentials, replies } = this.#options;
    return andThen(credentials.of(token, undefined, session.address), credential => {
      if (session.socket === undefined) return;
      if ('status' in credential) {
        replies.fail(session, id, codeOf(credential), credential.message);
        return;
      }
      if (!this.#options.limits.change(session.credential, credential)) {
        replies.fail(session, id, 'rate_limited', 'too many connections for this user');
        return;
      }
      this.#replaceCredential(session, credential);
      const lost = this.#dropLost(session);
      // After the reply, the client sees only what the new credential allows.
      return andThen(this.#changeViews(session), () => {
        if (session.socket === undefined) return;
        replies.send(session, id, { type: 'ack', expires_at: new Date(credential.expiresAtMs).toISOString() });
        this.#warn(session, lost, NOT_ALLOWED);
      });
    }) as Handled;
  }

  /**
   * Applies what the session's credential allows now, as `renew` does for another credential.
   * @returns why the connection must end: it no longer exists, or belongs to a user with too many connections
   */
  recheck(session: Session): Handled | 'gone' | 'too_many' {
    const { credentials, limits } = this.#options;
    const { credential: before, entitlements } = session.identity;
    const credential = credentials.current(before);
    if (credential === undefined) return 'gone';
    if (credential === before && credentials.entitlementsOf(credential) === entitlements) return undefined;
    if (!limits.change(before, credential)) return 'too_many';
    this.#replaceCredential(session, credential);
    this.#warn(session, this.#dropLost(session), NO_LONGER_ALLOWED);
    const isSameView =
      before.tier === credential.tier && entitlements.hasFullTrades === session.entitlements.hasFullTrades;
    return isSameView ? undefined : this.#moveViews(session);
  }

  /** Again until nothing changes: an `auth` may have started before and end after. */
  async #moveViews(session: Session): Promise<void> {
    for (let round = 0; round < MOVES_MAX && session.socket !== undefined; round++) {
      const moved = this.#changeViews(session);
      if (moved === undefined) return;
      await moved;
    }
  }

  #warn(session: Session, topics: readonly string[], message: string): void {
    if (topics.length === 0) return;
    this.#options.replies.send(session, undefined, { type: 'warning', code: 'forbidden', message, topics });
  }

  #replaceCredential(session: Session, credential: Credential): void {
    const { credentials, onRenewed } = this.#options;
    session.identity.replace(credential, credentials.entitlementsOf(credential), sharedNowMs());
    onRenewed(session);
  }

  /**
   * Ends the topics that the session may no longer have as it has them, and returns them. A topic that it may now have
   * earlier or later ends too: its messages would not continue those that the client has.
   */
  #dropLost(session: Session): string[] {
    const lost = [...session.subscriptions.values()].filter(
      ({ stream, symbol, view }) =>
        !mayHave(session.entitlements, stream, symbol) || view.delayMs !== session.delayMsOf(stream, symbol),
    );
    for (const { topic } of lost) this.#options.subscriptions.unsubscribe(session, topic);
    return lost.map(({ topic }) => topic);
  }

  /** Moves topics to other views when the tier, class or detail changes. */
  #changeViews(session: Session): Promise<void> | undefined {
    const { subscriptions, tierChanges } = this.#options;
    const states: RequestedTopic[] = [];
    const events: RequestedTopic[] = [];
    for (const { stream, symbol, asked } of session.subscriptions.values()) {
      const rateClass = Math.max(classOfLane(asked), session.identity.fastestClass);
      const detail = isStateStream(stream) ? detailOfLane(asked) : 0;
      const requested = { stream, symbol, lane: laneFor(session, stream, detail, rateClass) };
      (isStateStream(stream) ? states : events).push(requested);
    }
    subscriptions.subscribe(session, states);
    return tierChanges.change(session, events);
  }
}
