/** How a request is refused, before or after the upgrade. */
import type { Entitlements } from '../auth/credential.js';
import { type Product, productText } from '../auth/product.js';
import type { ErrorCode, HttpCode, RefusalStatus } from '../protocol/codes.js';
import type { Stream } from '../protocol/topics.js';
import type { Tier } from '../protocol/view-options.js';

/** The HTTP answer to a refused upgrade. */
export interface Refusal {
  readonly status: RefusalStatus;
  readonly code: ErrorCode | HttpCode;
  readonly message: string;
  /** Code of the product that the credential lacks. */
  readonly product?: string;
  /** May be a fraction: `Retry-After` is rounded up, `reconnect_after_ms` is exact. */
  readonly retryAfterSeconds?: number;
  /** Whose request it was, where that is known: for the log. */
  readonly by?: { readonly user: string; readonly tier: Tier; readonly roles: readonly string[] };
}

export const refusal = (status: Refusal['status'], code: Refusal['code'], message: string): Refusal => ({
  status,
  code,
  message,
});

/** The refusal of a request whose credential was accepted; anything else unchanged. */
export function refusedTo<T extends object>(
  outcome: T | Refusal,
  { sub, tier, roles }: { readonly sub: string; readonly tier: Tier; readonly roles: readonly string[] },
): T | Refusal {
  return 'status' in outcome ? { ...outcome, by: { user: sub, tier, roles } } : outcome;
}

/** Topics that a credential may not have for the same reason. */
export interface Denial {
  readonly names: readonly string[];
  /** Says the product, or the role, that would help. */
  readonly message: string;
  /** Code of the product that the credential lacks. */
  readonly product: string | undefined;
}

/** Why a credential may not have these topics: a denial for each product that they belong to, and one for the rest. */
export function denialsOf(entitlements: Entitlements, stream: Stream, names: readonly string[]): readonly Denial[] {
  const byProduct = new Map<Product | undefined, string[]>();
  for (const name of names) {
    const product = entitlements.lacksProduct(stream, name);
    const others = byProduct.get(product);
    if (others === undefined) byProduct.set(product, [name]);
    else others.push(name);
  }
  return [...byProduct].map(([product, of]) => ({
    names: of,
    message: product === undefined ? notEntitled(entitlements, stream, of) : lacksProduct(product, stream, of),
    product: product?.code,
  }));
}

function lacksProduct(product: Product, stream: Stream, names: readonly string[]): string {
  return `not entitled to ${stream} of ${shorten(names)}: ${productText(product)}`;
}

function notEntitled(entitlements: Entitlements, stream: Stream, names: readonly string[]): string {
  const what = `not entitled to ${stream} of ${shorten(names)}`;
  const required = names.map(name => entitlements.lacksRoles(stream, name)).find(({ length }) => length > 0);
  return required === undefined ? what : `${what}: requires one of the roles ${shorten(required)}`;
}

const NAMED_MAX = 20;

/** The first few names, which keeps a reply short however many were requested. */
export function shorten(names: readonly string[]): string {
  const named = names.slice(0, NAMED_MAX).map(name => name.slice(0, 64));
  const more = names.length - named.length;
  return more > 0 ? `${named.join(', ')} and ${more} more` : named.join(', ');
}
