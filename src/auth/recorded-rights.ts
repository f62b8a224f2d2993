/** What the journal records of a credential's rights. */
import { listedOf } from '../protocol/record-limits.js';
import type { Credential, Entitlements } from './credential.js';
import { declaredOf } from './declared-use.js';

const MICROS_PER_MS = 1_000;

/** Members of the record `authenticated` (src/journal/kinds.ts). */
export function rightsOf(credential: Credential, { granted, reserved }: Pick<Entitlements, 'granted' | 'reserved'>) {
  const { first: entitlements, ...more } = listedOf(granted);
  const { first: withheld, more: reserved_more } = listedOf(reserved);
  const { expiresAtMs } = credential;
  return {
    ...declaredOf(credential),
    entitlements,
    ...more,
    ...(withheld.length > 0 ? { reserved: withheld } : undefined),
    ...(reserved_more === undefined ? undefined : { reserved_more }),
    ...(Number.isFinite(expiresAtMs) ? { expires_at: Math.round(expiresAtMs * MICROS_PER_MS) } : undefined),
  };
}
