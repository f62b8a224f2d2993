/** The feed as the hub asks it (hub/hub-feed.ts). */
import { type Feed, type FeedMessage, type FeedPosition, newFeedMessage } from './feed.js';

/** @param loopback delivers client publications immediately when the feed has no other gateways */
export function feedOfHub(feed: Feed, loopback: (message: FeedMessage) => void) {
  return {
    follow: (subject: string, wanted: boolean) => feed.interest(subject, wanted),
    position: (subject: string) => feed.position?.(subject),
    async publish(subject: string, payload: Uint8Array, mark: string, key: string): Promise<FeedPosition | undefined> {
      if (feed.publish === undefined) {
        loopback({ ...newFeedMessage(), subject, payload, publication: mark });
        return undefined;
      }
      const outcome = await feed.publish(subject, payload, mark, key);
      // The hub sends this text to the client.
      if (!outcome.ok) throw new Error(outcome.detail);
      return outcome.position;
    },
    async stored(subject: string, afterSeq: number, toSeq: number, messagesMax: number, epoch: string) {
      const outcome = await feed.stored?.({ subject, epoch, afterSeq, toSeq, messagesMax });
      return outcome?.ok === true ? outcome.messages : undefined;
    },
  };
}
