/** What clients are told of the feed. */
import type { Load } from '../../protocol/load.js';
import type { FeedState } from '../../threads/thread-messages.js';

/** How the feed is doing; `since` is RFC 3339. */
export interface FeedStatusFrame {
  readonly type: 'status';
  readonly feed: FeedState;
  readonly since: string;
  /** Left out as long as it never was other than normal. */
  readonly load?: Load;
}

export const isAllWell = ({ feed, load }: FeedStatusFrame): boolean =>
  feed === 'live' && (load ?? 'normal') === 'normal';
