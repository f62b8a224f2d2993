/**
 * Names of streamed data. A client topic is `stream:name`, where the name is a symbol (market data), a user (orders), a
 * channel (analytics) or a room. On the publisher's side there is a **source**, one NATS subject (`md.books.AAPL` is
 * the source of `orderbook:AAPL` and of every depth of `depth:AAPL`).
 */

import { SYMBOL_BYTES_MAX } from './content-limits.js';
import { isUser, userOfToken, userToken } from './user-subject.js';

export const STREAMS = ['quotes', 'trades', 'orderbook', 'depth', 'orders', 'analytics', 'rooms'] as const;
export type Stream = (typeof STREAMS)[number];

/** Market data, published on `md.<kind>.<symbol>`. */
export const MARKET_DATA_KINDS = ['quotes', 'trades', 'books'] as const;
/** What a publisher sends: market data, and the other kinds on `<kind>.<name>`. */
export const SOURCE_KINDS = [...MARKET_DATA_KINDS, 'orders', 'analytics', 'rooms'] as const;
export type SourceKind = (typeof SOURCE_KINDS)[number];

/** Channels of `analytics`, and the `type` of each channel's messages. */
export const CHANNELS = {
  'routing-metrics': 'routing-decision',
  'lp-performance': 'lp-metrics',
  'exposure-updates': 'exposure-update',
  alerts: 'alert',
} as const;
export type Channel = keyof typeof CHANNELS;

/** Stands for all symbols of an event stream (`trades:*`). No feed can publish it: NATS forbids it. */
export const ALL_SYMBOLS = '*';

/** The number of the source `trades:*`, in every shard and worker. */
export const ALL_TRADES_SOURCE = 0;

const MARKET_DATA_PREFIX = 'md.';

export function isStream(value: unknown): value is Stream {
  return STREAMS.includes(value as Stream);
}

export function isChannel(value: unknown): value is Channel {
  return typeof value === 'string' && Object.hasOwn(CHANNELS, value);
}

/** A state stream has a current document and may be conflated; an event stream is a log and never is. */
export function isStateStream(stream: Stream): boolean {
  return stream === 'quotes' || stream === 'orderbook' || stream === 'depth';
}

/** Streams whose names are symbols, known from a feed or the configuration. */
export function isMarketData(stream: Stream): boolean {
  return isStateStream(stream) || stream === 'trades';
}

export function sourceKindOf(stream: Stream): SourceKind {
  return stream === 'orderbook' || stream === 'depth' ? 'books' : stream;
}

export function isStateSource(kind: SourceKind): boolean {
  return kind === 'quotes' || kind === 'books';
}

/** Sources that are followed at NATS on demand only: there may be one per user, and one per room. */
export function isOnDemand(kind: SourceKind): boolean {
  return kind === 'orders' || kind === 'rooms';
}

/** True for a subject of a log: missing messages must be announced. */
export function isEventSubject(subject: string): boolean {
  return subject.startsWith('md.') ? subject.startsWith('md.trades.') : true;
}

/** Sources of symbols. */
export function isMarketDataKind(kind: SourceKind): boolean {
  return isStateSource(kind) || kind === 'trades';
}

/** The one name that JavaScript clients cannot use as a member of a document. */
const UNSAFE_NAME = '__proto__';
/** No blanks, control characters, NATS wildcards, or unpaired surrogates. */
const USABLE = /^[^\s\p{Cc}\p{Surrogate}*>]+$/u;
const LAST_ASCII = 0x7f;

/**
 * A symbol, or another topic's name: 1 to 128 bytes of UTF-8 that NATS accepts inside a subject: no blank, control
 * character, `*` or `>`, no empty part between dots.
 */
export function isSymbol(value: unknown): value is string {
  if (typeof value !== 'string' || value.length === 0 || value.length > SYMBOL_BYTES_MAX) return false;
  let previous = 0x2e;
  let bytes = 0;
  let isAscii = true;
  for (let i = 0; i < value.length; i++) {
    const c = value.charCodeAt(i);
    if (c <= 0x20 || c === LAST_ASCII || c === 0x2a || c === 0x3e) return false;
    if (c === 0x2e && previous === 0x2e) return false;
    // Each half of a surrogate pair counts as two of its four bytes.
    bytes += c <= LAST_ASCII ? 1 : c < 0x800 || (c >= 0xd800 && c <= 0xdfff) ? 2 : 3;
    isAscii &&= c <= LAST_ASCII;
    previous = c;
  }
  if (previous === 0x2e || bytes > SYMBOL_BYTES_MAX || value === UNSAFE_NAME) return false;
  return isAscii || USABLE.test(value);
}

interface Source {
  readonly kind: SourceKind;
  readonly symbol: string;
}

/**
 * `md.books.BTC/USDT` → `{kind:'books', symbol:'BTC/USDT'}`, `orders.alice` → `{kind:'orders', symbol:'alice'}`. A name
 * may contain dots, and a user is escaped (user-subject.ts). Anything else → undefined.
 */
export function parseSubject(subject: string): Source | undefined {
  const isMarket = subject.startsWith(MARKET_DATA_PREFIX);
  const start = isMarket ? MARKET_DATA_PREFIX.length : 0;
  const dot = subject.indexOf('.', start);
  if (dot < 0) return undefined;
  const kind = subject.slice(start, dot) as SourceKind;
  const symbol = kind === 'orders' ? userOfToken(subject.slice(dot + 1)) : subject.slice(dot + 1);
  if (!SOURCE_KINDS.includes(kind) || isMarketDataKind(kind) !== isMarket) return undefined;
  if (symbol === undefined || !isName(kind, symbol)) return undefined;
  return kind === 'analytics' && !isChannel(symbol) ? undefined : { kind, symbol };
}

/** A subject of market data whose last part is not a symbol: its messages reach no client. */
export function hasUnusableName(subject: string): boolean {
  const kind = MARKET_DATA_KINDS.find(name => subject.startsWith(`${MARKET_DATA_PREFIX}${name}.`));
  return kind !== undefined && !isSymbol(subject.slice(MARKET_DATA_PREFIX.length + kind.length + 1));
}

export function subjectOf(kind: SourceKind, symbol: string): string {
  if (kind === 'orders') return `orders.${userToken(symbol)}`;
  return isMarketDataKind(kind) ? `${MARKET_DATA_PREFIX}${kind}.${symbol}` : `${kind}.${symbol}`;
}

/** True for a valid topic name of the kind: rules for users differ from those for symbols and rooms. */
export function isName(kind: SourceKind, name: string): boolean {
  return kind === 'orders' ? isUser(name) : isSymbol(name);
}

export function topicOf(stream: Stream, symbol: string): string {
  return `${stream}:${symbol}`;
}

/** Escapes one JSON Pointer token (RFC 6901 section 3). */
export function pointerToken(text: string): string {
  if (!text.includes('~') && !text.includes('/')) return text;
  return text.replaceAll('~', '~0').replaceAll('/', '~1');
}

/**
 * Compiles symbol patterns (`AAPL`, `BTC/*`; `*` matches any run of characters) into one predicate.
 * Takes linear time for every pattern: no backtracking that a hostile pattern could blow up.
 */
export function symbolMatcher(patterns: readonly string[]): (symbol: string) => boolean {
  const exact = new Set(patterns.filter(p => !p.includes('*')));
  const wild = patterns.filter(p => p.includes('*')).map(p => p.split('*'));
  return symbol => exact.has(symbol) || wild.some(parts => matchesParts(symbol, parts));
}

function matchesParts(text: string, parts: readonly string[]): boolean {
  const first = parts[0] ?? '';
  const last = parts[parts.length - 1] ?? '';
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  let at = first.length;
  const end = text.length - last.length;
  for (let i = 1; i < parts.length - 1; i++) {
    const part = parts[i] ?? '';
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
