/** Replies to commands. The command's id comes first, exactly as the client sent it. */
import type { ErrorCode } from '../../protocol/codes.js';
import type { CommandId } from '../../protocol/command-limits.js';
import type { RefusedTopics } from '../journal/control-records.js';
import type { Session } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';

interface Reply {
  readonly type: string;
  readonly [member: string]: unknown;
}

export class Replies {
  readonly #outbox: Outbox;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /** @param refused the topics that an error refuses, for the journal */
  send(session: Session, id: CommandId | undefined, message: Reply, refused?: RefusedTopics): void {
    const { type, ...rest } = message;
    this.#outbox.send(session, id === undefined ? message : { type, id, ...rest }, refused);
  }

  /** Nothing was done: the client asked for too much. @param retryAfterMs when it may retry */
  rateLimited(session: Session, id: CommandId | undefined, message: string, retryAfterMs: number): void {
    this.send(session, id, { type: 'error', code: 'rate_limited', message, retry_after_ms: retryAfterMs });
  }

  fail(session: Session, id: CommandId | undefined, code: ErrorCode, message: string): void {
    this.send(session, id, { type: 'error', code, message });
  }
}
