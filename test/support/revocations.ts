import { revocationOf } from '../../src/auth/revocation-text.js';
import { type CredentialLives, RevocationList, type RevocationListOptions } from '../../src/auth/revocations.js';

/** How far clocks may be apart by default. */
export const CLOCK_TOLERANCE_MS = 5_000;

/** What is revoked stays so, unless told otherwise. */
export function revocationList(
  lives: Partial<CredentialLives> = {},
  options: Omit<RevocationListOptions, 'lives'> = {},
): RevocationList {
  return new RevocationList({
    lives: { tokenMaxAgeMs: undefined, hasLongLived: false, clockToleranceMs: CLOCK_TOLERANCE_MS, ...lives },
    ...options,
  });
}

/** Has the list take an order of `control.revoke`. @throws {Error} where it is none */
export function revoke(list: RevocationList, order: unknown, atMs = Date.now()) {
  const revocation = revocationOf(order, atMs);
  if (revocation === undefined) throw new Error(`no revocation: ${JSON.stringify(order)}`);
  return list.take(revocation);
}
