/**
 * The uWS Apps of one worker. Without TLS there is one. With TLS an App is bound to its certificate: a new certificate
 * means a new App, and existing sockets stay with the old one. A separate App, which serves no sockets, holds the port
 * and hands accepted connections to the newest App. (native-notes/listening.md)
 */

import type { Config } from '../../config/environment.js';
import { cipherList } from '../../config/tls-ciphers.js';
import type { PendingSockets } from '../limits/pending-sockets.js';
import type { Session } from '../model/session.js';
import {
  App,
  type HttpResponse,
  SSLApp,
  type TemplatedApp,
  type us_listen_socket,
  us_listen_socket_close,
  us_socket_local_port,
} from '../native/uws.js';
import { clientAddress } from './client-address.js';
import type { TrustedProxies } from './trusted-proxies.js';

/** Maximum certificates in use at once; one more, and the sessions on the oldest are redirected. */
const APPS_MAX = 4;
/** A turn of the loop longer than this may have left connections in the kernel's queue. */
const QUIET_TURN_MS = 0.2;
/** How long to wait for a quiet turn; a gateway that is always busy has none. */
const QUIET_WAIT_MAX_MS = 250;

/** An App that accepts for others; missing from the typings. */
interface WithChildren {
  getDescriptor(): unknown;
  addChildAppDescriptor(descriptor: unknown): void;
  removeChildAppDescriptor(descriptor: unknown): void;
}

type ServingApp = TemplatedApp & WithChildren;

/** One App and the sockets on it. */
export interface ServedApp {
  readonly app: ServingApp;
  readonly sessions: Set<Session>;
  /** Sockets accepted and not yet closed, except those that became WebSockets. */
  accepted: number;
  /** Sockets that became WebSockets; uWS's filter keeps counting them. */
  upgraded: number;
}

export class Apps {
  readonly #tls: Config['tls'];
  readonly #pending: PendingSockets;
  readonly #proxies: TrustedProxies;
  readonly #acceptor: ServingApp | undefined;
  /** Newest last. */
  readonly #served: ServedApp[] = [];
  #route: (served: ServedApp) => void = () => {};
  #listenSocket: us_listen_socket | undefined;

  /**
   * @param pending counts accepted connections
   * @throws {Error} with `cause` when the certificate or key is unusable
   */
  constructor(tls: Config['tls'], pending: PendingSockets, proxies: TrustedProxies) {
    this.#tls = tls;
    this.#pending = pending;
    this.#proxies = proxies;
    this.#acceptor = tls === undefined ? undefined : createSslApp(tls);
    const first = this.#create();
    this.#served.push(first);
    this.#acceptor?.addChildAppDescriptor(first.app.getDescriptor());
  }

  /** Sockets that have not sent a request yet, or await the answer. */
  get undecided(): number {
    let sum = 0;
    for (const { accepted, upgraded } of this.#served) sum += accepted - upgraded;
    return sum;
  }

  /** Registers the routes of every App, current and future. Call once, before anything else. */
  route(route: (served: ServedApp) => void): void {
    this.#route = route;
    for (const served of this.#served) route(served);
  }

  /** uWS's `publish`, to the sockets of all Apps. */
  publish(topic: string, message: Uint8Array, isBinary: boolean, compress: boolean): boolean {
    let isHeard = false;
    for (let i = 0; i < this.#served.length; i++) {
      if (this.#served[i]?.app.publish(topic, message, isBinary, compress) === true) isHeard = true;
    }
    return isHeard;
  }

  /** @param port 0 for any free one. @returns the port; undefined when it is unavailable. */
  listen(host: string, port: number): Promise<number | undefined> {
    const listener = this.#acceptor ?? this.#newest.app;
    return new Promise(resolve => {
      listener.listen(host, port, socket => {
        if (socket === false) {
          resolve(undefined);
          return;
        }
        this.#listenSocket = socket;
        // A listen socket is a socket; the typings keep them apart.
        resolve(us_socket_local_port(socket as unknown as Parameters<typeof us_socket_local_port>[0]));
      });
    });
  }

  /**
   * Frees the port for others. Closing a listener resets the connections in its kernel queue, so this waits for a turn
   * of the loop in which uWS has just accepted all of them. (native-notes/listening.md)
   */
  async leavePort(): Promise<void> {
    const startedMs = performance.now();
    for (let lastMs = startedMs; ; ) {
      await new Promise(resolve => setImmediate(resolve));
      const nowMs = performance.now();
      // The first turn is the one that called this method.
      const isQuiet = lastMs !== startedMs && nowMs - lastMs <= QUIET_TURN_MS;
      if (isQuiet || nowMs - startedMs > QUIET_WAIT_MAX_MS) break;
      lastMs = nowMs;
    }
    this.closePort();
  }

  get isListening(): boolean {
    return this.#listenSocket !== undefined;
  }

  /** Stops listening until the next `listen`; existing connections stay. */
  closePort(): void {
    if (this.#listenSocket !== undefined) us_listen_socket_close(this.#listenSocket);
    this.#listenSocket = undefined;
  }

  /**
   * Serves new connections with the current contents of TLS_CERT and TLS_KEY.
   * @returns sessions to redirect because too many certificates are in use.
   * @throws {Error} when the files are unusable; the previous certificate stays in use.
   */
  renewCertificate(): readonly Session[] {
    if (this.#acceptor === undefined) return [];
    const renewed = this.#create();
    this.#route(renewed);
    this.#acceptor.removeChildAppDescriptor(this.#newest.app.getDescriptor());
    this.#acceptor.addChildAppDescriptor(renewed.app.getDescriptor());
    this.#served.push(renewed);
    return this.#served.length > APPS_MAX ? [...(this.#served[0] as ServedApp).sessions] : [];
  }

  /** Closes Apps with old certificates that have no connections left. Do not call from a uWS callback. */
  closeUnused(): void {
    for (const served of this.#served.slice(0, -1)) {
      if (served.sessions.size > 0 || served.accepted > served.upgraded) continue;
      this.#served.splice(this.#served.indexOf(served), 1);
      served.app.close();
    }
  }

  /** Closes everything uWS holds. A thread may end only after this. */
  close(): void {
    this.#acceptor?.close();
    for (const { app } of this.#served) app.close();
    this.#listenSocket = undefined;
  }

  get #newest(): ServedApp {
    return this.#served.at(-1) as ServedApp;
  }

  #create(): ServedApp {
    const app = this.#tls === undefined ? (App() as ServingApp) : createSslApp(this.#tls);
    const served: ServedApp = { app, sessions: new Set(), accepted: 0, upgraded: 0 };
    const count = (response: HttpResponse, change: number) => {
      served.accepted += change;
      if (change > 0) this.#accepted(response);
    };
    app.filter(count as Parameters<typeof app.filter>[0]);
    return served;
  }

  #accepted(response: HttpResponse): void {
    const peer = new Uint8Array(response.getRemoteAddress());
    const address = clientAddress(peer);
    if (!this.#pending.enter(address, this.#proxies.isTrusted(peer))) {
      response.close();
      return;
    }
    // upgrades.ts replaces this handler once there is a request.
    response.onAborted(() => this.#pending.leave(address));
  }
}

function createSslApp(tls: NonNullable<Config['tls']>): ServingApp {
  const { certFile, keyFile, clientCaFile } = tls;
  try {
    return SSLApp({
      key_file_name: keyFile,
      cert_file_name: certFile,
      ssl_ciphers: cipherList(tls.minVersion, tls.ciphers),
      // With this, a client may present a certificate; one from another authority fails the handshake.
      ...(clientCaFile === undefined ? {} : { ca_file_name: clientCaFile }),
    }) as ServingApp;
  } catch (cause) {
    const authority = clientCaFile === undefined ? '' : `, or TLS_CLIENT_CA ${clientCaFile} cannot be used`;
    const message = `TLS_CERT, TLS_KEY: ${certFile} and ${keyFile} cannot be read or do not match${authority}`;
    throw new Error(message, { cause });
  }
}
