/** What becomes of a client's publication. */
import type { FeedFailureCode } from '../../feed-contract/feed-outcome.js';
import type { StreamPosition } from '../../protocol/stream-position.js';

export interface PublicationFailure {
  readonly ok: false;
  /** `other_content`: the key belongs to a message with different content, and this one is not published. */
  readonly code: FeedFailureCode | 'other_content';
  /** Says whether the message may have been published. */
  readonly detail: string;
}

/** The message's position in its topic, or why it has none. */
export type PublicationOutcome = { readonly ok: true; readonly position: StreamPosition } | PublicationFailure;

export const OTHER_CONTENT: PublicationFailure = {
  ok: false,
  code: 'other_content',
  detail: 'id: already used for another message of yours in this room',
};
export const TOO_MANY: PublicationFailure = {
  ok: false,
  code: 'overloaded',
  detail: 'not published: too many publications pending',
};
export const LATE: PublicationFailure = {
  ok: false,
  code: 'unreachable',
  detail: 'may have been published; repeat it with the same id: it did not come back in time',
};
export const NOT_COMPARABLE: PublicationFailure = {
  ok: false,
  code: 'incomplete',
  detail: 'already published under this id, but its content cannot be read to compare',
};

export function at({ epoch, seq }: StreamPosition): PublicationOutcome {
  return { ok: true, position: { epoch, seq } };
}
