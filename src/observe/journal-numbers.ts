/** What metrics and the admin API tell of the journal. Counters are of this process. */
export interface JournalNumbers {
  readonly folder: string;
  /** Another process has `JOURNAL_DIR`. */
  readonly isTakeover: boolean;
  readonly state: 'writing' | 'failing';
  /** Why it cannot be written. */
  readonly failure: string | undefined;
  /** New connections are refused because of it. */
  readonly isRefusing: boolean;
  readonly records: number;
  readonly bytes: number;
  /** In the whole journal. */
  readonly blocks: number;
  /** Segments completed. */
  readonly sealed: number;
  /** Segments in the folder. */
  readonly segments: number;
  readonly segmentBytes: number;
  /** Writes that the disk refused. */
  readonly faults: number;
  /** Records that were lost before they reached the disk. */
  readonly dropped: number;
  /** From an event to its block on the disk. */
  readonly lagSeconds: number;
  readonly fsyncs: number;
  readonly fsyncSeconds: number;
  /** Users and addresses that have a pseudonym. */
  readonly subjects: number;
  /** Pseudonyms whose key was not kept, because there are too many. */
  readonly keyless: number;
  /** Times that its thread died. */
  readonly restarts: number;
  readonly checkpoint: {
    /** Since the last one left, or the gateway started. */
    readonly ageSeconds: number;
    readonly kept: number;
    /** Attempts that failed. */
    readonly failed: number;
    readonly waiting: number;
    /** Given up because too many waited. */
    readonly lost: number;
  };
}
