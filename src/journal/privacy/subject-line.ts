/** The lines of the subjects' file. None names a subject. */

const DAY_MS = 86_400_000;
const DAY_LENGTH = 10;

const SUBJECT_KINDS = ['user', 'address'] as const;
export type SubjectKind = (typeof SUBJECT_KINDS)[number];

/** A subject, as the lines about it say. */
export interface Subject {
  readonly kind: SubjectKind;
  /** Keyed hash that finds the subject. */
  readonly index: string;
  /** Its key, wrapped by a master key. */
  readonly key: string;
  /** When it was first and last seen, in days since the Unix epoch. */
  readonly since: number;
  readonly seen: number;
  /** Why it must not be erased: time and reason; undefined when it may. */
  readonly held: string | undefined;
}

/** `seen` and `held` also stand alone, about a subject of an earlier line; `held: null` ends a hold. */
interface Line {
  readonly index?: unknown;
  readonly kind?: unknown;
  readonly key?: unknown;
  readonly since?: unknown;
  readonly seen?: unknown;
  readonly held?: unknown;
}

export const dayOf = (unixMs: number): number => Math.floor(unixMs / DAY_MS);

/** `2026-11-30` */
export const dayText = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, DAY_LENGTH);

export function lineOf({ index, kind, key, since, seen, held }: Subject): string {
  return JSON.stringify({ index, kind, key, since: dayText(since), seen: dayText(seen), held });
}

export const seenLine = (index: string, day: number): string => JSON.stringify({ index, seen: dayText(day) });

export const heldLine = (index: string, held: string | undefined): string =>
  JSON.stringify({ index, held: held ?? null });

/**
 * Adds what a line says to the subjects. The first key of a subject counts: two processes may give it one at the same time.
 * @returns false when the line is damaged. A line that a crash has cut says nothing
 */
export function takeLine(subjects: Map<string, Subject>, text: string): boolean {
  const line = parsed(text);
  if (line === undefined) return !text.endsWith('}');
  const { index, key, held } = line;
  if (typeof index !== 'string') return false;
  const known = subjects.get(index);
  const seen = dayIn(line.seen);
  if (known === undefined) {
    const since = dayIn(line.since);
    // About a subject that has been erased.
    if (key === undefined) return seen !== undefined || held !== undefined;
    const kind = SUBJECT_KINDS.find(one => one === line.kind);
    if (typeof key !== 'string' || kind === undefined || since === undefined || seen === undefined) return false;
    subjects.set(index, { kind, index, key, since, seen, held: typeof held === 'string' ? held : undefined });
    return true;
  }
  const nowHeld = held === undefined ? known.held : typeof held === 'string' ? held : undefined;
  subjects.set(index, { ...known, seen: Math.max(known.seen, seen ?? known.seen), held: nowHeld });
  return true;
}

function parsed(text: string): Line | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function dayIn(value: unknown): number | undefined {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : dayOf(ms);
}
