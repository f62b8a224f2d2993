/**
 * How many messages a client may send: a token bucket per connection, and a second one for the messages that are refused,
 * so that a client which goes on regardless is told so only for a while.
 */

/** What a connection's messages may still cost. Made by `MessageRate.fill`. */
export interface TokenBucket {
  /** Messages that would be accepted now. */
  tokens: number;
  /** Messages that would be refused before the connection has to go. */
  refusalTokens: number;
  /** Up to when both are filled, ms of a monotonic clock. */
  refilledAtMs: number;
}

/** `abusive`: the client has used up its refusals too and is to be closed with 4029. */
export type MessageVerdict = 'accepted' | 'refused' | 'abusive';

/** A client may be refused so many seconds' worth of messages, */
const REFUSED_SECONDS = 10;
/** but never fewer than this: a client that sends all it has after a pause is no abuse, however low the rate. */
const REFUSALS_MIN = 1000;

/** Pings and pongs of one connection in a second, and as many at once; beyond it, the connection is cut. */
export const CONTROL_FRAMES_PER_SECOND = 100;

/** The rate that all connections share. */
export class MessageRate {
  readonly #perSecond: number;
  readonly #refusalsMax: number;

  /** @param perSecond messages a second; as many may come at once */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#refusalsMax = Math.max(REFUSALS_MIN, REFUSED_SECONDS * perSecond);
  }

  /** A full bucket, for a connection that opens. */
  fill(nowMs: number): TokenBucket {
    return { tokens: this.#perSecond, refusalTokens: this.#refusalsMax, refilledAtMs: nowMs };
  }

  /** What becomes of a message that comes now. A clock that stands still or goes back changes no budget by itself. */
  take(bucket: TokenBucket, nowMs: number): MessageVerdict {
    const elapsedMs = nowMs - bucket.refilledAtMs;
    // Going back, it keeps the later time: what was filled up to then is not filled twice.
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

  /** A message is refused for another reason: what then becomes of the connection. */
  refuse(bucket: TokenBucket): Exclude<MessageVerdict, 'accepted'> {
    if (bucket.refusalTokens < 1) return 'abusive';
    bucket.refusalTokens--;
    return 'refused';
  }
}
