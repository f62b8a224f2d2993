/** Rows of the admin API that the gateway writes and the dashboard reads, named as on the wire (src/admin/openapi.json). */

export type CircuitState = 'closed' | 'open' | 'half_open';

/** A connection in a list. */
export interface ConnectionRow {
  readonly id: string;
  readonly user: string | null;
  readonly tier: string;
  readonly address: string;
  readonly endpoint: string;
  readonly format: string;
  readonly connected_at: string;
  readonly age_seconds: number;
  readonly subscriptions: number;
  readonly buffered_bytes: number;
  readonly rate_bytes_per_second: number;
  readonly age_of_data_ms: number;
  readonly circuit: CircuitState;
  readonly conflation_steps: number;
  readonly worker: number;
}

export interface SubscriptionRow {
  readonly topic: string;
  readonly class: string;
  readonly served_class: string;
  readonly levels: number | null;
  readonly delay: string | null;
  readonly state: string;
  readonly epoch: string;
  readonly seq: number;
}

/** A second of the past; null: a thread was silent, or there was nothing to measure. */
export interface Sample {
  readonly time: string;
  readonly connections: number | null;
  readonly deliveries_per_second: number | null;
  readonly bytes_per_second: number | null;
  readonly messages_in_per_second: number | null;
  readonly latency_p50_ms: number | null;
  readonly latency_p99_ms: number | null;
  readonly age_p99_ms: number | null;
  readonly buffered_bytes: number | null;
  readonly circuits_open: number | null;
  readonly refused_per_second: number | null;
  readonly cpu: number | null;
  readonly threads: readonly (number | null)[];
}

/** A pattern that surveillance has found (ops/surveillance.md). */
export interface AlertRow {
  /** The same for the same pattern, whichever gateway reports it. */
  readonly id: string;
  /** When the last event of the evidence happened. */
  readonly time: string;
  /** NODE_NAME of the gateway that found it. */
  readonly node: string;
  readonly detector: string;
  readonly symbol: string | null;
  readonly users: readonly string[];
  readonly summary: string;
  readonly figures: Readonly<Record<string, number>>;
  /** Ids of orders or trades; of a client’s behaviour, connections and topics. */
  readonly evidence: readonly string[];
}

/** What one firm, or all of them, used of a product in a month (ops/usage.md). */
export interface UsageRow {
  readonly vendor: string;
  readonly product: string;
  /** Null: all firms. */
  readonly firm: string | null;
  readonly data: 'realtime' | 'delayed';
  readonly users: number;
  readonly professional: number;
  readonly non_professional: number;
  readonly display: number;
  readonly non_display: number;
  readonly devices: number;
  readonly peak_connections: number;
}

/** The usage of a month as far as this gateway's own journal knows it. */
export interface UsageAnswer {
  /** `YYYY-MM`. */
  readonly month: string;
  /** `off`: there is no journal or no product. `making`: ask again. `ready`: `made_at` says when. */
  readonly state: 'off' | 'making' | 'ready' | 'failed';
  /** Why there is none. */
  readonly reason: string | null;
  readonly made_at: string | null;
  readonly rows: readonly UsageRow[];
  /** Rows left out. */
  readonly more: number;
  /** What a reader must know before relying on the figures. */
  readonly reservations: readonly string[];
}

/** The journal of a gateway. Counters are of its process. */
export interface JournalRow {
  /** `off`: there is no `JOURNAL_DIR`, and the members below are null or 0. */
  readonly state: 'off' | 'writing' | 'failing';
  readonly folder: string | null;
  readonly takeover: boolean;
  readonly failure: string | null;
  /** Why complete segments are not compressed, or old ones not removed. */
  readonly maintenance_failure: string | null;
  readonly refusing: boolean;
  readonly lag_seconds: number;
  readonly records: number;
  readonly bytes: number;
  readonly blocks: number;
  readonly segments: number;
  readonly segment_bytes: number;
  readonly sealed: number;
  readonly dropped: number;
  readonly faults: number;
  readonly restarts: number;
  readonly subjects: number;
  readonly checkpoint: {
    readonly age_seconds: number | null;
    readonly kept: number;
    readonly failed: number;
    readonly waiting: number;
    readonly lost: number;
  };
  readonly clock_alarm: boolean;
}
