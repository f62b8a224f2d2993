/** Who a connection belongs to, and what it may subscribe to. */
import type { Tier } from '../protocol/lanes.js';
import { isStream, STREAMS, type Stream, symbolMatcher } from '../protocol/topics.js';

export interface Credential {
  /** The user; '' for an anonymous connection. */
  readonly sub: string;
  readonly tier: Tier;
  readonly roles: readonly string[];
  /** `stream:pattern` texts, each accepted by {@link isEntitlement}; undefined: every public stream. Empty: none. */
  readonly entitlements: readonly string[] | undefined;
  /** When the credential ends, ms since the Unix epoch; Infinity for an anonymous one. */
  readonly expiresAtMs: number;
  /** The token's id, by which it can be revoked. */
  readonly jti: string | undefined;
}

/** The credential of a connection that brought none: everything optional, so no quotes. */
export const ANONYMOUS: Credential = Object.freeze({
  sub: '',
  tier: 'retail',
  roles: Object.freeze([]),
  entitlements: Object.freeze(['trades:*', 'orderbook:*', 'depth:*']),
  expiresAtMs: Number.POSITIVE_INFINITY,
  jti: undefined,
});

/** Grants trades with their parties and fees, and with that all trades. Only this text does, no wildcard. */
export const FULL_TRADES = 'trades:full';

const PATTERN_LENGTH_MAX = 256;
/** Streams that a token may name although they are not market data. */
const OTHER_STREAMS: readonly string[] = ['orders', 'analytics', 'rooms'];

/** True for `stream:pattern` with a stream of the protocol and a pattern of visible ASCII that a subject can hold. */
export function isEntitlement(value: unknown): value is string {
  if (typeof value !== 'string') return false;
  const colon = value.indexOf(':');
  const stream = value.slice(0, Math.max(colon, 0));
  const patternLength = value.length - colon - 1;
  if (!isStream(stream) && !OTHER_STREAMS.includes(stream)) return false;
  if (patternLength < 1 || patternLength > PATTERN_LENGTH_MAX) return false;
  for (let i = colon + 1; i < value.length; i++) {
    const c = value.charCodeAt(i);
    if (c <= 0x20 || c >= 0x7f || c === 0x3e) return false;
  }
  return true;
}

/** What a credential may see, compiled once per credential so that a check is a few comparisons. */
export interface Entitlements {
  /** True when trades come with their parties and fees. */
  readonly hasFullTrades: boolean;
  /** `symbol` may be `*`, every symbol of the stream; only a pattern that is itself a wildcard for everything grants that. */
  maySubscribe(stream: Stream, symbol: string): boolean;
}

/** Compiles the credential's entitlements; texts that {@link isEntitlement} refuses grant nothing. */
export function compileEntitlements(credential: Credential): Entitlements {
  const { entitlements } = credential;
  if (entitlements === undefined) return EVERY_PUBLIC_STREAM;
  const hasFullTrades = entitlements.includes(FULL_TRADES);
  const matchers = new Map<Stream, (symbol: string) => boolean>();
  for (const stream of STREAMS) {
    const prefix = `${stream}:`;
    const patterns = entitlements.filter(text => text.startsWith(prefix)).map(text => text.slice(prefix.length));
    if (stream === 'trades' && hasFullTrades) patterns.push('*');
    if (patterns.length > 0) matchers.set(stream, symbolMatcher(patterns));
  }
  return { hasFullTrades, maySubscribe: (stream, symbol) => matchers.get(stream)?.(symbol) ?? false };
}

const EVERY_PUBLIC_STREAM: Entitlements = { hasFullTrades: false, maySubscribe: () => true };
