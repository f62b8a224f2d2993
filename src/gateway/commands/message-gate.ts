/** Decides whether a client's message is read, by its length, the message rate and what the client has cost so far. */
import type { CommandId } from '../../protocol/command-limits.js';
import { readUnits } from '../../protocol/costs.js';
import type { MessageRate, MessageVerdict } from '../limits/message-rate.js';
import type { WorkBudgets } from '../limits/work-budgets.js';
import type { Session } from '../model/session.js';
import type { Replies } from '../sessions/replies.js';
import { LARGE_REFUSED, largeMessage } from './large-messages.js';

/** Retry time for a client that sends too fast: its tokens refill within a second. */
const RATE_RETRY_MS = 1_000;
/** Longest refused command whose id is still read when the client's budget is used up. */
const REFUSED_BYTES_MAX = 16 * 1024;

interface MessageGateParts {
  readonly messageRate: MessageRate;
  readonly messagesPerSecondMax: number;
  readonly roomMessageBytesMax: number;
  readonly budgets: WorkBudgets;
  readonly replies: Replies;
  /** The id of a command that is not executed; undefined when it has none or is longer than `bytesMax`. */
  readonly idOf: (session: Session, bytes: ArrayBuffer, isBinary: boolean, bytesMax: number) => CommandId | undefined;
}

export class MessageGate {
  readonly #parts: MessageGateParts;

  constructor(parts: MessageGateParts) {
    this.#parts = parts;
  }

  /** The verdict on a message. When it is refused or too long, the client has already been told. */
  verdict(session: Session, bytes: ArrayBuffer, isBinary: boolean, nowMs: number): MessageVerdict | 'too_long' {
    const { messageRate, messagesPerSecondMax, roomMessageBytesMax, budgets, replies, idOf } = this.#parts;
    const byRate = messageRate.take(session.messageTokens, nowMs);
    const waitMs = budgets.waitMs(session);
    // Reading costs something even when the message is refused.
    const verdict = byRate === 'accepted' && waitMs > 0 ? messageRate.refuse(session.messageTokens) : byRate;
    const units = readUnits(bytes.byteLength);
    // Charge a refused message to the connection alone: its user and address have other connections.
    if (verdict === 'accepted') budgets.charge(session, units);
    else budgets.chargeConnection(session, units);
    if (verdict === 'accepted') {
      const large = largeMessage(session, bytes, roomMessageBytesMax);
      if (large === 'taken') return verdict;
      const id = large === 'too_long' ? idOf(session, bytes, isBinary, Number.POSITIVE_INFINITY) : undefined;
      const message = large === 'too_long' ? `data: at most ${roomMessageBytesMax} bytes` : LARGE_REFUSED;
      replies.fail(session, id, 'payload_too_large', message);
      return 'too_long';
    }
    if (verdict !== 'refused') return verdict;
    const id = idOf(session, bytes, isBinary, REFUSED_BYTES_MAX);
    if (byRate === 'accepted') replies.rateLimited(session, id, 'work budget exhausted', waitMs);
    else replies.rateLimited(session, id, `at most ${messagesPerSecondMax} messages per second`, RATE_RETRY_MS);
    return verdict;
  }
}
