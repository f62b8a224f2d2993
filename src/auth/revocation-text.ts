/** Revocations as texts: orders of `control.revoke`, and entries in stores and lists. */
import { createHash } from 'node:crypto';
import { REVOCATION_NOTE_LENGTH_MAX } from '../protocol/content-limits.js';
import { isUser } from '../protocol/user-subject.js';
import { apiKeyIdOf } from './api-key-text.js';
import { SUBJECT_LENGTH_MAX } from './credential.js';

/** What a revocation ends: a user's credentials issued until then, one token, or one API key. */
export const REVOCATION_KINDS = ['sub', 'jti', 'api_key'] as const;
export type RevocationKind = (typeof REVOCATION_KINDS)[number];

export interface Revocation {
  readonly by: RevocationKind;
  /** The user, the token's id, or the API key's id. */
  readonly value: string;
  /** When it was ordered, ms since the Unix epoch. */
  readonly atMs: number;
  /** Who ordered it, and why, according to the order. */
  readonly author?: string;
  readonly reason?: string;
}

/**
 * The revocation in an order of `control.revoke`: exactly one of `sub`, `jti` and `api_key` (a key's id or a whole
 * key), and optionally `author` and `reason`. Undefined for anything else.
 */
export function revocationOf(order: unknown, atMs: number): Revocation | undefined {
  const target = targetOf(order);
  if (target === undefined) return undefined;
  const { author, reason } = order as Readonly<Record<string, unknown>>;
  return Object.freeze({ ...target, atMs, ...notes(author, reason) });
}

/** The entry in stores and lists: JSON with `by`, `value`, `at` (RFC 3339), `author` and `reason`. */
export function revocationText({ by, value, atMs, author, reason }: Revocation): string {
  return JSON.stringify({ by, value, at: new Date(atMs).toISOString(), author, reason });
}

/** Parses what {@link revocationText} wrote; undefined for anything else. */
export function parseRevocation(text: string): Revocation | undefined {
  try {
    return revocationOfEntry(JSON.parse(text));
  } catch {
    // The caller reports an unreadable entry.
    return undefined;
  }
}

/** Like {@link parseRevocation}, for a parsed entry. */
export function revocationOfEntry(entry: unknown): Revocation | undefined {
  if (typeof entry !== 'object' || entry === null) return undefined;
  const { by, value, at, author, reason } = entry as Readonly<Record<string, unknown>>;
  if (!REVOCATION_KINDS.includes(by as RevocationKind) || typeof at !== 'string') return undefined;
  const target = targetOf({ [by as RevocationKind]: value });
  const atMs = Date.parse(at);
  if (target === undefined || target.value !== value || Number.isNaN(atMs)) return undefined;
  return Object.freeze({ ...target, atMs, ...notes(author, reason) });
}

/** Equal for revocations of the same credential or user, and for no others; a valid key of a NATS bucket. */
export function revocationKey({ by, value }: Pick<Revocation, 'by' | 'value'>): string {
  return `${by}.${createHash('sha256').update(value).digest('base64url')}`;
}

function targetOf(order: unknown): Pick<Revocation, 'by' | 'value'> | undefined {
  if (typeof order !== 'object' || order === null) return undefined;
  const [by, ...others] = REVOCATION_KINDS.filter(kind => Object.hasOwn(order, kind));
  if (by === undefined || others.length > 0) return undefined;
  const given = (order as Readonly<Record<string, unknown>>)[by];
  if (typeof given !== 'string' || given === '') return undefined;
  if (by === 'sub' ? !isUser(given) : given.length > SUBJECT_LENGTH_MAX) return undefined;
  const value = by === 'api_key' ? apiKeyIdOf(given) : given;
  return value === undefined ? undefined : { by, value };
}

function notes(author: unknown, reason: unknown): Pick<Revocation, 'author' | 'reason'> {
  return { ...(isNote(author) && { author: cut(author) }), ...(isNote(reason) && { reason: cut(reason) }) };
}

function isNote(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** A long reason must not make an order fail. */
function cut(text: string): string {
  return text.slice(0, REVOCATION_NOTE_LENGTH_MAX);
}
