/** What the feeds inside this process have in common: no other gateways, no store, and nowhere to put dead letters. */
import type { PositionOutcome, PublishOutcome, StoredOutcome } from '../feed-contract/feed.js';
import { failed } from '../feed-contract/feed-outcome.js';

const NO_OTHER_GATEWAYS = failed('unsupported', 'this feed has no other gateways');
const NOT_STORED = failed('not_stored', 'this feed stores nothing');

export abstract class LocalFeed {
  /** Drops it: there is no publisher to tell. */
  deadLetter(): void {}

  async publish(): Promise<PublishOutcome> {
    return NO_OTHER_GATEWAYS;
  }

  position(): PositionOutcome {
    return NOT_STORED;
  }

  async stored(): Promise<StoredOutcome> {
    return NOT_STORED;
  }
}
