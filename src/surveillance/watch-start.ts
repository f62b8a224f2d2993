import type { NatsConfig } from '../config/environment.js';
import type { ChannelContent } from './published-alert.js';
import type { Thresholds } from './thresholds.js';

/** What the surveillance thread is started with. */
export interface WatchStart {
  readonly node: string;
  /** Undefined: the feed is inside this process, and main hands over its messages. */
  readonly nats: NatsConfig | undefined;
  /** Undefined: this gateway watches without asking others. */
  readonly leaseBucket: string | undefined;
  readonly thresholds: Thresholds;
  readonly channel: ChannelContent;
}
