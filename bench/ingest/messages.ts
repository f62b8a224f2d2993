/** What the ingest benchmark says to its publisher. */
import type { Pace } from '../pacing/pacer.js';

export type FeedCommand =
  | { readonly type: 'start'; readonly natsUrl: string; readonly symbols: number; readonly batch: number }
  /** Publishes one update of every symbol, unpaced. */
  | { readonly type: 'seed' }
  | { readonly type: 'run'; readonly pace: Pace }
  | { readonly type: 'stop' };

export type FeedAnswer =
  | { readonly type: 'started'; readonly progressPort: number }
  | { readonly type: 'seeded' }
  | { readonly type: 'running' }
  | {
      readonly type: 'stopped';
      readonly updates: number;
      /** What the pacer reckoned with: receipts of the sampled symbols. */
      readonly owed: number;
      /** Given up for want of receipts; must be 0. */
      readonly givenUp: number;
    };
