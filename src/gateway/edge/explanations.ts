/**
 * Refusals that are explained: a browser cannot read the answer to a refused upgrade, so whoever asks for it by `explain=1` is
 * let in and closed at once with a code. Such a socket is no session: nothing it sends is read, and no limit counts it. It was
 * counted among the attempts to connect, as every refusal is.
 */
import type { WebSocket, WebSocketBehavior } from 'uWebSockets.js';
import { CloseCode } from '../../protocol/close-code.js';
import type { Format } from '../../protocol/lanes.js';
import { MsgpackWriter } from '../../protocol/msgpack-writer.js';
import type { SocketData } from '../model/session.js';
import type { Refusal } from '../refusal.js';

/**
 * Refusals that a worker explains in a second; further ones are answered by HTTP. Either way uWS ends a socket that stays
 * behind its answer, after some ten seconds.
 */
export const EXPLAINED_PER_SECOND_MAX = 64;
const SECOND_MS = 1_000;
/** Of a close frame (RFC 6455 section 5.5): 125 bytes with the code. */
const REASON_BYTES_MAX = 123;

const CODES: Readonly<Partial<Record<Refusal['status'], CloseCode>>> = {
  401: CloseCode.unauthorized,
  403: CloseCode.forbidden,
  429: CloseCode.rateLimited,
};

/** What uWS keeps with such a socket, in place of `SocketData`. */
export interface Explained {
  readonly explanation: Explanation;
}

export interface Explanation {
  readonly code: CloseCode;
  readonly reason: string;
  readonly format: Format;
  /** When to come back; undefined where coming back changes nothing. */
  readonly reconnectAfterMs: number | undefined;
}

type Socket = WebSocket<SocketData>;
type Behavior = Omit<WebSocketBehavior<SocketData>, 'upgrade' | 'maxPayloadLength'>;

/** A socket's data is one of the two, whatever its route is declared to keep. */
function explanationOf(socket: Socket): Explanation | undefined {
  return (socket.getUserData() as Partial<Explained>).explanation;
}

/** The handler, for sockets with a session only. */
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

  /** @param onClose one is closed with this code @param nowMs a monotonic clock */
  constructor(onClose: (code: CloseCode) => void, nowMs = () => performance.now()) {
    this.#onClose = onClose;
    this.#nowMs = nowMs;
  }

  /** How the refusal is explained, which counts; undefined where it is answered by HTTP. */
  of({ status, message, retryAfterSeconds }: Refusal, format: Format): Explanation | undefined {
    const code = CODES[status];
    if (code === undefined || !this.#mayExplain()) return undefined;
    const reconnectAfterMs = retryAfterSeconds === undefined ? undefined : retryAfterSeconds * 1000;
    return { code, reason: cut(message), format, reconnectAfterMs };
  }

  /**
   * The behavior for sockets with a session, and beside it that of those that are only told why not.
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

/** As much of a text as a close frame takes, and no half of a character. */
function cut(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= REASON_BYTES_MAX) return text;
  let end = REASON_BYTES_MAX;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}
