/** What the regions benchmark says to its relay, its publisher and its readers. */
import type { LatencyReport } from '../load/latency-histogram.js';

export type RelayCommand =
  /** Opens a port that leads to `port`, by a way that takes so long in each direction. */
  { readonly type: 'open'; readonly port: number; readonly delayMs: number };
export type RelayAnswer = { readonly type: 'opened'; readonly port: number };

/** Where and as whom a publisher connects. */
interface PublisherPlan {
  readonly servers: string;
  readonly user: string;
  readonly pass: string;
  readonly caFile: string;
  readonly jetstream: boolean;
  readonly symbols: readonly string[];
}

export type PublisherCommand =
  | { readonly type: 'start'; readonly plan: PublisherPlan }
  /** Publishes so many trades a second, of one symbol after another, until `stop`. */
  | { readonly type: 'run'; readonly tradesPerSecond: number }
  | { readonly type: 'stop' };
export type PublisherAnswer =
  | { readonly type: 'started' }
  | { readonly type: 'running' }
  /** All that was published has reached its server, with JetStream the stream. */
  | { readonly type: 'stopped'; readonly trades: number };

export type ReadersCommand =
  /** One client each; answered when all are subscribed. */
  | { readonly type: 'connect'; readonly urls: readonly string[]; readonly symbols: readonly string[] }
  /** Answered when each client has so many trades, or after the timeout. */
  | { readonly type: 'measure'; readonly trades: number; readonly timeoutMs: number };
/** What a client saw since `connect`. */
export interface ReaderReport {
  /** From the publisher's time to the client, in µs. */
  readonly latency: LatencyReport;
  /** Trades whose number is not above that of the one before, of their symbol. */
  readonly outOfOrder: number;
  /** Frames whose `prev_seq` is not the `seq` before. */
  readonly brokenChains: number;
  readonly closed: string | undefined;
}
export type ReadersAnswer =
  | { readonly type: 'connected' }
  | { readonly type: 'measured'; readonly readers: readonly ReaderReport[] };
