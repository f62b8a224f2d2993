/** Applies changed rights to open sessions: API keys or authorities that are gone, other rights of a key, a changed policy. */
import { CloseCode } from '../../protocol/close-code.js';
import type { Session } from '../model/session.js';
import type { Reauthentication } from './reauthentication.js';

/** Sessions checked in one turn: a policy may have many patterns, and a session many topics. */
const CHECKED_PER_TURN = 50;

interface RechecksOptions {
  readonly sessions: ReadonlySet<Session>;
  readonly reauthentication: Reauthentication;
  /** Begins the close handshake. */
  readonly end: (session: Session, code: CloseCode, reason: string) => void;
  readonly onFault: (what: string, cause: unknown) => void;
}

export class ChangedRights {
  readonly #options: RechecksOptions;
  /** Sessions still to be checked. */
  #left: Session[] = [];

  constructor(options: RechecksOptions) {
    this.#options = options;
  }

  /**
   * Ends the sessions of these API keys at once, and checks all others, some in each turn.
   * @param removedKeys ids; not a revocation: an id may return, with the same secret or another
   */
  run(removedKeys: readonly string[]): void {
    const { sessions, end } = this.#options;
    const removed = new Set(removedKeys);
    const isIdle = this.#left.length === 0;
    this.#left = [];
    for (const session of sessions) {
      const { apiKeyId } = session.credential;
      if (apiKeyId !== undefined && removed.has(apiKeyId)) end(session, CloseCode.revoked, 'API key removed');
      else this.#left.push(session);
    }
    if (isIdle && this.#left.length > 0) setImmediate(this.#checkSome);
  }

  readonly #checkSome = (): void => {
    for (const session of this.#left.splice(-CHECKED_PER_TURN)) {
      if (session.socket !== undefined) this.#check(session);
    }
    if (this.#left.length > 0) setImmediate(this.#checkSome);
  };

  #check(session: Session): void {
    const { reauthentication, end, onFault } = this.#options;
    try {
      const checked = reauthentication.recheck(session);
      if (checked === 'gone') end(session, CloseCode.revoked, 'credential no longer valid');
      else if (checked === 'too_many') end(session, CloseCode.rateLimited, 'too many connections for this user');
      else checked?.catch((cause: unknown) => onFault('changed rights not applied', cause));
    } catch (cause) {
      onFault('changed rights not applied', cause);
    }
  }
}
