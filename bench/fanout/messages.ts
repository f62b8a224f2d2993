/** What a benchmark says to a process that publishes: the NATS publisher, or a peer that publishes by itself. */

import type { Pace } from '../pacing/pacer.js';
import type { Format, FrameSet } from './frames.js';
import type { Layout } from './layout.js';
import type { TickShape } from './ticks.js';

export interface PublishPlan {
  readonly layout: Layout;
  readonly shape: TickShape;
  readonly format: Format;
  readonly pace: Pace;
}

/** Where a NATS publisher sends to; it publishes one whole quote of every symbol before it answers. */
export interface NatsStart extends PublishPlan {
  readonly type: 'start';
  readonly natsUrl: string;
  /** What to publish instead of quotes: a peer's NATS carries the frames themselves. */
  readonly frames?: FrameSet;
}

/** What a peer publishes: for each symbol the frames to send, over and over. */
export interface PeerStart extends PublishPlan {
  readonly type: 'start';
  readonly frames: FrameSet;
}

/** `run` publishes, paced, until `stop`. */
export type PaceCommand<Start> = Start | { readonly type: 'run' } | { readonly type: 'stop' };

export type PaceAnswer =
  /** `port`: where a peer's clients connect; 0 when the process serves none. */
  | { readonly type: 'started'; readonly progressPort: number; readonly port: number }
  | { readonly type: 'running' }
  | { readonly type: 'stopped'; readonly updates: number; readonly owed: number; readonly givenUp: number };
