/**
 * How long a message uWS puts together before it is handed over, which no limit of ours sees. A client is told that its message is
 * too long only up to that bound, but may also have uWS keep so much of a message that never ends. So the bound is long for
 * clients with a credential and for a few without, and short for all others. A route has one bound, and is chosen before the
 * credential is read: there are two sets of routes, and the upgrade takes the socket into one or the other.
 * (native-notes/uws.md, "Two bounds behind one path")
 */
import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t, WebSocketBehavior } from 'uWebSockets.js';
import type { Session, SocketData } from '../model/session.js';

/** Every path fits the last, and all but `/` one of the others, which uWS asks first. */
const SHORT_PATTERNS = ['/:endpoint', '/:endpoint/*'];
const PATTERN = '/*';
/** Connections without a credential, over all threads, that have the long bound: half a GiB of messages that never end. */
const LONG_ANONYMOUS_MAX = 32;

/** What `upgrade` is given for a socket that is to be bound so. */
export interface UpgradeContexts {
  readonly long: us_socket_context_t;
  readonly short: us_socket_context_t;
}

export interface PayloadBytesMax {
  readonly long: number;
  readonly short: number;
}

/**
 * Registers the routes of one App.
 * @param behavior of all sockets
 * @param upgrade is called for every request, with both contexts
 */
export function routeByPayload(
  app: TemplatedApp,
  behavior: Omit<WebSocketBehavior<SocketData>, 'upgrade' | 'maxPayloadLength'>,
  bytesMax: PayloadBytesMax,
  upgrade: (response: HttpResponse, request: HttpRequest, contexts: UpgradeContexts) => void,
): void {
  let short: us_socket_context_t | undefined;
  for (const pattern of SHORT_PATTERNS) {
    app.ws<SocketData>(pattern, {
      ...behavior,
      maxPayloadLength: bytesMax.short,
      upgrade: (_, request, context) => {
        short = context;
        request.setYield(true);
      },
    });
  }
  app.ws<SocketData>(PATTERN, {
    ...behavior,
    maxPayloadLength: bytesMax.long,
    upgrade: (response, request, context) => {
      upgrade(response, request, { long: context, short: short ?? context });
    },
  });
}

/** Which connections without a credential have the long bound. */
export class LongPlaces {
  readonly #max: number;
  readonly #sessions = new Set<Session>();

  /** @param workers threads that share the places */
  constructor(workers: number) {
    this.#max = Math.max(1, Math.floor(LONG_ANONYMOUS_MAX / workers));
  }

  /** The context for the session's socket; it keeps its place until `leave`. */
  contextOf(session: Session, { long, short }: UpgradeContexts): us_socket_context_t {
    if (session.credential.sub !== '') return long;
    if (this.#sessions.size >= this.#max) return short;
    this.#sessions.add(session);
    return long;
  }

  leave(session: Session): void {
    this.#sessions.delete(session);
  }
}
