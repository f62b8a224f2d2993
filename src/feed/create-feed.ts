/** The feed that the configuration names. */
import type { Config } from '../config/environment.js';
import type { Logger } from '../observe/log.js';
import { FailoverFeed } from './failover.js';
import { type Feed, systemClock } from './feed.js';
import { JetStreamFeed } from './jetstream.js';
import { NatsFeed } from './nats.js';
import { ReplayFeed } from './replay.js';
import { SimulatorFeed } from './simulator/simulator.js';

export function createFeed(config: Config, log: Logger): Feed {
  const { nodeName, nats, simulator, replay, symbols } = config;
  const clock = systemClock;
  switch (config.feed) {
    case 'simulator':
      return new SimulatorFeed({ config: simulator, symbols, clock });
    case 'replay': {
      const onMalformed = (line: number, reason: string) => log.warn({ line, reason }, 'line of the recording skipped');
      return new ReplayFeed({ config: replay, clock, onMalformed });
    }
    case 'nats': {
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
  }
}
