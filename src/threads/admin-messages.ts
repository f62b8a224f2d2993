/** What the main thread asks gateway threads for operators, and their answers. Members of rows are named as in the API. */
import type { ConnectionRow, SubscriptionRow } from '../protocol/admin-rows.js';
import type { CloseCode } from '../protocol/close-code.js';
import type { Stream } from '../protocol/topics.js';
import type { FlightEventName } from './flight-events.js';

export const CONNECTION_CONDITIONS = ['slow', 'conflated', 'lagging', 'circuit_open', 'idle'] as const;
export const CONNECTION_SORTS = ['buffered', 'age', 'rate'] as const;
export const SEVERITIES = ['info', 'warning', 'critical'] as const;

/** Where a row stands in an order: its value, then its thread and its number there. */
export type RowKey = readonly [value: number, worker: number, connection: number];

/** Which connections to list. An absent filter lets all pass. */
export interface ConnectionQuery {
  readonly user?: string | undefined;
  readonly address?: string | undefined;
  readonly tier?: string | undefined;
  readonly format?: string | undefined;
  readonly topic?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly condition?: (typeof CONNECTION_CONDITIONS)[number] | undefined;
  readonly sort: (typeof CONNECTION_SORTS)[number];
  readonly isAscending: boolean;
  readonly limit: number;
  /** Only rows behind this one. */
  readonly after?: RowKey | undefined;
}

export interface ConnectionDetail extends ConnectionRow {
  readonly roles: readonly string[];
  readonly entitlements: readonly string[] | null;
  readonly credential: {
    readonly kind: 'token' | 'api_key' | 'certificate';
    readonly id: string | null;
    readonly issued_at: string | null;
    readonly expires_at: string | null;
    readonly firm: string | null;
    readonly professional: boolean | null;
    readonly use: string | null;
  } | null;
  readonly stamped: boolean;
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
  readonly events: readonly {
    readonly time: string;
    readonly what: FlightEventName;
    readonly detail: string | number | null;
  }[];
}

/** The frame that an operator's broadcast sends. */
export interface NoticeFrame {
  readonly type: 'notice';
  readonly severity: (typeof SEVERITIES)[number];
  readonly message: string;
  readonly time: string;
}

/** Who gets it. */
export type NoticeTarget = { readonly all: true } | { readonly user: string } | { readonly topic: string };

/** What a thread counts for the history; counters since its start. */
export interface LoadSample {
  /** Another number means another thread, whose counters start over. */
  readonly thread: number;
  readonly open: number;
  readonly deliveries: number;
  readonly sentBytes: number;
  readonly refused: number;
  readonly bufferedBytes: number;
  readonly circuitsOpen: number;
  readonly views: number;
  /** Event-loop delay and age of the youngest realtime frame at the last check. */
  readonly loopDelayMs: number;
  readonly frameAgeMs: number;
  /** Buckets as in latencies.ts: of realtime frames and events, and of what clients read. */
  readonly latencyBuckets: readonly number[];
  readonly ageBuckets: readonly number[];
  /** Share of the time since the sample before in which its event loop was busy, 0 to 1. */
  readonly utilisation: number;
}

/** Every question with its answer. `undefined` in an answer: the thread does not know it. */
export interface AdminTopics {
  readonly sample: { readonly ask: object; readonly answer: LoadSample };
  readonly connections: {
    readonly ask: { readonly query: ConnectionQuery };
    readonly answer: {
      readonly rows: readonly { readonly key: RowKey; readonly row: ConnectionRow }[];
      /** That match, and those of them behind `after`. */
      readonly total: number;
      readonly behind: number;
      /** Their subscriptions together. */
      readonly subscriptions: number;
    };
  };
  readonly connection: {
    readonly ask: { readonly connection: string };
    readonly answer: ConnectionDetail | undefined;
  };
  readonly end: {
    readonly ask: { readonly connection: string; readonly code: CloseCode };
    /** The user of the connection that ends, as LOG_USERS says. */
    readonly answer: { readonly user: string | undefined } | undefined;
  };
  /** Subscribers by view, as pairs: source number times the number of streams plus the stream's index; and how many. */
  readonly subscribers: { readonly ask: object; readonly answer: Float64Array };
  readonly document: {
    readonly ask: { readonly stream: Stream; readonly symbol: string };
    /** JSON text; null: the topic has no data yet; undefined: it is not served. */
    readonly answer: string | null | undefined;
  };
  readonly notice: {
    readonly ask: { readonly frame: NoticeFrame; readonly to: NoticeTarget };
    readonly answer: { readonly sent: number; readonly skipped: number };
  };
}

export type AdminTopic = keyof AdminTopics;

/** Main → worker. */
export type AdminQuestion = {
  readonly [Topic in AdminTopic]: {
    readonly type: 'admin';
    readonly id: number;
    readonly about: Topic;
  } & AdminTopics[Topic]['ask'];
}[AdminTopic];

/** Worker → main. The answer has the type that belongs to the question with this id. */
export interface AdminAnswer {
  readonly type: 'admin';
  readonly id: number;
  readonly answer: unknown;
  /** The thread could not answer; its fault is logged. */
  readonly hasFailed?: boolean;
}
