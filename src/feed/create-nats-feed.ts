/** Creates a NATS feed, core or JetStream, with a backup if configured. */
import type { Config } from '../config/environment.js';
import { FailoverFeed } from './failover.js';
import { type Feed, systemClock } from './feed.js';
import { JetStreamFeed } from './jetstream.js';
import { NatsFeed } from './nats.js';

export function createNatsFeed({ nodeName, nats }: Config): Feed {
  const clock = systemClock;
  const { backupUrl, staleAfterMs } = nats;
  const openAt = (url: string) => () =>
    nats.jetstream
      ? new JetStreamFeed({ config: { ...nats, url }, nodeName, clock })
      : new NatsFeed({ config: { ...nats, url }, nodeName });
  const openPrimary = openAt(nats.url);
  if (backupUrl === undefined) return openPrimary();
  const name = nats.jetstream ? 'jetstream' : 'nats';
  return new FailoverFeed({ name, openPrimary, openBackup: openAt(backupUrl), staleAfterMs, clock });
}
