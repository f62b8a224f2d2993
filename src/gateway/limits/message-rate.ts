/**
 * Limits how many messages a client may send: one token bucket per connection for messages, and a second one for
 * refusals, so that a client that keeps sending regardless is refused only for a while, then closed.
 */

/** A connection's remaining budget. Made by `MessageRate.fill`. */
export interface TokenBucket {
  /** Messages that would be accepted now. */
  tokens: number;
  /** Messages that would be refused before the connection is closed. */
  refusalTokens: number;
  /** When both were last refilled, ms of a monotonic clock. */
  refilledAtMs: number;
}

/** `abusive`: the client has used up its refusals too and must be closed with 4029. */
export type MessageVerdict = 'accepted' | 'refused' | 'abusive';

/** How many seconds' worth of messages a client may have refused, */
const REFUSED_SECONDS = 10;
/** but never fewer than this: a client that sends its backlog after a pause is not abusive, however low the rate. */
const REFUSALS_MIN = 1000;

/** Pings and pongs of one connection per second, and at once; beyond it, the connection is cut. */
export const CONTROL_FRAMES_PER_SECOND = 100;

/** The rate, shared by all connections. */
export class MessageRate {
  readonly #perSecond: number;
  readonly #refusalsMax: number;

  /** @param perSecond messages per second, and the size of the burst */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#refusalsMax = Math.max(REFUSALS_MIN, REFUSED_SECONDS * perSecond);
  }

  /** A full bucket, for a new connection. */
  fill(nowMs: number): TokenBucket {
    return { tokens: this.#perSecond, refusalTokens: this.#refusalsMax, refilledAtMs: nowMs };
  }

  /** The verdict on a message that arrives now. A clock that stands still or goes back changes no budget by itself. */
  take(bucket: TokenBucket, nowMs: number): MessageVerdict {
    const elapsedMs = nowMs - bucket.refilledAtMs;
    // If the clock goes back, keep the later time, so that nothing is refilled twice.
    if (elapsedMs > 0) {
      const refill = (elapsedMs * this.#perSecond) / 1000;
      bucket.tokens = Math.min(this.#perSecond, bucket.tokens + refill);
      bucket.refusalTokens = Math.min(this.#refusalsMax, bucket.refusalTokens + refill);
      bucket.refilledAtMs = nowMs;
    }
    if (bucket.tokens >= 1) {
      bucket.tokens--;
      return 'accepted';
    }
    return this.refuse(bucket);
  }

  /** A message is refused for another reason: what happens to the connection. */
  refuse(bucket: TokenBucket): Exclude<MessageVerdict, 'accepted'> {
    if (bucket.refusalTokens < 1) return 'abusive';
    bucket.refusalTokens--;
    return 'refused';
  }
}
