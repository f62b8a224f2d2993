/** What a reader must know before relying on a report's figures. */
import type { ReportedJournal, UsageReport } from './report-types.js';

/** One sentence each; empty: the report has none. */
export function reservations({ complete, month, journals, not_counted: left }: UsageReport): string[] {
  const lines: string[] = [];
  if (!complete) lines.push(`The month is not complete: no journal reaches the end of ${month} in every time zone.`);
  for (const journal of journals) lines.push(...ofJournal(journal));
  if (left.subscriptions_without_connection > 0) {
    lines.push(
      `${counted(left.subscriptions_without_connection, 'subscription')} could not be attributed: the connection began before the first record.`,
    );
  }
  if (left.credentials_with_cut_entitlements > 0) {
    lines.push(
      `${counted(left.credentials_with_cut_entitlements, 'credential')} had more rights than the journal lists: some users may have been entitled to other products than the report says.`,
    );
  }
  return lines;
}

function* ofJournal(journal: ReportedJournal): Generator<string> {
  const {
    folder,
    verified,
    faults,
    dropped_records: dropped,
    unreadable_lines: unreadable,
    clock_set_back: steps,
  } = journal;
  if (!verified) yield `${folder} is NOT as it was written: ${faults[0] ?? 'see millrace journal verify'}`;
  if (dropped > 0)
    yield `${folder}: the gateway could not write ${counted(dropped, 'record')}; use may be missing, or be counted for too long.`;
  if (steps > 0)
    yield `${folder}: the system clock was set back ${counted(steps, 'time')}; times and days of use may be wrong by as much, and use at once may be counted wrongly around it.`;
  if (unreadable > 0) yield `${folder}: ${counted(unreadable, 'line')} could not be read.`;
}

export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
