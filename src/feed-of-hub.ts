/** Adapts the feed to what the hub expects. */
import { type Feed, type FeedMessage, newFeedMessage } from './feed/feed.js';
import type { HubFeed } from './hub/hub-feed.js';

/** @param loopback delivers client publications immediately when the feed has no other gateways */
export function feedOfHub(feed: Feed, loopback: (message: FeedMessage) => void): HubFeed {
  return {
    follow: (subject, wanted) => feed.interest(subject, wanted),
    position: subject => feed.position?.(subject),
    async publish(subject, payload, mark, key) {
      if (feed.publish === undefined) {
        loopback({ ...newFeedMessage(), subject, payload, publication: mark });
        return undefined;
      }
      const outcome = await feed.publish(subject, payload, mark, key);
      // The hub sends this text to the client.
      if (!outcome.ok) throw new Error(outcome.detail);
      return outcome.position;
    },
    async stored(subject, afterSeq, toSeq, messagesMax, epoch) {
      const outcome = await feed.stored?.({ subject, epoch, afterSeq, toSeq, messagesMax });
      return outcome?.ok === true ? outcome.messages : undefined;
    },
  };
}
