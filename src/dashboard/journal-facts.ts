/** The state of the journal, as facts. */
import type { JournalRow } from '../protocol/admin-rows.js';
import type { Fact } from './facts.js';
import { bytes, count, duration, UNKNOWN } from './format.js';

/** Records older than this wait for the disk: the alert MillraceJournalLag. */
const LAG_SECONDS_MAX = 5;
/** The alert MillraceCheckpointsOld. */
const CHECKPOINT_SECONDS_MAX = 300;

/** Empty where there is no journal. */
export function journalFacts(journal: JournalRow): Fact[] {
  if (journal.state === 'off') return [];
  const { checkpoint } = journal;
  const { age_seconds: age } = checkpoint;
  const isLate = age !== null && age > CHECKPOINT_SECONDS_MAX;
  return [
    { term: 'New connections', text: journal.refusing ? 'refused' : 'admitted', tone: journal.refusing ? 'bad' : '' },
    {
      term: 'Lag',
      text: duration(journal.lag_seconds),
      tone: journal.lag_seconds > LAG_SECONDS_MAX ? 'warn' : '',
    },
    { term: 'Records lost', text: count(journal.dropped), tone: journal.dropped === 0 ? '' : 'bad' },
    { term: 'Failed writes', text: count(journal.faults), tone: journal.faults === 0 ? '' : 'warn' },
    { term: 'Last checkpoint', text: age === null ? 'none yet' : `${duration(age)} ago`, tone: isLate ? 'bad' : '' },
    {
      term: 'Checkpoints sent',
      text: `${count(checkpoint.kept)}${checkpoint.waiting === 0 ? '' : `, ${count(checkpoint.waiting)} waiting`}`,
      tone: checkpoint.waiting === 0 ? '' : 'warn',
    },
    { term: 'Checkpoints lost', text: count(checkpoint.lost), tone: checkpoint.lost === 0 ? '' : 'bad' },
    {
      term: 'Clock',
      text: journal.clock_alarm ? 'error above CLOCK_DIVERGENCE_MAX, or unknown' : 'no alarm',
      tone: journal.clock_alarm ? 'bad' : '',
    },
    { term: 'Records since the start', text: count(journal.records) },
    { term: 'Written since the start', text: bytes(journal.bytes) },
    { term: 'Blocks in total', text: count(journal.blocks) },
    { term: 'Segments', text: count(journal.segments) },
    { term: 'Users and addresses', text: count(journal.subjects) },
    {
      term: 'Folder',
      text: `${journal.folder ?? UNKNOWN}${journal.takeover ? ' (another process writes the main journal)' : ''}`,
      isWide: true,
    },
  ];
}
