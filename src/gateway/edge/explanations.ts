/**
 * Explained refusals. A browser cannot read the HTTP answer to a refused upgrade, so a client that sends `explain=1`
 * is upgraded and closed at once with a code. Such a socket is no session: nothing it sends is read, and no connection
 * limit counts it. It counts as a connection attempt, like every refusal.
 */
import type { WebSocket, WebSocketBehavior } from 'uWebSockets.js';
import { CloseCode } from '../../protocol/close-code.js';
import { MsgpackWriter } from '../../protocol/msgpack-writer.js';
import type { Format } from '../../protocol/view-options.js';
import type { SocketData } from '../model/session.js';
import type { Refusal } from '../refusal.js';

/**
 * Maximum refusals a worker explains per second; further ones get an HTTP answer. Either way, uWS ends a socket that
 * does not read its answer after about ten seconds.
 */
export const EXPLAINED_PER_SECOND_MAX = 64;
const SECOND_MS = 1_000;
/** The reason of a close frame (RFC 6455 section 5.5): 125 bytes minus the code. */
const REASON_BYTES_MAX = 123;

const CODES: Readonly<Partial<Record<Refusal['status'], CloseCode>>> = {
  401: CloseCode.unauthorized,
  403: CloseCode.forbidden,
  429: CloseCode.rateLimited,
};

/** The user data of such a socket, in place of `SocketData`. */
export interface Explained {
  readonly explanation: Explanation;
}

interface Explanation {
  readonly code: CloseCode;
  readonly reason: string;
  readonly format: Format;
  /** When to reconnect; undefined when reconnecting would not help. */
  readonly reconnectAfterMs: number | undefined;
}

type Socket = WebSocket<SocketData>;
type Behavior = Omit<WebSocketBehavior<SocketData>, 'upgrade' | 'maxPayloadLength'>;

/** A socket's user data is one of the two, whatever its route declares. */
function explanationOf(socket: Socket): Explanation | undefined {
  return (socket.getUserData() as Partial<Explained>).explanation;
}

/** Restricts a handler to sockets with a session. */
function withSession<Rest extends unknown[], Result>(
  handler: ((socket: Socket, ...rest: Rest) => Result) | undefined,
): (socket: Socket, ...rest: Rest) => Result | undefined {
  return (socket, ...rest) => (explanationOf(socket) === undefined ? handler?.(socket, ...rest) : undefined);
}

export class Explanations {
  readonly #onClose: (code: CloseCode) => void;
  readonly #nowMs: () => number;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #explained = 0;

  /**
   * @param onClose called with the close code of each explained refusal
   * @param nowMs a monotonic clock
   */
  constructor(onClose: (code: CloseCode) => void, nowMs = () => performance.now()) {
    this.#onClose = onClose;
    this.#nowMs = nowMs;
  }

  /** How the refusal is explained, counted against the limit; undefined when it is answered by HTTP. */
  of({ status, code: why, message, retryAfterSeconds }: Refusal, format: Format): Explanation | undefined {
    const code = why === 'journal_unavailable' ? CloseCode.rateLimited : CODES[status];
    if (code === undefined || !this.#mayExplain()) return undefined;
    const reconnectAfterMs = retryAfterSeconds === undefined ? undefined : Math.ceil(retryAfterSeconds * 1000);
    return { code, reason: cut(message), format, reconnectAfterMs };
  }

  /**
   * Combines the behavior for sessions with that for sockets that only receive an explanation.
   * @param served counts them all
   */
  beside(sessions: Behavior, served: { upgraded: number }): Behavior {
    return {
      ...sessions,
      open: socket => {
        const explanation = explanationOf(socket);
        if (explanation === undefined) return sessions.open?.(socket);
        served.upgraded++;
        this.#explain(socket, explanation);
      },
      message: withSession(sessions.message),
      dropped: withSession(sessions.dropped),
      drain: withSession(sessions.drain),
      ping: withSession(sessions.ping),
      pong: withSession(sessions.pong),
      close: withSession(sessions.close),
    };
  }

  #mayExplain(): boolean {
    const nowMs = this.#nowMs();
    if (nowMs - this.#sinceMs >= SECOND_MS) {
      this.#sinceMs = nowMs;
      this.#explained = 0;
    }
    return ++this.#explained <= EXPLAINED_PER_SECOND_MAX;
  }

  #explain(socket: Socket, { code, reason, format, reconnectAfterMs }: Explanation): void {
    this.#onClose(code);
    if (reconnectAfterMs !== undefined) {
      const frame = { type: 'going_away', reconnect_after_ms: reconnectAfterMs };
      if (format === 'msgpack') socket.send(packed(frame), true);
      else socket.send(JSON.stringify(frame), false);
    }
    socket.end(code, reason);
  }
}

function packed(frame: object): Uint8Array {
  const writer = new MsgpackWriter();
  writer.value(frame);
  return writer.written;
}

/** Cuts a text to what a close frame can carry, without splitting a character. */
function cut(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= REASON_BYTES_MAX) return text;
  let end = REASON_BYTES_MAX;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}
