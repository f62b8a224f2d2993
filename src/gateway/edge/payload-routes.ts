/**
 * How long a message uWS assembles before it hands it over; none of our own limits applies before that. Only up to
 * this bound can the gateway tell a client that its message is too long. But a client can also make uWS buffer that
 * much of a message that never ends. So the bound is long for clients with a credential and a few without, and short
 * for all others. A route has one bound, and uWS chooses the route before the credential is read. Hence there are two
 * sets of routes, and the upgrade puts the socket into one or the other. (native-notes/uws.md, "Two bounds behind one
 * path")
 */
import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t, WebSocketBehavior } from 'uWebSockets.js';
import type { Session, SocketData } from '../model/session.js';

/** The last pattern matches every path. All paths but `/` match one of the others too, which uWS tries first. */
const SHORT_PATTERNS = ['/:endpoint', '/:endpoint/*'];
const PATTERN = '/*';
/**
 * Maximum connections without a credential, over all threads, that get the long bound: half a GiB of unfinished
 * messages.
 */
const LONG_ANONYMOUS_MAX = 32;

/** The contexts that `upgrade` takes to bind a socket to the long or short bound. */
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
 * @param behavior applies to all sockets
 * @param upgrade called for every request, with both contexts
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

/** Decides which connections without a credential get the long bound. */
export class LongMessageSlots {
  readonly #max: number;
  readonly #sessions = new Set<Session>();

  /** @param workers number of threads that share the slots */
  constructor(workers: number) {
    this.#max = Math.max(1, Math.floor(LONG_ANONYMOUS_MAX / workers));
  }

  /** The context for the session's socket. A session with a slot keeps it until `leave`. */
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
