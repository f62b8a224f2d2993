/** What the journal has done since the process started, over all of its threads: each counts from zero. */
import type { JournalNumbers } from './observe/journal-numbers.js';
import type { JournalStats } from './threads/journal-records.js';

const COUNTERS = ['records', 'bytes', 'sealed', 'fsyncs', 'fsyncSeconds', 'faults', 'keyless'] as const;
type Counters = Record<(typeof COUNTERS)[number], number>;
type Sizes = Pick<
  JournalNumbers,
  'maintenanceFailure' | 'blocks' | 'segments' | 'segmentBytes' | 'subjects' | 'lagSeconds'
>;

export class JournalCounters {
  readonly #before: Counters = { records: 0, bytes: 0, sealed: 0, fsyncs: 0, fsyncSeconds: 0, faults: 0, keyless: 0 };
  #now: JournalStats | undefined;

  take(stats: JournalStats): void {
    this.#now = stats;
  }

  /** The thread has ended. */
  ended(): void {
    for (const name of COUNTERS) this.#before[name] += this.#now?.[name] ?? 0;
    this.#now = undefined;
  }

  get numbers(): Counters & Sizes {
    const { blocks = 0, segments = 0, segmentBytes = 0, subjects = 0, lagSeconds = 0 } = this.#now ?? {};
    const counted = COUNTERS.map(name => [name, this.#before[name] + (this.#now?.[name] ?? 0)]);
    const maintenanceFailure = this.#now?.maintenanceFailure;
    return {
      ...(Object.fromEntries(counted) as Counters),
      maintenanceFailure,
      blocks,
      segments,
      segmentBytes,
      subjects,
      lagSeconds,
    };
  }
}
