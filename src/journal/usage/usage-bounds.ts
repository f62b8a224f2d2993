/** What a report holds in memory at most. Beyond it, the command ends with a message instead of running out of memory. */

/** A row is a product as one user of one firm, in one status, used it: some 500 bytes. */
export const ROWS_MAX = 500_000;
export const OPEN_CONNECTIONS_MAX = 500_000;
/** Topics of all open connections together. */
export const OPEN_SUBSCRIPTIONS_MAX = 4_000_000;
/** Users and addresses, and the addresses of all rows together. */
export const SUBJECTS_MAX = 2_000_000;
export const ROW_LOCATIONS_MAX = 4_000_000;
/** Minutes of one journal: some ten years. */
export const MINUTES_MAX = 6_000_000;
/** Journals in one report. */
export const JOURNALS_MAX = 256;

/** More than a report may hold. */
export class UsageBoundError extends Error {
  override readonly name = 'UsageBoundError';
}

/** @throws {UsageBoundError} */
export function refuseBeyond(count: number, max: number, what: string): void {
  if (count <= max) return;
  throw new UsageBoundError(
    `the journals have more than ${max} ${what}, the most that one report can hold; report fewer products or journals at a time`,
  );
}
