import type { JournalNumbers } from '../journal-numbers.js';
import { flag, type MetricGroup, type Scrape } from './metric.js';

const WITHOUT = 'without `JOURNAL_DIR`';

/** A number of the journal; no series without one. */
const of =
  (pick: (journal: JournalNumbers) => number | undefined) =>
  ({ main: { journal } }: Scrape): number | undefined =>
    journal === undefined ? undefined : pick(journal);

export const journalMetrics: MetricGroup = {
  title: 'Journal',
  metrics: [
    {
      name: 'millrace_journal_failing',
      type: 'gauge',
      help: '1 while the journal cannot be written or cannot keep up',
      more: 'With `JOURNAL_FAIL=closed`, new connections are refused with 503 while it is 1, and `/readyz` fails.',
      absent: WITHOUT,
      read: of(({ state }) => flag(state === 'failing')),
    },
    {
      name: 'millrace_journal_records_total',
      type: 'counter',
      help: 'Records written',
      absent: WITHOUT,
      read: of(({ records }) => records),
    },
    {
      name: 'millrace_journal_bytes_total',
      type: 'counter',
      help: 'Bytes written, before compression',
      absent: WITHOUT,
      read: of(({ bytes }) => bytes),
    },
    {
      name: 'millrace_journal_blocks',
      type: 'gauge',
      help: 'Blocks of the whole journal, including those of earlier processes',
      absent: WITHOUT,
      read: of(({ blocks }) => blocks),
    },
    {
      name: 'millrace_journal_dropped_total',
      type: 'counter',
      help: 'Records lost because the journal could not take them',
      more: 'A record `dropped` marks each loss in the journal.',
      absent: WITHOUT,
      read: of(({ dropped }) => dropped),
    },
    {
      name: 'millrace_journal_faults_total',
      type: 'counter',
      help: 'Writes that the disk refused',
      more: 'The gateway tries again each second.',
      absent: WITHOUT,
      read: of(({ faults }) => faults),
    },
    {
      name: 'millrace_journal_maintenance_failing',
      type: 'gauge',
      help: '1 while complete segments cannot be compressed, or old ones not removed',
      more: 'Old segments also stay while the clock is ahead of the time that has passed. The gateway tries again each minute.',
      absent: WITHOUT,
      read: of(({ maintenanceFailure }) => flag(maintenanceFailure !== undefined)),
    },
    {
      name: 'millrace_journal_restarts_total',
      type: 'counter',
      help: 'Times that the journal thread died and was replaced',
      absent: WITHOUT,
      read: of(({ restarts }) => restarts),
    },
    {
      name: 'millrace_journal_lag_seconds',
      type: 'gauge',
      help: 'Longest time, in the last second, from an event until its block was written',
      more: 'About 0.2 s is normal: threads collect records for 0.1 s, and so does the journal for a block.',
      absent: WITHOUT,
      read: of(({ lagSeconds }) => lagSeconds),
    },
    {
      name: 'millrace_journal_sealed_segments_total',
      type: 'counter',
      help: 'Segments completed',
      absent: WITHOUT,
      read: of(({ sealed }) => sealed),
    },
    {
      name: 'millrace_journal_segments',
      type: 'gauge',
      help: 'Segments in the folder',
      absent: WITHOUT,
      read: of(({ segments }) => segments),
    },
    {
      name: 'millrace_journal_segment_bytes',
      type: 'gauge',
      help: 'Bytes of the segments in the folder, as of the last checkpoint',
      absent: WITHOUT,
      read: of(({ segmentBytes }) => segmentBytes),
    },
    {
      name: 'millrace_journal_fsyncs_total',
      type: 'counter',
      help: 'Times that the journal was synced to the disk (fsync)',
      absent: WITHOUT,
      read: of(({ fsyncs }) => fsyncs),
    },
    {
      name: 'millrace_journal_fsync_seconds_total',
      type: 'counter',
      help: 'Time spent in fsync',
      absent: WITHOUT,
      read: of(({ fsyncSeconds }) => fsyncSeconds),
    },
    {
      name: 'millrace_journal_subjects',
      type: 'gauge',
      help: 'Users and addresses that have a pseudonym',
      absent: WITHOUT,
      read: of(({ subjects }) => subjects),
    },
    {
      name: 'millrace_journal_keyless_pseudonyms_total',
      type: 'counter',
      help: 'Pseudonyms whose key was not kept, because 500,000 users and addresses already have one',
      absent: WITHOUT,
      read: of(({ keyless }) => keyless),
    },
    {
      name: 'millrace_journal_checkpoint_age_seconds',
      type: 'gauge',
      help: 'Time since a signed checkpoint left this host, or since the start',
      absent: WITHOUT,
      read: of(({ checkpoint }) => checkpoint.ageSeconds),
    },
    {
      name: 'millrace_journal_checkpoints_total',
      type: 'counter',
      help: 'Signed checkpoints sent',
      absent: WITHOUT,
      read: of(({ checkpoint }) => checkpoint.kept),
    },
    {
      name: 'millrace_journal_checkpoint_failures_total',
      type: 'counter',
      help: 'Failed attempts to reach the stream of checkpoints, or to send one',
      absent: WITHOUT,
      read: of(({ checkpoint }) => checkpoint.failed),
    },
    {
      name: 'millrace_journal_checkpoints_waiting',
      type: 'gauge',
      help: 'Checkpoints waiting to be sent',
      more: 'At most a day’s worth; beyond that, the oldest are lost.',
      absent: WITHOUT,
      read: of(({ checkpoint }) => checkpoint.waiting),
    },
    {
      name: 'millrace_journal_checkpoints_lost_total',
      type: 'counter',
      help: 'Checkpoints lost because too many waited',
      absent: WITHOUT,
      read: of(({ checkpoint }) => checkpoint.lost),
    },
  ],
};
