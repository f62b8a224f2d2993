/** How a request is refused, before the upgrade or behind it. */
import type { ErrorCode, HttpCode, RefusalStatus } from '../protocol/codes.js';

/** An answer instead of an upgrade. */
export interface Refusal {
  readonly status: RefusalStatus;
  readonly code: ErrorCode | HttpCode;
  readonly message: string;
  readonly retryAfterSeconds?: number;
}

export const refusal = (status: Refusal['status'], code: Refusal['code'], message: string): Refusal => ({
  status,
  code,
  message,
});

const NAMED_MAX = 20;

/** The first few names, so that an answer stays short whatever was asked. */
export function shorten(names: readonly string[]): string {
  const named = names.slice(0, NAMED_MAX).map(name => name.slice(0, 64));
  const more = names.length - named.length;
  return more > 0 ? `${named.join(', ')} and ${more} more` : named.join(', ');
}
