/** What a command is answered with: its id comes first, as it was given. */
import type { ErrorCode } from '../../protocol/codes.js';
import type { CommandId } from '../../protocol/command-limits.js';
import type { Session } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';

export interface Answer {
  readonly type: string;
  readonly [member: string]: unknown;
}

export class Replies {
  readonly #outbox: Outbox;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  send(session: Session, id: CommandId | undefined, message: Answer): void {
    const { type, ...rest } = message;
    this.#outbox.send(session, id === undefined ? message : { type, id, ...rest });
  }

  /** Nothing was done, as too much was asked for. @param retryAfterMs when it may be */
  rateLimited(session: Session, id: CommandId | undefined, message: string, retryAfterMs: number): void {
    this.send(session, id, { type: 'error', code: 'rate_limited', message, retry_after_ms: retryAfterMs });
  }

  fail(session: Session, id: CommandId | undefined, code: ErrorCode, message: string): void {
    this.send(session, id, { type: 'error', code, message });
  }
}
