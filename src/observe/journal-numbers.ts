import type { JournalStats } from '../threads/journal-records.js';

/** What metrics and the admin API tell of the journal. Counters are of this process, over all of its journal threads. */
export interface JournalNumbers extends JournalStats {
  readonly folder: string;
  /** Another process has `JOURNAL_DIR`. */
  readonly isTakeover: boolean;
  readonly state: 'writing' | 'failing';
  /** New connections are refused because of it. */
  readonly isRefusing: boolean;
  /** Records that were lost before they reached the disk. */
  readonly dropped: number;
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
