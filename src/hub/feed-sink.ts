/** Where the feed's messages, orders and reports go. */
import type { FeedSink } from '../feed-contract/feed.js';
import type { Logger } from '../observe/log.js';
import type { ControlOrders } from '../revocation/control-orders.js';
import type { Hub } from './hub.js';
import type { ServiceStatus } from './service-status.js';

interface FeedSinkParts {
  readonly hub: Hub;
  readonly orders: ControlOrders;
  readonly status: ServiceStatus;
  readonly log: Logger;
  /** The feed's name, for the log. */
  readonly name: string;
}

export function feedSink({ hub, orders, status: service, log, name }: FeedSinkParts): FeedSink {
  return {
    message: message => hub.message(message),
    status: (status, detail) => {
      // Switching to or from the backup is an outage for topics that neither server numbers.
      if (status !== 'live' || service.current.feed === 'failover') hub.feedLost();
      log[status === 'live' ? 'info' : 'warn']({ feed: name, status, detail }, 'feed status');
      service.setFeed(status);
    },
    control: (subject, payload, respond) => orders.receive(subject, payload, respond),
    notice: (what, detail) => log.warn({ what, detail }, 'feed notice'),
    gap: subject => hub.feedGap(subject),
  };
}
