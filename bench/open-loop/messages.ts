/** What a benchmark says to the open-loop publisher. */
import type { Layout } from '../fanout/layout.js';
import type { TickShape } from '../fanout/ticks.js';
import type { LatencyReport } from '../load/latency-histogram.js';
import type { Pace } from '../pacing/pacer.js';
import type { Rate } from './schedule.js';

export interface OpenLoopPlan {
  readonly natsUrl: string;
  readonly layout: Layout;
  readonly shape: TickShape;
  /**
   * `quotes`: whole quotes with a `Ts-Event` header, for Millrace. `frames`: what Millrace would send for these, stamps
   * included, for servers that hand bytes on.
   */
  readonly form: 'quotes' | 'frames';
  /** Fields of so many further bytes in all, which change with every update. Of quotes only. */
  readonly paddingBytes: number;
}

/** `run`: at a rate. `saturate`: as fast as the clients receive, see pacing/pacer.ts. Each until `stop`. */
export type OpenLoopCommand =
  | ({ readonly type: 'start' } & OpenLoopPlan)
  | { readonly type: 'run'; readonly rate: Rate }
  | { readonly type: 'saturate'; readonly pace: Pace }
  | { readonly type: 'mark' }
  | { readonly type: 'stop' };

export type OpenLoopAnswer =
  | { readonly type: 'started'; readonly progressPort: number }
  | { readonly type: 'running' }
  /** `mark` begins the stretch that `stopped` reports the lateness of. */
  | { readonly type: 'marked' }
  | {
      readonly type: 'stopped';
      /** Published since `run` or `saturate`. */
      readonly updates: number;
      /** Deliveries that these owe, with the layout's subscribers. */
      readonly owed: number;
      /** From an update's intended time to its publish. */
      readonly lateness: LatencyReport;
      /** Bytes that nats-server had not taken when the publisher stopped. */
      readonly queuedBytes: number;
      readonly clockOffsetMicros: number;
    };
