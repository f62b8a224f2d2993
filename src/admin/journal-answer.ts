/** The journal, as the admin API shows it. */
import type { JournalNumbers } from '../observe/journal-numbers.js';
import type { JournalRow } from '../protocol/admin-rows.js';
import type { MainParts } from './main-stats.js';

const OFF: Omit<JournalRow, 'clock_alarm'> = {
  state: 'off',
  folder: null,
  takeover: false,
  failure: null,
  maintenance_failure: null,
  refusing: false,
  lag_seconds: 0,
  records: 0,
  bytes: 0,
  blocks: 0,
  segments: 0,
  segment_bytes: 0,
  sealed: 0,
  dropped: 0,
  faults: 0,
  restarts: 0,
  subjects: 0,
  checkpoint: { age_seconds: null, kept: 0, failed: 0, waiting: 0, lost: 0 },
};

export function journalAnswer({ journal }: Pick<MainParts, 'journal'>): JournalRow {
  const { numbers, isClockAlarming } = journal;
  return { ...(numbers === undefined ? OFF : rowOf(numbers)), clock_alarm: isClockAlarming };
}

function rowOf(numbers: JournalNumbers): Omit<JournalRow, 'clock_alarm'> {
  const { ageSeconds, ...checkpoint } = numbers.checkpoint;
  return {
    state: numbers.state,
    folder: numbers.folder,
    takeover: numbers.isTakeover,
    failure: numbers.failure ?? null,
    maintenance_failure: numbers.maintenanceFailure ?? null,
    refusing: numbers.isRefusing,
    lag_seconds: hundredths(numbers.lagSeconds),
    records: numbers.records,
    bytes: numbers.bytes,
    blocks: numbers.blocks,
    segments: numbers.segments,
    segment_bytes: numbers.segmentBytes,
    sealed: numbers.sealed,
    dropped: numbers.dropped,
    faults: numbers.faults,
    restarts: numbers.restarts,
    subjects: numbers.subjects,
    checkpoint: { age_seconds: hundredths(ageSeconds), ...checkpoint },
  };
}

const hundredths = (seconds: number) => Math.round(seconds * 100) / 100;
