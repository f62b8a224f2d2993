/**
 * Names of what is streamed. A client topic is `stream:symbol`; the publisher's side of it is a **source**, one NATS
 * subject (`md.books.AAPL` is the source of `orderbook:AAPL` and of every depth of `depth:AAPL`).
 */

export const STREAMS = ['quotes', 'trades', 'orderbook', 'depth'] as const;
export type Stream = (typeof STREAMS)[number];

/** What a publisher sends; the middle token of `md.<source>.<symbol>`. */
export const SOURCE_KINDS = ['quotes', 'trades', 'books'] as const;
export type SourceKind = (typeof SOURCE_KINDS)[number];

/** The symbol that stands for all symbols of an event stream (`trades:*`). No feed can publish it: NATS forbids it. */
export const ALL_SYMBOLS = '*';

/** The number of the source `trades:*`, in every shard and worker. */
export const ALL_TRADES_SOURCE = 0;

const SUBJECT_PREFIX = 'md.';
/** Longest symbol accepted from a feed or a client, in UTF-16 code units. */
export const SYMBOL_LENGTH_MAX = 64;

export function isStream(value: unknown): value is Stream {
  return STREAMS.includes(value as Stream);
}

/** A state stream has a current document and may be conflated; an event stream is a log and never is. */
export function isStateStream(stream: Stream): boolean {
  return stream !== 'trades';
}

export function sourceKindOf(stream: Stream): SourceKind {
  return stream === 'orderbook' || stream === 'depth' ? 'books' : stream;
}

export function isStateSource(kind: SourceKind): boolean {
  return kind !== 'trades';
}

/** Names that documents of JavaScript clients cannot hold as members safely. */
const UNSAFE_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** 1–64 visible ASCII characters that NATS accepts inside a subject: no space, control character, `*` or `>`, no empty token. */
export function isSymbol(value: unknown): value is string {
  if (typeof value !== 'string' || value.length === 0 || value.length > SYMBOL_LENGTH_MAX) return false;
  if (UNSAFE_NAMES.has(value)) return false;
  let previous = 0x2e;
  for (let i = 0; i < value.length; i++) {
    const c = value.charCodeAt(i);
    if (c <= 0x20 || c >= 0x7f || c === 0x2a || c === 0x3e) return false;
    if (c === 0x2e && previous === 0x2e) return false;
    previous = c;
  }
  return previous !== 0x2e;
}

export interface Source {
  readonly kind: SourceKind;
  readonly symbol: string;
}

/** `md.books.BTC/USDT` → `{kind:'books', symbol:'BTC/USDT'}`; a symbol may hold dots. Anything else → undefined. */
export function parseSubject(subject: string): Source | undefined {
  if (!subject.startsWith(SUBJECT_PREFIX)) return undefined;
  const dot = subject.indexOf('.', SUBJECT_PREFIX.length);
  if (dot < 0) return undefined;
  const kind = subject.slice(SUBJECT_PREFIX.length, dot) as SourceKind;
  const symbol = subject.slice(dot + 1);
  return SOURCE_KINDS.includes(kind) && isSymbol(symbol) ? { kind, symbol } : undefined;
}

export function subjectOf(kind: SourceKind, symbol: string): string {
  return `${SUBJECT_PREFIX}${kind}.${symbol}`;
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
 * Linear in the text for every pattern: no backtracking that a hostile pattern could blow up.
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
