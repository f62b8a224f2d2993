/** Creates the configured feed. */
import type { Config } from '../config/environment.js';
import { type Feed, systemClock } from '../feed-contract/feed.js';
import type { Logger } from '../observe/log.js';
import { ReplayFeed } from './replay-feed.js';
import { SimulatorFeed } from './simulator/simulator.js';

/** Loads the NATS client only if it is needed. */
export async function createFeed(config: Config, log: Logger): Promise<Feed> {
  const { simulator, replay, symbols } = config;
  const clock = systemClock;
  switch (config.feed) {
    case 'simulator':
      return new SimulatorFeed({
        config: simulator,
        symbols,
        clock,
        onPlanted: ({ kind, symbol }) => log.info({ pattern: kind, symbol }, 'pattern planted into simulated orders'),
      });
    case 'replay': {
      const onMalformed = (line: number, reason: string) => log.warn({ line, reason }, 'line of the recording skipped');
      return new ReplayFeed({ config: replay, clock, onMalformed });
    }
    case 'nats': {
      const { createNatsFeed } = await import('./create-nats-feed.js');
      return createNatsFeed(config);
    }
  }
}
