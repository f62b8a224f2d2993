/**
 * How long a message uWS puts together before it is handed over, which no limit of ours sees: longer for clients with a credential.
 * A route has one such bound, and is chosen before the credential is read. So there are two sets of routes, and the upgrade takes
 * the socket into one or the other. (native-notes/uws.md, "Two bounds behind one path")
 */
import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t, WebSocketBehavior } from 'uWebSockets.js';
import type { SocketData } from '../model/session.js';

/** Every path fits the last, and all but `/` one of the others, which uWS asks first. */
const ANONYMOUS_PATTERNS = ['/:endpoint', '/:endpoint/*'];
const PATTERN = '/*';

/** What `upgrade` is given for a socket that is to be bound so. */
export interface UpgradeContexts {
  readonly withCredential: us_socket_context_t;
  readonly anonymous: us_socket_context_t;
}

export interface PayloadBytesMax {
  readonly withCredential: number;
  readonly anonymous: number;
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
  let anonymous: us_socket_context_t | undefined;
  for (const pattern of ANONYMOUS_PATTERNS) {
    app.ws<SocketData>(pattern, {
      ...behavior,
      maxPayloadLength: bytesMax.anonymous,
      upgrade: (_, request, context) => {
        anonymous = context;
        request.setYield(true);
      },
    });
  }
  app.ws<SocketData>(PATTERN, {
    ...behavior,
    maxPayloadLength: bytesMax.withCredential,
    upgrade: (response, request, context) => {
      upgrade(response, request, { withCredential: context, anonymous: anonymous ?? context });
    },
  });
}
