/** What a gateway loads only where its settings ask for it. */
import type { Config } from './config/environment.js';
import { createFeed } from './feed/create-feed.js';
import type { Feed } from './feed-contract/feed.js';
import type { GatewayHost } from './gateway-host.js';
import { Journalling } from './journalling.js';
import type { Logger } from './observe/log.js';
import { openTracing, type Tracing } from './observe/tracing/tracing.js';
import { SurveillanceSide } from './surveillance-side.js';

export interface LoadedParts {
  readonly feed: Feed;
  /** Undefined: nothing is traced. */
  readonly tracing: Tracing | undefined;
  readonly journal: Journalling;
  readonly surveillance: SurveillanceSide;
}

export async function loadParts(config: Config, log: Logger, host: GatewayHost): Promise<LoadedParts> {
  const journal = await Journalling.create(config, log, host);
  return {
    feed: await createFeed(config, log),
    tracing: await openTracing(config, log),
    journal,
    surveillance: new SurveillanceSide({ config, log, journal }),
  };
}
