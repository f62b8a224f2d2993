/** Who a connection belongs to, and what it may subscribe to. */
import type { Tier } from '../protocol/lanes.js';
import { topicParts } from '../protocol/topic-parts.js';
import { isName, isStream, STREAMS, type Stream, sourceKindOf, symbolMatcher } from '../protocol/topics.js';
import { isUser } from '../protocol/user-subject.js';

/** How far a token's issuer's clock may be off. A token ends this long after its `exp`. */
export const CLOCK_TOLERANCE_MS = 5_000;
/** Longest token id, in UTF-16 code units. */
export const SUBJECT_LENGTH_MAX = 256;

export interface Credential {
  /** The user; '' for an anonymous connection. */
  readonly sub: string;
  readonly tier: Tier;
  readonly roles: readonly string[];
  /**
   * `stream:pattern` texts, each accepted by {@link isEntitlement}; undefined: every stream, and of orders the user's own.
   * Empty: none.
   */
  readonly entitlements: readonly string[] | undefined;
  /** When the credential ends, ms since the Unix epoch and within the range of `Date`; Infinity for one without end. */
  readonly expiresAtMs: number;
  /** When it says that it was issued (a token's `iat`, an API key's `created_at`), ms since the Unix epoch; undefined where it does not. */
  readonly issuedAtMs: number | undefined;
  /** The token's id, by which it can be revoked. */
  readonly jti: string | undefined;
  /** The API key's id, by which it can be revoked; undefined for a token. */
  readonly apiKeyId: string | undefined;
}

/** The credential of a connection that brought none: everything optional, so no quotes. */
export const ANONYMOUS: Credential = Object.freeze({
  sub: '',
  tier: 'retail',
  roles: Object.freeze([]),
  entitlements: Object.freeze(['trades:*', 'orderbook:*', 'depth:*']),
  expiresAtMs: Number.POSITIVE_INFINITY,
  issuedAtMs: undefined,
  jti: undefined,
  apiKeyId: undefined,
});

/** Grants trades with their parties and fees, and with that all trades. Only this text does, no wildcard. */
export const FULL_TRADES = 'trades:full';

const PATTERN_LENGTH_MAX = 256;
/** Control characters, white space, and NATS's wildcard for the rest of a subject. */
const NO_PATTERN = /[\p{Cc}\s>]/u;
/** What nobody sees without a credential, whatever an entitlement says. */
const NEEDS_USER: ReadonlySet<Stream> = new Set(['quotes', 'orders', 'analytics', 'rooms']);
/** Their names go into NATS subjects as clients spell them, where a wildcard would be everybody's. */
const NAMED_BY_CLIENTS: ReadonlySet<Stream> = new Set(['orders', 'rooms']);

/**
 * True for `stream:pattern` with a stream of the protocol and a pattern of valid UTF-8 without blanks, control characters and
 * `>`; of `orders`, whose names are users, any text that a user can be.
 */
export function isEntitlement(value: unknown): value is string {
  if (typeof value !== 'string') return false;
  const [stream, pattern] = topicParts(value);
  if (!isStream(stream)) return false;
  if (stream === 'orders') return isUser(pattern);
  return pattern.length >= 1 && pattern.length <= PATTERN_LENGTH_MAX && isUser(pattern) && !NO_PATTERN.test(pattern);
}

/** What a credential may see, compiled once per credential so that a check is a few comparisons. */
export interface Entitlements {
  /** True when trades come with their parties and fees. */
  readonly hasFullTrades: boolean;
  /**
   * `name` is the topic's: a symbol, a user, a channel or a room. It may be `*`, every symbol of the stream; only a pattern
   * that is itself a wildcard for everything grants that. Orders are the credential's own, always.
   */
  maySubscribe(stream: Stream, name: string): boolean;
}

/** Which roles the operator demands for topics. */
export interface TopicPolicy {
  /**
   * True when every pattern that matches the topic has one of `roles` among its own. `*` is every topic of the stream, so
   * every pattern of the stream counts as one that matches it.
   */
  allows(roles: readonly string[], stream: Stream, name: string): boolean;
}

/**
 * Compiles the credential's entitlements; texts that {@link isEntitlement} refuses grant nothing.
 * @param policy demands roles besides; none: no roles are needed.
 */
export function compileEntitlements(credential: Credential, policy?: TopicPolicy): Entitlements {
  const { sub, roles, entitlements } = credential;
  const isGranted = grants(entitlements);
  return {
    hasFullTrades: entitlements?.includes(FULL_TRADES) ?? false,
    maySubscribe(stream, name) {
      if (sub === '' && NEEDS_USER.has(stream)) return false;
      if (stream === 'orders' && name !== sub) return false;
      if (NAMED_BY_CLIENTS.has(stream) && !isName(sourceKindOf(stream), name)) return false;
      return isGranted(stream, name) && (policy?.allows(roles, stream, name) ?? true);
    },
  };
}

function grants(entitlements: readonly string[] | undefined): (stream: Stream, name: string) => boolean {
  if (entitlements === undefined) return () => true;
  const matchers = new Map<Stream, (name: string) => boolean>();
  for (const stream of STREAMS) {
    const prefix = `${stream}:`;
    const patterns = entitlements.filter(text => text.startsWith(prefix)).map(text => text.slice(prefix.length));
    if (stream === 'trades' && entitlements.includes(FULL_TRADES)) patterns.push('*');
    if (patterns.length > 0) matchers.set(stream, symbolMatcher(patterns));
  }
  return (stream, name) => matchers.get(stream)?.(name) ?? false;
}
