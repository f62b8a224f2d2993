/** Creates a NATS feed, core or JetStream, with a backup if configured. It waits at the start for its servers. */
import type { Config } from '../config/environment.js';
import { type Feed, systemClock } from '../feed-contract/feed.js';
import { FeedErrors } from '../feed-contract/feed-errors.js';
import { FailoverFeed } from './failover.js';
import { JetStreamFeed } from './jetstream.js';
import { NatsFeed } from './nats.js';
import { WaitingFeed } from './waiting-feed.js';

export function createNatsFeed({ nodeName, nats, tracing }: Config): Feed {
  const clock = systemClock;
  const errors = new FeedErrors(() => clock.monotonicMicros() / 1000);
  const { backupUrl, staleAfterMs, startTimeoutMs: timeoutMs } = nats;
  const openAt = (url: string) => () => {
    const options = { config: { ...nats, url }, nodeName, errors, clock, isTraced: tracing !== undefined };
    return nats.jetstream ? new JetStreamFeed(options) : new NatsFeed(options);
  };
  const name = nats.jetstream ? 'jetstream' : 'nats';
  const openPrimary = openAt(nats.url);
  const open =
    backupUrl === undefined
      ? openPrimary
      : () => new FailoverFeed({ name, openPrimary, openBackup: openAt(backupUrl), staleAfterMs, errors, clock });
  return new WaitingFeed({ name, open, timeoutMs, errors, clock });
}
