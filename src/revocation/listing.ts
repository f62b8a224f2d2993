/** The list of revocations that `GET /api/v1/revocations` returns, and a client for it. */
import { type Revocation, revocationOfEntry } from '../auth/revocation-text.js';
import type { RevocationKeeper } from './keeper.js';

const PAGE_MAX = 5_000;
const ANSWER_MAX_MS = 10_000;

/** The body of `/api/v1/revocations`. Times are RFC 3339 in UTC; without `expires` an entry never ends. */
export interface RevocationsBody {
  readonly revocations: readonly {
    readonly by: string;
    readonly value: string;
    readonly at: string;
    readonly expires?: string | undefined;
    readonly author?: string | undefined;
    readonly reason?: string | undefined;
  }[];
  /** The query parameter `after` for the next page; absent on the last page. */
  readonly next?: string | undefined;
}

export function revocationsPage(keeper: RevocationKeeper, after: string): RevocationsBody | undefined {
  const page = keeper.page(after, PAGE_MAX);
  if (page === undefined) return undefined;
  const revocations = page.revocations.map(revocation => {
    const { by, value, atMs, author, reason } = revocation;
    return { by, value, at: timeOf(atMs), expires: timeText(keeper.expiresAtMs(revocation)), author, reason };
  });
  return { revocations, next: page.next };
}

/** Undefined for a time without end. */
export function timeText(ms: number): string | undefined {
  return ms === Number.POSITIVE_INFINITY ? undefined : timeOf(ms);
}

/**
 * All pages of the list from an admin server, entry by entry.
 * @param admin `http://<host>:<port>`
 * @returns undefined if it has no such list. @throws {Error} if its answer is not as expected.
 */
export async function fetchRevocations(
  admin: string,
  token: string | undefined,
): Promise<RevocationsBody['revocations'] | undefined> {
  const all: RevocationsBody['revocations'][number][] = [];
  let after = '';
  for (;;) {
    const response = await fetch(`${admin}/api/v1/revocations?after=${encodeURIComponent(after)}`, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(ANSWER_MAX_MS),
    });
    if (response.status === 404) return undefined;
    if (response.status === 401) throw new Error('it has another ADMIN_TOKEN');
    const { revocations, next } = (await response.json()) as Partial<RevocationsBody>;
    if (response.status !== 200 || !Array.isArray(revocations)) throw new Error(`it answers ${response.status}`);
    all.push(...revocations);
    if (next === undefined) return all;
    after = next;
  }
}

/** Converts entries to revocations. @throws {Error} if one is invalid */
export function entriesOf(revocations: RevocationsBody['revocations']): readonly Revocation[] {
  return revocations.map(entry => {
    const revocation = revocationOfEntry(entry);
    if (revocation === undefined) throw new Error('it lists an invalid revocation');
    return revocation;
  });
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
