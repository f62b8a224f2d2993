/** The main thread's counters, for metrics. */
import type { SourceKind } from '../protocol/topics.js';
import type { SurveillanceStats } from '../threads/surveillance-messages.js';
import type { JournalNumbers } from './journal-numbers.js';
import type { TracingStats } from './tracing/tracing.js';

/** What can keep a gateway from being ready. */
export const NOT_READY_REASONS = [
  ...['closing', 'draining', 'feed', 'feed_stale', 'workers', 'descriptors', 'workers_stuck', 'encoders_stuck'],
  ...['revocations', 'key_set', 'workers_stable', 'encoders_stable', 'journal'],
] as const;
export type NotReadyReason = (typeof NOT_READY_REASONS)[number];

/** Configured limits that something is compared with. */
export const LIMITS = [
  ...['connections', 'anonymous', 'per_user', 'per_address', 'pending', 'pending_per_address', 'attempts_per_second'],
  ...['subscriptions', 'messages_per_second', 'work_units_per_second', 'message_bytes', 'backpressure_bytes'],
  ...['buffered_bytes', 'client_topics', 'symbols', 'log_bytes', 'cpu_cores'],
] as const;
export type LimitName = (typeof LIMITS)[number];

/** One thread at a scrape. A thread that is down has zeros, and the time that it was busy before. */
export interface ThreadNumbers {
  readonly name: string;
  /** Undefined for encoders. */
  readonly loopDelayMs: number | undefined;
  readonly busyMs: number;
  readonly heapUsedBytes: number;
  readonly heapLimitBytes: number;
  /** It did not answer this scrape; undefined for threads that are not asked. */
  readonly isSilent: boolean | undefined;
}

/** What arrived from the feed of one kind. */
export interface KindNumbers {
  readonly kind: SourceKind;
  readonly messages: number;
  readonly bytes: number;
  /** When the last message arrived, Unix time; 0: never. */
  readonly lastSeconds: number;
}

/** The main thread's numbers at a scrape. */
export interface MainStats {
  readonly build: {
    /** `NODE_NAME` */
    readonly node: string;
    readonly version: string;
    readonly nodejs: string;
    readonly uws: string;
  };
  readonly obstacles: readonly (readonly [name: NotReadyReason, isInTheWay: boolean])[];
  readonly limits: Readonly<Record<LimitName, number>>;
  /** Unix time; undefined without TLS. */
  readonly certificateExpirySeconds: number | undefined;
  /** Undefined while it is not known. */
  readonly clock: { readonly offsetSeconds: number; readonly errorSeconds: number } | undefined;
  /** It is worse than CLOCK_DIVERGENCE_MAX, or unknown and that is an alarm. */
  readonly isClockAlarming: boolean;
  /** Undefined without JOURNAL_DIR. */
  readonly journal: JournalNumbers | undefined;
  readonly threads: readonly ThreadNumbers[];
  /** Users with an open connection. */
  readonly users: number;
  readonly kinds: readonly KindNumbers[];
  readonly messages: number;
  readonly bytes: number;
  readonly ignored: number;
  /** Topics refused beyond a limit; `topicSharesRefused`: those beyond one user's share. */
  readonly subjectsRefused: number;
  readonly topicSharesRefused: number;
  /** Requests for topics that the feed's server refuses. */
  readonly topicsUnavailable: number;
  readonly duplicates: number;
  readonly gaps: number;
  readonly batches: number;
  readonly batchRecords: number;
  readonly batchBytes: number;
  readonly frames: number;
  readonly frameBytes: number;
  readonly encodeMicros: number;
  readonly withoutBase: number;
  readonly rejected: ReadonlyMap<string, number>;
  /** State subjects held back now, and how often one was, by reason. */
  readonly held: ReadonlyMap<string, number>;
  readonly holdsTotal: ReadonlyMap<string, number>;
  readonly subjects: number;
  readonly queuedBytes: number;
  readonly eventsDropped: number;
  readonly statesSkipped: number;
  readonly encoderRestarts: number;
  readonly workerRestarts: number;
  readonly workersListening: number;
  /** The gateway has stopped listening because too few file descriptors are free. */
  readonly descriptorsShort: boolean;
  readonly revocations: RevocationStats;
  /** Undefined without AUTH_JWKS_URL. */
  readonly keySet: KeySetNumbers | undefined;
  /** Undefined without SURVEILLANCE=on. */
  readonly surveillance: SurveillanceStats | undefined;
  /** Undefined without OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly tracing: TracingStats | undefined;
  /** Lines that standard error did not accept. */
  readonly logLinesLost: number;
  readonly workersHung: number;
  /** Hung in native code, where they cannot be terminated. */
  readonly workersStuck: number;
  readonly encodersStuck: number;
  /** Work for one session that took too long: finished by itself, or stopped. */
  readonly longWork: { readonly ended: number; readonly stopped: number };
  readonly encodersHung: number;
  /** Threads in a crash loop. */
  readonly workerCrashLoops: number;
  readonly encoderCrashLoops: number;
  readonly feedLive: boolean;
  /** Time since the last message; undefined before the first. */
  readonly feedSilentMs: number | undefined;
  /** Undefined without a server. */
  readonly feedHealth: FeedHealth | undefined;
  /** Undefined without a backup. */
  readonly feedUpstreams: FeedUpstreams | undefined;
  /** 0: normal; then stretched; the highest level refuses retail clients. */
  readonly loadLevel: number;
  readonly loadChanges: { readonly up: number; readonly down: number };
  readonly replaysRecovered: number;
  readonly replaysUnrecovered: number;
  readonly replaysCancelled: number;
  readonly delayed: DelayedNumbers;
}

/** Data that is held back for delayed topics. */
interface DelayedNumbers {
  readonly topics: number;
  readonly usedBytes: number;
  readonly released: number;
  readonly dropped: number;
}

/** Numbers about the key set at AUTH_JWKS_URL. */
interface KeySetNumbers {
  readonly state: string;
  /** Since the last successful fetch; undefined before the first. */
  readonly ageMs: number | undefined;
  readonly fetches: number;
  /** By kind. */
  readonly failures: Readonly<Record<string, number>>;
}

/** Numbers about the feed's connections to its servers. */
export interface FeedHealth {
  readonly behind: number;
  readonly reconnects: number;
  readonly consumerRecreations: number;
  readonly headersIgnored: number;
  readonly errors: ReadonlyMap<string, number>;
  readonly roundTripMs: number | undefined;
  readonly queuedBytes: number;
}

/** Numbers about revocations. */
interface RevocationStats {
  readonly size: number;
  /** Orders refused for lack of room. */
  readonly refused: number;
  /** Unreadable entries in stores. */
  readonly corrupt: number;
  readonly stores: readonly { readonly name: string; readonly state: string; readonly unwritten: number }[];
}

/** Numbers about a feed with a backup. */
export interface FeedUpstreams {
  readonly active: string;
  readonly failovers: number;
  readonly duplicates: number;
  readonly upstreams: readonly {
    readonly name: string;
    readonly isLive: boolean;
    readonly silentMs: number | undefined;
  }[];
}
