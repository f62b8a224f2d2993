/** What the hub receives from the feed, and what it asks of it. */
import type { Feed, FeedMessage } from '../feed-contract/feed.js';

/** One message as a feed delivers it. */
export type HubMessage = Readonly<FeedMessage>;

/** What the hub asks of the feed. Every call is answered by an outcome, never by an error. */
export type HubFeed = Pick<Feed, 'follow' | 'publish' | 'position' | 'stored'>;
