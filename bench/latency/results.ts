/** What the latency suite runs, and what it measures. */
import type { Layout } from '../fanout/layout.js';
import type { LatencyReport } from '../load/latency-histogram.js';
import type { LoadResult, LoadTimes } from './session.js';

export interface LatencySettings extends Layout, LoadTimes {
  readonly rounds: number;
  readonly shape: 'price' | 'tick';
  readonly observers: number;
  readonly workers: string;
  readonly encoders: string;
  readonly contenders: readonly string[];
}

/** A load of the run: so many updates a second, the same for every contender. */
export interface Load {
  readonly name: string;
  readonly updatesPerSecond: number;
}

/** One contender under one load in one round. */
export interface LatencyRound extends LoadResult {
  readonly contender: string;
  readonly round: number;
  readonly load: string;
}

/** One client on an idle system, and a bare subscriber. */
export interface IdleRound {
  readonly round: number;
  readonly millrace: LatencyReport;
  readonly bareSubscriber: LatencyReport;
}

/** The load at which the goals hold. */
export const GOAL_LOAD = 'fixed';
