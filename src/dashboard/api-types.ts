/** Answers of the admin API, as far as the dashboard reads them: src/admin/openapi.json describes them. */
import type { AlertRow, ConnectionRow, Sample, SubscriptionRow } from '../protocol/admin-rows.js';

export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

export interface Stats {
  readonly node: string;
  readonly pid: number;
  readonly uptime_seconds: number;
  readonly ready: boolean;
  readonly missing: readonly string[];
  readonly draining: boolean;
  readonly feed: { readonly name: string; readonly status: string };
  readonly connections: {
    readonly open: number;
    readonly opened: number;
    readonly closed: number;
    readonly refused: number;
  };
  readonly topics: { readonly followed: number; readonly stale: number; readonly views: number };
  readonly slow_clients: { readonly buffered: number; readonly stalls: number; readonly resumes: number };
  readonly latency_ms: Percentiles | null;
  readonly age_ms: { readonly institutional: Percentiles | null; readonly retail: Percentiles | null };
  readonly circuits: { readonly open: number; readonly half_open: number };
  readonly refused: Readonly<Record<string, number>>;
  readonly closes: Readonly<Record<string, number>>;
  readonly limits: { readonly connections: number; readonly buffered_bytes: number };
  readonly silent_threads: readonly string[];
}

export interface HistoryAnswer {
  readonly interval_ms: number;
  readonly samples: readonly Sample[];
}

interface Page {
  readonly total: number;
  readonly has_more: boolean;
  readonly next: string | null;
  readonly silent_threads: readonly string[];
}

export interface ConnectionsAnswer extends Page {
  readonly connections: readonly ConnectionRow[];
}

export interface FlightEvent {
  readonly time: string;
  readonly what: string;
  readonly detail: string | number | null;
}

export interface ConnectionDetail extends ConnectionRow {
  readonly roles: readonly string[];
  readonly entitlements: readonly string[] | null;
  readonly credential: {
    readonly kind: string;
    readonly id: string | null;
    readonly expires_at: string | null;
    readonly firm: string | null;
    readonly professional: boolean | null;
    readonly use: string | null;
  } | null;
  readonly received_bytes: number;
  readonly sent_bytes: number;
  readonly round_trip_ms: number | null;
  readonly last_seen_at: string;
  readonly in_flight_bytes: number;
  readonly paused_ms: number | null;
  readonly lagging: boolean;
  readonly circuit_opens: number;
  readonly closing: boolean;
  readonly topics: readonly SubscriptionRow[];
  readonly events: readonly FlightEvent[];
}

export interface UserAnswer {
  readonly user: string;
  readonly total: number;
  readonly connections: readonly ConnectionRow[];
  readonly subscriptions: number;
  readonly limits: { readonly connections: { readonly used: number; readonly max: number } };
  readonly revocation: {
    readonly at: string;
    readonly expires: string | null;
    readonly author: string | null;
    readonly reason: string | null;
  } | null;
}

export interface TopicRow {
  readonly topic: string;
  readonly stream: string;
  readonly name: string;
  readonly subscribers: number;
  readonly rate: number | null;
  readonly state: string;
  readonly stale: string | null;
  readonly last_message_ms: number | null;
}

export interface TopicsAnswer extends Page {
  readonly topics: readonly TopicRow[];
}

export interface TopicDetail extends TopicRow {
  readonly epoch: string;
  readonly seq: number;
  readonly shard: number;
}

export interface ThreadRow {
  readonly name: string;
  readonly kind: string;
  readonly state: string;
  readonly utilisation: number | null;
  readonly restarts: number | null;
  readonly connections: number | null;
  readonly loop_delay_ms: number | null;
  readonly buffered_bytes: number | null;
  readonly queued_bytes: number | null;
}

export interface FeedAnswer {
  readonly name: string;
  readonly status: string;
  readonly since: string;
  readonly load: string;
  readonly silent_ms: number | null;
  readonly messages: number;
  readonly bytes: number;
  readonly duplicates: number;
  readonly gaps: number;
  readonly rejected: Readonly<Record<string, number>>;
  readonly stale: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly round_trip_ms: number | null;
  readonly queued_bytes: number | null;
  readonly upstreams: readonly {
    readonly name: string;
    readonly active: boolean;
    readonly live: boolean;
    readonly silent_ms: number | null;
  }[];
  readonly failovers: number;
  readonly symbols: number;
}

export interface LiveToken {
  readonly token: string;
  readonly url: string;
  readonly expires_at: string;
}

export interface BroadcastResult {
  readonly sent: number;
  readonly skipped: number;
}

export interface DrainResult {
  readonly already: boolean;
  readonly connections: number;
}

export interface LogLevel {
  readonly level: string;
  readonly configured: string;
}

/** GET /alerts */
export interface AlertsAnswer {
  readonly state: 'off' | 'watching' | 'standby' | 'connecting' | 'unavailable';
  readonly detail: string;
  readonly events: number;
  readonly dropped: number;
  readonly lag_ms: number;
  readonly alerts: readonly AlertRow[];
}
