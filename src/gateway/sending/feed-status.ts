/** The feed status that clients receive. */
import type { Load } from '../../protocol/load.js';
import type { FeedState } from '../../threads/thread-messages.js';

/** The state of the feed; `since` is RFC 3339. */
export interface FeedStatusFrame {
  readonly type: 'status';
  readonly feed: FeedState;
  readonly since: string;
  /** Omitted until it first differs from normal. */
  readonly load?: Load;
}

export const isAllWell = ({ feed, load }: FeedStatusFrame): boolean =>
  feed === 'live' && (load ?? 'normal') === 'normal';
