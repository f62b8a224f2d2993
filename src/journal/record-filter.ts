/** Selects records of a connection, a user, a period and kinds from one chain. */
import type { ReadRecord } from './read.js';
import type { TimeRange } from './segment-times.js';

export interface Selection {
  readonly connection: string | undefined;
  /** A pseudonym. */
  readonly user: string | undefined;
  readonly kinds: ReadonlySet<string> | undefined;
  readonly period: TimeRange;
}

/** What to read: a user's connections may have begun before the period. */
export function readPeriodOf({ user, period }: Selection): TimeRange {
  return user === undefined ? period : { ...period, from: 0 };
}

export class RecordFilter {
  readonly #selection: Selection;
  /** The user's open connections: their records name the connection only. */
  readonly #connections = new Set<unknown>();

  constructor(selection: Selection) {
    this.#selection = selection;
  }

  /** Expects the records of a chain in the order of its files. */
  takes({ t, record }: ReadRecord): boolean {
    const { connection, user, kinds, period } = this.#selection;
    const isUsers = user === undefined || this.#isOf(user, record);
    if (!isUsers || t < period.from || t > period.to) return false;
    if (connection !== undefined && record.c !== connection) return false;
    return kinds === undefined || kinds.has(String(record.k));
  }

  #isOf(user: string, { c, k, user: named }: ReadRecord['record']): boolean {
    if (named === user && c !== undefined) this.#connections.add(c);
    const isUsers = named === user || this.#connections.has(c);
    if (k === 'closed') this.#connections.delete(c);
    return isUsers;
  }
}
