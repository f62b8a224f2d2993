/** Successive WebSockets: connects, detects dead connections, reconnects with backoff, and stops where it must. */
import { CloseCode, mayReconnect } from '../protocol/close-code.js';
import { Backoff } from './backoff.js';
import { Codec } from './codec.js';
import { MillraceError } from './errors.js';
import type { Settings, TokenSource, WebSocketLike } from './options.js';
import type { ServerFrame } from './outcome.js';
import { Watchdog } from './watchdog.js';

/** Time limit for a handshake. */
const CONNECT_TIMEOUT_MS = 15_000;
/** A connection that ends sooner counts as a failed attempt: the next delay keeps growing. */
const STABLE_MS = 5_000;
/** Longest delay that a gateway may request with `going_away`. */
const GOING_AWAY_MAX_MS = 60_000;
/** Clients reconnect after this code, so a client that ends with it was closed by its application. */
export const NORMAL_CLOSE = 1000;
/** What a WebSocket reports if there was no close frame. */
const ABNORMAL_CLOSE = 1006;
/** What a subprotocol may consist of; every JWT does. */
const SUBPROTOCOL = /^[\w.~+-]+$/;

/**
 * `connecting`: waiting for a token or the handshake. `waiting`: until the next attempt. `closed`: for good, by the
 * application or because the gateway does not allow a reconnect.
 */
export type ConnectionState = 'connecting' | 'open' | 'waiting' | 'closed';

/** Where to connect, and with which subprotocols. */
interface Address {
  readonly url: string;
  readonly protocols: string[];
}

/** Only the package `ws` shows the answer to a refused upgrade. */
interface ShowsAnswer {
  on?(event: 'unexpected-response', listener: (request: unknown, response: Answer) => void): void;
}

interface Answer {
  readonly statusCode: number;
  readonly headers: { readonly 'retry-after'?: string };
}

/** How a client ended. */
export interface Closing {
  /** The WebSocket close code; 1000 if the application closed the client. */
  readonly code: number;
  readonly reason: string;
}

export interface ConnectionHooks {
  opened(): void;
  frame(frame: ServerFrame): void;
  /** Nothing arrived for a while: send a command that gets an answer. */
  silent(): void;
  /** An open connection was lost. */
  down(code: number): void;
  /** The state has changed. */
  changed(): void;
  closed(closing: Closing): void;
  fault(error: MillraceError): void;
}

export class Connection {
  readonly codec: Codec;
  readonly #settings: Settings;
  readonly #hooks: ConnectionHooks;
  readonly #backoff: Backoff;
  readonly #watchdog: Watchdog;
  #state: ConnectionState = 'connecting';
  #socket: WebSocketLike | undefined;
  /** For the handshake, or until the next attempt. */
  #timer: unknown;
  #retryMicros = 0;
  #openedMicros = 0;
  #heardMicros: number | undefined;
  #goingAwayMs: number | undefined;
  /** The last attempt was refused: the next one asks why, if it is refused too. */
  #isUnexplained = false;
  /** Identifies an attempt, to detect that it was superseded while it waited for its token. */
  #attempt = 0;

  constructor(settings: Settings, hooks: ConnectionHooks) {
    this.#settings = settings;
    this.#hooks = hooks;
    this.codec = new Codec(settings.messagePack, settings.integers);
    this.#backoff = new Backoff(settings.reconnect);
    this.#watchdog = new Watchdog(
      settings.watchdog,
      settings.clock,
      () => hooks.silent(),
      () => this.#drop(`no answer for ${settings.watchdog.answerMs} ms`),
    );
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Attempts that failed, or ended soon, since the last lasting connection. */
  get attempts(): number {
    return this.#backoff.attempts;
  }

  /** Milliseconds until the next attempt, while waiting. */
  get reconnectInMs(): number | undefined {
    if (this.#state !== 'waiting') return undefined;
    return Math.max(0, (this.#retryMicros - this.#settings.clock.monotonicMicros()) / 1000);
  }

  /** Milliseconds since anything arrived, over all connections. */
  get lastFrameAgeMs(): number | undefined {
    if (this.#heardMicros === undefined) return undefined;
    return Math.max(0, (this.#settings.clock.monotonicMicros() - this.#heardMicros) / 1000);
  }

  start(): void {
    void this.#connect();
  }

  /** The gateway asks for a reconnect after this time, once it has closed. */
  goingAway(delayMs: number): void {
    this.#goingAwayMs = Math.min(Math.max(delayMs, 0), GOING_AWAY_MAX_MS);
  }

  /** Writes to the open socket; without one the data is dropped, as on a socket that just died. */
  send(data: string | Uint8Array): void {
    if (this.#state !== 'open') return;
    try {
      // The parameter's type differs between WebSocket implementations; all of them accept these two.
      this.#socket?.send(data as never);
    } catch (cause) {
      this.#hooks.fault(new MillraceError('connection_failed', 'a command could not be sent', { cause }));
    }
  }

  close(): void {
    if (this.#state !== 'closed') this.#end({ code: NORMAL_CLOSE, reason: 'closed by the application' });
  }

  async #connect(): Promise<void> {
    const attempt = ++this.#attempt;
    this.#enter('connecting');
    let address: Address;
    try {
      address = await this.#address();
    } catch (cause) {
      if (attempt !== this.#attempt) return;
      this.#hooks.fault(new MillraceError('token_unavailable', 'could not get a token', { cause, isRetried: true }));
      this.#wait();
      return;
    }
    if (attempt === this.#attempt) this.#open(address);
  }

  async #address(): Promise<Address> {
    const { url, apiKey, messagePack } = this.#settings;
    const address = new URL(url);
    const token = await tokenOf(this.#settings.token);
    const protocols: string[] = [];
    // Proxies log URLs, but not this header.
    if (token !== undefined && SUBPROTOCOL.test(token)) {
      protocols.push(`millrace.${messagePack === undefined ? 'json' : 'msgpack'}`, `millrace.token.${token}`);
    } else if (token !== undefined) address.searchParams.set('token', token);
    if (apiKey !== undefined) address.searchParams.set('api_key', apiKey);
    // Browsers hide the answer to a refused upgrade from the page.
    if (this.#isUnexplained) address.searchParams.set('explain', '1');
    return { url: address.href, protocols };
  }

  #open({ url, protocols }: Address): void {
    let socket: WebSocketLike & ShowsAnswer;
    try {
      socket =
        protocols.length === 0 ? new this.#settings.WebSocket(url) : new this.#settings.WebSocket(url, protocols);
    } catch (cause) {
      this.#hooks.fault(
        new MillraceError('connection_failed', 'could not create a WebSocket', { cause, isRetried: true }),
      );
      this.#wait();
      return;
    }
    this.#socket = socket;
    this.#timer = this.#settings.clock.setTimeout(() => this.#drop('the handshake took too long'), CONNECT_TIMEOUT_MS);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this.#opened();
    socket.onmessage = ({ data }: { readonly data: unknown }) => this.#receive(socket, data);
    // Followed by onclose. Only `ws` says what is wrong; browsers hide it from the page.
    socket.onerror = ({ message }: { readonly message?: string }) => this.#failed(message ?? 'the connection failed');
    socket.on?.('unexpected-response', (_, answer) => this.#refused(answer));
    socket.onclose = ({ code, reason }: { readonly code?: number; readonly reason?: string }) =>
      this.#lost(code ?? ABNORMAL_CLOSE, reason ?? '');
  }

  #opened(): void {
    const { clock } = this.#settings;
    clock.clearTimeout(this.#timer);
    this.#openedMicros = clock.monotonicMicros();
    this.#goingAwayMs = undefined;
    this.#watchdog.start();
    this.#enter('open');
    this.#hooks.opened();
  }

  #receive(socket: WebSocketLike, data: unknown): void {
    this.#heardMicros = this.#settings.clock.monotonicMicros();
    this.#watchdog.heard();
    try {
      for (const frame of this.codec.decode(data)) {
        this.#hooks.frame(frame);
        // A listener may have closed the client.
        if (socket !== this.#socket) return;
      }
    } catch (cause) {
      this.#hooks.fault(
        cause instanceof MillraceError
          ? cause
          : new MillraceError('internal', 'a frame could not be handled', { cause }),
      );
    }
  }

  #refused({ statusCode, headers }: Answer): void {
    const seconds = Number(headers['retry-after']);
    // Other clients were given the same whole seconds.
    if (seconds > 0) this.goingAway((seconds + this.#settings.reconnect.random()) * 1000);
    this.#drop(`Unexpected server response: ${statusCode}`);
  }

  #failed(message: string): void {
    this.#hooks.fault(new MillraceError('connection_failed', message, { isRetried: true }));
  }

  /** Abandons the socket, whatever state it claims. */
  #drop(reason: string): void {
    this.#failed(reason);
    this.#lost(ABNORMAL_CLOSE, reason);
  }

  #lost(code: number, reason: string): void {
    // A refusal that was explained says when to come back, and the next one will.
    this.#isUnexplained = this.#state !== 'open' || code === CloseCode.rateLimited;
    if (!mayReconnect(code)) {
      this.#end({ code, reason });
      return;
    }
    this.#release(code);
    this.#wait();
  }

  #end(closing: Closing): void {
    this.#attempt++;
    this.#release(closing.code);
    this.#enter('closed');
    this.#hooks.closed(closing);
  }

  /** Releases socket and timers. */
  #release(code: number): void {
    const { clock } = this.#settings;
    clock.clearTimeout(this.#timer);
    this.#watchdog.stop();
    if (this.#socket !== undefined) discard(this.#socket, code);
    this.#socket = undefined;
    if (this.#state !== 'open') return;
    if (clock.monotonicMicros() - this.#openedMicros >= STABLE_MS * 1000) this.#backoff.reset();
    this.#hooks.down(code);
  }

  #wait(): void {
    // A listener that was told of the failure may have closed the client.
    if (this.#state === 'closed') return;
    const { clock } = this.#settings;
    const backoffMs = this.#backoff.nextDelayMs();
    const delayMs = this.#goingAwayMs ?? backoffMs;
    this.#goingAwayMs = undefined;
    this.#retryMicros = clock.monotonicMicros() + delayMs * 1000;
    this.#timer = clock.setTimeout(() => void this.#connect(), delayMs);
    this.#enter('waiting');
  }

  #enter(state: ConnectionState): void {
    this.#state = state;
    this.#hooks.changed();
  }
}

/**
 * The current token; undefined if the application gave none.
 * @throws what the provider throws, or a `TypeError` if it does not return a string.
 */
export async function tokenOf(source: TokenSource | undefined): Promise<string | undefined> {
  const token: unknown = typeof source === 'function' ? await source() : source;
  if (token === undefined ? source === undefined : typeof token === 'string') return token as string | undefined;
  throw new TypeError('the token provider did not return a string');
}

function ignore(): void {}

/** A dead peer never answers a close frame, so the socket is detached before it reports that it is closed. */
function discard(socket: WebSocketLike, code: number): void {
  socket.onopen = null;
  socket.onmessage = null;
  socket.onclose = null;
  // Without a listener, `ws` throws.
  socket.onerror = ignore;
  try {
    if (code === ABNORMAL_CLOSE && socket.terminate !== undefined) socket.terminate();
    else socket.close(NORMAL_CLOSE);
  } catch {
    // It was not open: nothing is left to close.
  }
}
