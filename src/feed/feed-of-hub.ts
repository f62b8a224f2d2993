/** The feed as the hub asks it (hub/hub-feed.ts). */
import { type Feed, type FeedMessage, newFeedMessage } from '../feed-contract/feed.js';

/** @param loopback delivers client publications immediately when the feed has no other gateways */
export function feedOfHub(
  feed: Feed,
  loopback: (message: FeedMessage) => void,
): Pick<Feed, 'follow' | 'publish' | 'position' | 'stored'> {
  return {
    follow: (subject, wanted) => feed.follow(subject, wanted),
    position: subject => feed.position(subject),
    stored: range => feed.stored(range),
    async publish(subject, payload, mark, key) {
      const outcome = await feed.publish(subject, payload, mark, key);
      if (outcome.ok || outcome.code !== 'unsupported') return outcome;
      loopback({ ...newFeedMessage(), subject, payload, publication: mark });
      return { ok: true, position: undefined };
    },
  };
}
