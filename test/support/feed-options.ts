/** What a NATS feed is made with, besides its settings. */
import { systemClock } from '../../src/feed-contract/feed.js';
import { FeedErrors } from '../../src/feed-contract/feed-errors.js';

/** @param nodeName names the connection */
export const feedOptions = (nodeName = 'node-1') => ({
  nodeName,
  clock: systemClock,
  errors: new FeedErrors(() => performance.now()),
});
