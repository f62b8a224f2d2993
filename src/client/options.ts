/** The options that an application gives to a client, checked once, with all defaults filled in. */
import { CLASSES, FORMATS, type Format, type RateClass } from '../protocol/view-options.js';
import type { BackoffOptions } from './backoff.js';
import { type ClientClock, SYSTEM_CLOCK, type WholeClock, wholeClock } from './clock.js';
import type { MessagePack } from './codec.js';
import { MillraceError } from './errors.js';
import { INTEGERS, type Integers } from './integers.js';
import type { WatchdogOptions } from './watchdog.js';

/** What this client needs of a WebSocket; the ones of browsers, of Node from 22 on and of the package `ws` have it. */
export interface WebSocketLike {
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: never): void;
  close(code?: number, reason?: string): void;
  /** `ws` only: ends the connection without waiting for the other side. */
  terminate?: () => void;
}

export type WebSocketConstructor = new (url: string, protocols?: string[]) => WebSocketLike;

/**
 * A JWT, or a function that returns one: called before each connection, and again when the token is about to expire.
 */
export type TokenSource = string | (() => string | Promise<string>);

export interface MillraceOptions {
  /** The gateway: `wss://feed.example.com`, with or without a path that ends in `/ws`. `https:` becomes `wss:`. */
  readonly url: string;
  readonly token?: TokenSource | undefined;
  /** Use it instead of a token. */
  readonly apiKey?: string | undefined;
  /** Default `json`. `msgpack` needs `messagePack`. */
  readonly format?: Format | undefined;
  /** `import * as messagePack from 'msgpackr'`, or another implementation. */
  readonly messagePack?: MessagePack | undefined;
  /**
   * The type of whole numbers in content (members of quotes, trades and orders, the `data` of analytics and rooms).
   * `auto`: a number, or a bigint beyond ±(2^53 − 1); `number`: always a number, rounded beyond that; `bigint`;
   * `string`: its digits. Default `auto`. The protocol's own (`seq`, `ts_sent`, …) are always numbers. A decimal that a
   * number would alter is a string.
   */
  readonly integers?: Integers | undefined;
  /** How often state topics are sent; default: the class of the credential's tier. */
  readonly class?: RateClass | undefined;
  /** Asks the gateway for timestamps in frames, so that changes and events have a `lag`. Default false. */
  readonly timestamps?: boolean | undefined;
  /**
   * Default `globalThis.WebSocket`, which Node has from 22 on; for older versions, pass the class of the package `ws`.
   */
  readonly WebSocket?: WebSocketConstructor | undefined;
  /** Delays between attempts: each is drawn evenly from 0 to a ceiling, by default 250 ms doubling up to 30 s. */
  readonly reconnect?: Partial<BackoffOptions> | undefined;
  /** Default: ping after 10 s of silence, give up 5 s later. */
  readonly watchdog?: Partial<WatchdogOptions> | undefined;
  /** Most events that an iteration keeps for a busy consumer; beyond it the iteration ends. Default 10 000. */
  readonly eventBufferMax?: number | undefined;
  readonly clock?: ClientClock | undefined;
}

const RECONNECT_BASE_MS = 250;
const RECONNECT_MAX_MS = 30_000;
const SILENCE_MS = 10_000;
const ANSWER_MS = 5_000;
const EVENT_BUFFER_MAX = 10_000;

export interface Settings {
  readonly url: URL;
  readonly token: TokenSource | undefined;
  readonly apiKey: string | undefined;
  readonly messagePack: MessagePack | undefined;
  readonly integers: Integers;
  readonly WebSocket: WebSocketConstructor;
  readonly reconnect: BackoffOptions;
  readonly watchdog: WatchdogOptions;
  readonly eventBufferMax: number;
  readonly clock: WholeClock;
}

/** @throws {MillraceError} `invalid_options`, naming the option and what would be right. */
export function readOptions(options: MillraceOptions): Settings {
  const { format = 'json', messagePack, token, apiKey, eventBufferMax = EVENT_BUFFER_MAX } = options;
  const { integers = 'auto' } = options;
  if (!FORMATS.includes(format)) throw invalid(`format: must be one of ${FORMATS.join(', ')}`);
  if (options.class !== undefined && !CLASSES.includes(options.class)) {
    throw invalid(`class: must be one of ${CLASSES.join(', ')}`);
  }
  if (format === 'msgpack' && messagePack === undefined) {
    throw invalid("format: msgpack needs the option messagePack, such as `import * as messagePack from 'msgpackr'`");
  }
  if (!INTEGERS.includes(integers)) throw invalid(`integers: must be one of ${INTEGERS.join(', ')}`);
  if (token !== undefined && apiKey !== undefined) throw invalid('token and apiKey: give only one of them');
  if (!(eventBufferMax >= 1)) throw invalid('eventBufferMax: must be at least 1');
  const WebSocket = options.WebSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
  if (WebSocket === undefined) {
    throw invalid('WebSocket: this platform has none; pass one, such as the class of the package ws');
  }
  const { baseMs = RECONNECT_BASE_MS, maxMs = RECONNECT_MAX_MS, random = Math.random } = options.reconnect ?? {};
  const { silenceMs = SILENCE_MS, answerMs = ANSWER_MS } = options.watchdog ?? {};
  for (const [name, ms] of Object.entries({ baseMs, maxMs, silenceMs, answerMs })) {
    if (!(ms > 0)) throw invalid(`${name}: must be above 0`);
  }
  if (maxMs < baseMs) throw invalid(`maxMs: must be at least baseMs, which is ${baseMs}`);
  return {
    url: addressOf(options, format),
    token,
    apiKey,
    messagePack: format === 'msgpack' ? messagePack : undefined,
    integers,
    WebSocket,
    reconnect: { baseMs, maxMs, random },
    watchdog: { silenceMs, answerMs },
    eventBufferMax,
    clock: options.clock === undefined ? SYSTEM_CLOCK : wholeClock(options.clock),
  };
}

/** The URL to connect to, complete except for the credential. */
function addressOf(options: MillraceOptions, format: Format): URL {
  let url: URL;
  try {
    url = new URL(options.url);
  } catch (cause) {
    throw invalid(`url: ${options.url} is not a URL`, cause);
  }
  // Only these two can become a WebSocket's: `protocol` cannot be set from one kind to the other.
  if (url.protocol === 'https:' || url.protocol === 'http:') url = new URL(url.href.replace('http', 'ws'));
  if (url.protocol !== 'wss:' && url.protocol !== 'ws:') throw invalid('url: must begin with wss: or ws:');
  if (!/(^|\/)ws\/?$/.test(url.pathname)) url.pathname = `${url.pathname.replace(/\/$/, '')}/ws`;
  url.hash = '';
  url.searchParams.set('format', format);
  if (options.class !== undefined) url.searchParams.set('class', options.class);
  if (options.timestamps === true) url.searchParams.set('timestamps', '1');
  return url;
}

function invalid(message: string, cause?: unknown): MillraceError {
  return new MillraceError('invalid_options', message, { cause });
}
