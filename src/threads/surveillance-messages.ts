/** What the surveillance thread and the main thread tell each other. */
import type { AlertRow } from '../protocol/admin-rows.js';

/** The detectors, as alerts and metrics name them (ops/surveillance.md). */
export const DETECTORS = [
  ...['order_to_trade', 'quote_stuffing', 'layering', 'wash_trades', 'momentum_ignition'],
  ...['client_rate', 'client_churn', 'client_hopping'],
] as const;
export type DetectorName = (typeof DETECTORS)[number];

/**
 * `watching`: this gateway watches the market. `standby`: another one does. `connecting`: it cannot tell yet.
 * `unavailable`: it cannot, and `detail` says why. Clients are watched by their own gateway in every state.
 */
export const WATCH_STATES = ['watching', 'standby', 'connecting', 'unavailable'] as const;
export type WatchState = (typeof WATCH_STATES)[number];

/** Messages that wait at most, on either side: a second of a busy market. Beyond, new ones are dropped and counted. */
export const QUEUE_MAX = 65_536;

export interface WatchCounters {
  readonly events: number;
  readonly unreadable: number;
  /** Messages left out because the thread did not keep up. */
  readonly dropped: number;
  readonly alerts: Readonly<Record<string, number>>;
  /** Alerts that could not be published. */
  readonly unpublished: number;
  /** Age of the last message when it was judged, ms. */
  readonly lagMs: number;
}

/** What one connection did within a second, as its gateway thread counts it. */
export interface ClientCounts {
  readonly connection: string;
  /** '' without a credential. */
  readonly user: string;
  readonly commands: number;
  readonly subscribed: readonly string[];
  readonly unsubscribed: readonly string[];
}

/** Gateway thread → main → surveillance thread. */
export interface ClientReport {
  readonly type: 'behaviour';
  /** When that second began, µs since the Unix epoch. */
  readonly atMicros: number;
  readonly clients: readonly ClientCounts[];
}

/** Main → surveillance thread. */
export type ToWatch =
  | ClientReport
  /** Messages of a feed inside this process. Answered by `taken`. */
  | {
      readonly type: 'messages';
      readonly messages: readonly { subject: string; payload: Uint8Array; tsEventMicros: number }[];
    }
  /** The operator's file has changed. `thresholds` are valid ones (surveillance/thresholds.ts). */
  | { readonly type: 'thresholds'; readonly thresholds: unknown }
  /** The feed reads this upstream from now on. */
  | { readonly type: 'upstream'; readonly isBackup: boolean }
  /** Release the lease, and end. */
  | { readonly type: 'close' };

/** Surveillance thread → main. */
export type FromWatch =
  /** `isOwn`: found here; else another gateway has published it. */
  | { readonly type: 'alert'; readonly alert: AlertRow; readonly isOwn: boolean }
  | {
      readonly type: 'watch';
      readonly state: WatchState;
      readonly detail: string;
      readonly counters: WatchCounters;
    }
  | { readonly type: 'taken'; readonly messages: number }
  | { readonly type: 'closed' };

/** The state of surveillance, for operators. */
export interface SurveillanceStats {
  readonly state: WatchState;
  readonly detail: string;
  readonly counters: WatchCounters | undefined;
  /** Messages that were not handed over because the thread did not keep up. */
  readonly dropped: number;
  readonly restarts: number;
  /** The newest first. */
  readonly alerts: readonly AlertRow[];
}
