/** Who a connection belongs to, and what it may subscribe to. */
import { DELAYED } from '../protocol/entitlement.js';
import { ALL_SYMBOLS, isName, STREAMS, type Stream, sourceKindOf, symbolMatcher } from '../protocol/topics.js';
import type { Tier } from '../protocol/view-options.js';
import type { DeclaredUse } from './declared-use.js';
import { NO_PRODUCTS, type Product, type Products } from './product.js';

/** Longest token id, in UTF-16 code units. */
export const SUBJECT_LENGTH_MAX = 256;

export interface Credential extends DeclaredUse {
  /** The user; '' for an anonymous connection. */
  readonly sub: string;
  readonly tier: Tier;
  readonly roles: readonly string[];
  /**
   * `stream:pattern` texts, each accepted by `isEntitlement`; empty: none. Undefined: it has none of its own, so
   * `AUTH_DEFAULT_ENTITLEMENTS` applies.
   */
  readonly entitlements: readonly string[] | undefined;
  /** When the credential expires, ms since the Unix epoch and within the range of `Date`; Infinity: never. */
  readonly expiresAtMs: number;
  /**
   * When it was issued (a token's `iat`, an API key's `created_at`), ms since the Unix epoch; undefined if it does not
   * say.
   */
  readonly issuedAtMs: number | undefined;
  /** The token's id, by which it can be revoked. */
  readonly jti: string | undefined;
  /** The API key's id, by which it can be revoked; undefined for a token. */
  readonly apiKeyId: string | undefined;
  /** The fingerprint of the authority that issued a client certificate; undefined if it is unknown, and for others. */
  readonly authority?: string | undefined;
}

/** The credential of a connection without one. It holds only optional access, so no quotes. */
export const ANONYMOUS: Credential = Object.freeze({
  sub: '',
  tier: 'retail',
  roles: Object.freeze([]),
  entitlements: Object.freeze(['trades:*', 'orderbook:*', 'depth:*', 'delayed:*']),
  expiresAtMs: Number.POSITIVE_INFINITY,
  issuedAtMs: undefined,
  jti: undefined,
  apiKeyId: undefined,
});

/** Grants trades with their parties and fees, and thereby all trades. Only this text does; wildcards do not. */
export const FULL_TRADES = 'trades:full';

/** Streams that always need a credential, whatever an entitlement says. */
const NEEDS_USER: ReadonlySet<Stream> = new Set(['quotes', 'orders', 'analytics', 'rooms']);
/** Clients choose these names, which become part of NATS subjects: a wildcard would match everyone's. */
const NAMED_BY_CLIENTS: ReadonlySet<Stream> = new Set(['orders', 'rooms']);

/** What a credential may see, compiled once per credential so that a check takes a few comparisons. */
export interface Entitlements {
  /** All that is granted: by the credential, or by default, and by its roles. */
  readonly granted: readonly string[];
  /** What of it the policy withholds: `stream:pattern` texts of market data that require a role which the credential lacks. */
  readonly reserved: readonly string[];
  /** True if trades include their parties and fees. */
  readonly hasFullTrades: boolean;
  /**
   * True if the topic may be seen in real time. `name` is the topic's: a symbol, a user, a channel or a room. It may be
   * `*`, every symbol of the stream; only a pattern that matches everything grants that. Users always have their own
   * orders only.
   */
  maySubscribe(stream: Stream, name: string): boolean;
  /** The products that a topic belongs to. */
  productsOf(stream: Stream, name: string): readonly Product[];
  /** How late the credential may see a topic that `maySubscribe` refuses, ms; 0: not at all. */
  delayMsOf(stream: Stream, name: string): number;
  /** The product that keeps a topic from being seen in real time; undefined: it may be, or no product is the reason. */
  lacksProduct(stream: Stream, name: string): Product | undefined;
  /** Of a topic that is granted, but only with one of these roles, which the credential lacks; empty for others. */
  lacksRoles(stream: Stream, name: string): readonly string[];
}

/** Which roles the operator requires for topics. */
export interface TopicPolicy {
  /**
   * True if every pattern that matches the topic lists one of `roles`. For `*`, every topic of the stream, every
   * pattern of the stream counts as matching.
   */
  allows(roles: readonly string[], stream: Stream, name: string): boolean;
  /** The roles of the first pattern that does not: one of them is required. Empty if the topic is allowed. */
  requires(roles: readonly string[], stream: Stream, name: string): readonly string[];
  /** The `stream:pattern` texts of market data whose topics none of these roles opens. */
  reserves(roles: readonly string[]): readonly string[];
  /** Entitlements that these roles add to those of a credential. */
  grants(roles: readonly string[]): readonly string[];
}

/** For gateways without a policy file. */
export const NO_POLICY: TopicPolicy = { allows: () => true, requires: () => [], reserves: () => [], grants: () => [] };

/**
 * Compiles what a credential may see: its entitlements or the defaults, and what its roles add. Texts that
 * `isEntitlement` refuses grant nothing.
 * @param defaults the entitlements of a credential that has none of its own
 */
export function compileEntitlements(
  credential: Credential,
  policy: TopicPolicy = NO_POLICY,
  defaults: readonly string[] = [],
  products: Products = NO_PRODUCTS,
): Entitlements {
  const { sub, roles } = credential;
  const entitlements = [...(credential.entitlements ?? defaults), ...policy.grants(roles)];
  const isGranted = grants(entitlements);
  const isDelayGranted = symbolMatcher(patternsOf(entitlements, DELAYED));
  const mayExist = (stream: Stream, name: string): boolean => {
    if (sub === '' && NEEDS_USER.has(stream)) return false;
    if (stream === 'orders' && name !== sub) return false;
    return !NAMED_BY_CLIENTS.has(stream) || isName(sourceKindOf(stream), name);
  };
  const lacked = (stream: Stream, name: string): Product | undefined =>
    products.of(stream, name).find(product => !mayHaveNow(credential, product));
  return {
    granted: Object.freeze([...new Set(entitlements)]),
    reserved: policy.reserves(roles),
    productsOf: (stream, name) => products.of(stream, name),
    hasFullTrades: entitlements.includes(FULL_TRADES),
    maySubscribe: (stream, name) =>
      mayExist(stream, name) &&
      isGranted(stream, name) &&
      policy.allows(roles, stream, name) &&
      lacked(stream, name) === undefined,
    delayMsOf(stream, name) {
      // Symbols have different delays, so there is no delayed topic of all of them.
      const of = name === ALL_SYMBOLS ? [] : products.of(stream, name);
      if (of.length === 0 || !mayExist(stream, name) || !policy.allows(roles, stream, name)) return 0;
      if (isGranted(stream, name) && lacked(stream, name) === undefined) return 0;
      return Math.min(...of.map(({ code, delayMs = 0 }) => (isDelayGranted(code) ? delayMs : 0))) === 0
        ? 0
        : Math.max(...of.map(({ delayMs = 0 }) => delayMs));
    },
    lacksProduct(stream, name) {
      if (isGranted(stream, name)) return lacked(stream, name);
      return name === ALL_SYMBOLS ? undefined : products.of(stream, name)[0];
    },
    lacksRoles: (stream, name) => (isGranted(stream, name) ? policy.requires(roles, stream, name) : []),
  };
}

/** True if the credential may have the topic, in real time or late. */
export function mayHave(entitlements: Entitlements, stream: Stream, name: string): boolean {
  return entitlements.maySubscribe(stream, name) || entitlements.delayMsOf(stream, name) > 0;
}

/** Vendors want to know who sees their data in real time, so anonymous clients get a product late if it has a delay. */
function mayHaveNow({ sub, use, professional }: Credential, product: Product): boolean {
  if (sub === '' && product.delayMs !== undefined) return false;
  if (product.use !== undefined && product.use !== use) return false;
  return product.professional === undefined || product.professional === professional;
}

function patternsOf(entitlements: readonly string[], kind: string): string[] {
  const prefix = `${kind}:`;
  return entitlements.filter(text => text.startsWith(prefix)).map(text => text.slice(prefix.length));
}

function grants(entitlements: readonly string[]): (stream: Stream, name: string) => boolean {
  const matchers = new Map<Stream, (name: string) => boolean>();
  for (const stream of STREAMS) {
    const patterns = patternsOf(entitlements, stream);
    if (stream === 'trades' && entitlements.includes(FULL_TRADES)) patterns.push('*');
    if (patterns.length > 0) matchers.set(stream, symbolMatcher(patterns));
  }
  return (stream, name) => matchers.get(stream)?.(name) ?? false;
}
