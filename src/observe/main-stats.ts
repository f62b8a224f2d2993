/** What the main thread counts, for metrics. */

/** What the main thread knows at a scrape. */
export interface MainStats {
  readonly messages: number;
  readonly bytes: number;
  readonly ignored: number;
  /** Topics that clients asked for beyond a limit; `topicSharesRefused`: those beyond one user's. */
  readonly sourcesRefused: number;
  readonly topicSharesRefused: number;
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
  /** State subjects that are held back now, and times that one was, by reason. */
  readonly held: ReadonlyMap<string, number>;
  readonly holdsTotal: ReadonlyMap<string, number>;
  readonly sources: number;
  readonly queuedBytes: number;
  readonly eventsDropped: number;
  readonly statesSkipped: number;
  readonly encoderRestarts: number;
  readonly workerRestarts: number;
  readonly workersListening: number;
  /** Nobody listens: too few file descriptors are free. */
  readonly descriptorsShort: boolean;
  readonly revocations: RevocationStats;
  /** Lines that standard error did not take. */
  readonly logLinesLost: number;
  readonly workersHung: number;
  /** Hung where they cannot be ended. */
  readonly workersStuck: number;
  readonly encodersStuck: number;
  /** Work for one session that took too long: came to its end, or was stopped. */
  readonly longWork: { readonly ended: number; readonly stopped: number };
  readonly encodersHung: number;
  /** Threads that keep dying. */
  readonly workerCrashLoops: number;
  readonly encoderCrashLoops: number;
  readonly feedLive: boolean;
  /** Since the last message; undefined before the first. */
  readonly feedSilentMs: number | undefined;
  readonly feedBehind: number;
  readonly feedHeadersIgnored: number;
  /** Undefined where there is no backup. */
  readonly feedSources: FeedSources | undefined;
  /** 0: normal, then stretched, at last shedding. */
  readonly loadLevel: number;
  readonly loadChanges: { readonly up: number; readonly down: number };
  readonly replaysRecovered: number;
  readonly replaysUnrecovered: number;
  readonly replaysCancelled: number;
}

/** What there is to say of credentials that were revoked. */
export interface RevocationStats {
  readonly size: number;
  /** Orders for which there was no room. */
  readonly refused: number;
  /** Parts of stores that are no entries. */
  readonly corrupt: number;
  readonly stores: readonly { readonly name: string; readonly state: string; readonly unwritten: number }[];
}

/** What there is to say of a feed with a backup. */
export interface FeedSources {
  readonly active: string;
  readonly failovers: number;
  readonly duplicates: number;
  readonly sources: readonly {
    readonly name: string;
    readonly isLive: boolean;
    readonly silentMs: number | undefined;
  }[];
}
