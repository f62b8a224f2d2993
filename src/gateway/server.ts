/** The uWS App of one worker: routes, upgrades, sockets. What a socket is told is decided elsewhere. */
import {
  App,
  type HttpRequest,
  type HttpResponse,
  SSLApp,
  type TemplatedApp,
  type us_listen_socket,
  us_listen_socket_close,
  type us_socket_context_t,
  us_socket_local_port,
} from 'uWebSockets.js';
import { STATUS_CODES } from 'node:http';
import type { Config } from '../config/environment.js';
import { CloseCode } from '../protocol/codes.js';
import type { Admission, Admissions } from './admission.js';
import type { CommandHandler } from './command-handler.js';
import type { Fanout } from './fanout.js';
import type { LaneTable } from './lane-table.js';
import { endpointOf, isOriginAllowed, parseRequest, type Refusal, refusal } from './request.js';
import type { Session, Socket, SocketData } from './session.js';
import type { SlowConsumers } from './slow-consumers.js';
import type { Subscriptions } from './subscriptions.js';

/**
 * uWS ends a socket without a close frame when a message exceeds its own limit, so that limit stands above ours, up to
 * which a client gets the proper 1009. (native-notes/uws.md)
 */
const UWS_PAYLOAD_BYTES_MAX = 16 * 1024 * 1024;
const IDLE_TIMEOUT_SECONDS = 60;
const RETRY_AFTER_SECONDS = 5;

export interface ServerCounters {
  open: number;
  opened: number;
  closed: number;
  received: number;
  receivedBytes: number;
  /** Refused upgrades by HTTP status. */
  readonly refused: Map<number, number>;
}

export interface ServerParts {
  readonly config: Config;
  readonly admissions: Admissions;
  readonly commands: CommandHandler;
  readonly subscriptions: Subscriptions;
  readonly slow: SlowConsumers;
  readonly fanout: Fanout;
  readonly table: LaneTable;
  /** Connections of each worker. */
  readonly connections: Int32Array;
  /** This worker's place in it. */
  readonly worker: number;
  readonly onFault: (what: string, cause: unknown) => void;
}

/** Made before the parts that publish through it. @throws {Error} with `cause` when the certificate or key cannot be used */
export function createApp(config: Config): TemplatedApp {
  if (config.tls === undefined) return App();
  const { certFile, keyFile } = config.tls;
  try {
    return SSLApp({ cert_file_name: certFile, key_file_name: keyFile });
  } catch (cause) {
    throw new Error(`TLS_CERT, TLS_KEY: ${certFile} and ${keyFile} cannot be used together, or not be read`, { cause });
  }
}

export class GatewayServer {
  readonly counters: ServerCounters = {
    open: 0,
    opened: 0,
    closed: 0,
    received: 0,
    receivedBytes: 0,
    refused: new Map(),
  };
  readonly #app: TemplatedApp;
  readonly #parts: ServerParts;
  readonly #sessions = new Set<Session>();
  #listenSocket: us_listen_socket | undefined;
  #isClosing = false;

  constructor(app: TemplatedApp, parts: ServerParts) {
    this.#app = app;
    this.#parts = parts;
    this.#route();
  }

  /** @param port 0 for any free one. @returns the port; undefined when it cannot be had. */
  listen(host: string, port: number): Promise<number | undefined> {
    return new Promise(resolve => {
      this.#app.listen(host, port, socket => {
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

  /** Refuses new connections and closes the present ones with 1001. */
  drain(): void {
    this.#isClosing = true;
    if (this.#listenSocket !== undefined) us_listen_socket_close(this.#listenSocket);
    this.#listenSocket = undefined;
    for (const session of [...this.#sessions]) session.socket?.end(CloseCode.goingAway, 'going away');
  }

  /** Ends everything uWS holds; a thread may only end after it. */
  close(): void {
    this.#app.close();
  }

  #route(): void {
    this.#app
      .ws<SocketData>('/*', {
        maxPayloadLength: UWS_PAYLOAD_BYTES_MAX,
        maxBackpressure: this.#parts.config.limits.backpressureBytesMax,
        idleTimeout: IDLE_TIMEOUT_SECONDS,
        sendPingsAutomatically: true,
        upgrade: (response, request, context) => this.#upgrade(response, request, context),
        open: socket => this.#open(socket),
        message: (socket, bytes, isBinary) => this.#message(socket, bytes, isBinary),
        // Nothing but flags may be touched in here.
        dropped: socket => {
          const { session } = socket.getUserData();
          this.#parts.slow.dropped(session, this.#parts.fanout.turn);
          setImmediate(() => this.#parts.slow.settle());
        },
        drain: socket => this.#parts.slow.drained(socket.getUserData().session),
        close: socket => this.#close(socket),
      })
      .any('/*', (response, request) => {
        const known = endpointOf(request.getUrl()) !== undefined;
        this.#refuse(
          response,
          known
            ? refusal(426, 'upgrade_required', 'this is a WebSocket endpoint')
            : refusal(404, 'not_found', 'no such endpoint'),
        );
      });
  }

  /** Reads what the request says before anything is awaited: uWS takes it back when this returns. */
  #upgrade(response: HttpResponse, request: HttpRequest, context: us_socket_context_t): void {
    let isAborted = false;
    response.onAborted(() => {
      isAborted = true;
    });
    const key = request.getHeader('sec-websocket-key');
    const extensions = request.getHeader('sec-websocket-extensions');
    const origin = request.getHeader('origin');
    const host = request.getHeader('host');
    const parsed = parseRequest(request.getUrl(), request.getQuery() ?? '', {
      authorization: request.getHeader('authorization'),
      apiKey: request.getHeader('x-api-key'),
      subprotocols: request.getHeader('sec-websocket-protocol'),
    });
    if ('status' in parsed) {
      this.#refuse(response, parsed);
      return;
    }
    const early = this.#earlyRefusal(origin, host);
    if (early !== undefined) {
      this.#refuse(response, early);
      return;
    }
    this.#admit(this.#parts.admissions.admit(parsed)).then(
      admission => {
        if ('status' in admission) {
          if (!isAborted) this.#refuse(response, admission);
          return;
        }
        if (isAborted) {
          this.#release(admission);
          return;
        }
        // Never inside `cork`: this uWS then reads the new socket's memory as that of an HTTP response, and closes it where a
        // bit of it happens to be set (uNetworking/uWebSockets#1929). The price is a head that leaves in small writes.
        response.upgrade<SocketData>(
          { session: admission.session, admission },
          key,
          parsed.subprotocol,
          extensions,
          context,
        );
      },
      (cause: unknown) => {
        this.#parts.onFault('an upgrade failed', cause);
        if (!isAborted) this.#refuse(response, refusal(503, 'unavailable', 'the connection could not be admitted'));
      },
    );
  }

  #earlyRefusal(origin: string, host: string): Refusal | undefined {
    const { config } = this.#parts;
    if (!isOriginAllowed(origin, host, config.allowedOrigins)) {
      return refusal(403, 'forbidden', 'this origin is not allowed');
    }
    if (this.#isClosing) return unavailable('this gateway is closing');
    return undefined;
  }

  /** Takes a place among the connections; waits until the event lanes are live, so that 101 promises every event. */
  async #admit(admission: Promise<Admission | Refusal>): Promise<Admission | Refusal> {
    const admitted = await admission;
    if ('status' in admitted) return admitted;
    const { connections, worker, config, table } = this.#parts;
    Atomics.add(connections, worker, 1);
    if (totalOf(connections) > config.limits.connectionsMax) {
      Atomics.sub(connections, worker, 1);
      return unavailable(`at most ${config.limits.connectionsMax} connections`);
    }
    const live: Promise<void>[] = [];
    for (const { stream, symbol, lane } of admitted.wanted) {
      const entry = table.acquire(stream, symbol, lane, admitted.session.tier);
      admitted.lanes.push(entry);
      if (!entry.isState && entry.source < 0) live.push(new Promise(resolve => entry.whenLive.push(resolve)));
    }
    await Promise.all(live);
    if (!this.#isClosing) return admitted;
    this.#release(admitted);
    return unavailable('this gateway is closing');
  }

  #release(admission: Admission): void {
    Atomics.sub(this.#parts.connections, this.#parts.worker, 1);
    this.#releaseLanes(admission);
  }

  #releaseLanes({ lanes }: Admission): void {
    for (const entry of lanes.splice(0)) this.#parts.table.release(entry);
  }

  #open(socket: Socket): void {
    const { session, admission } = socket.getUserData();
    session.socket = socket;
    this.#sessions.add(session);
    this.counters.open++;
    this.counters.opened++;
    this.#parts.subscriptions.subscribe(session, admission.wanted, admission.warning);
    // The session holds its lanes itself now.
    this.#releaseLanes(admission);
  }

  #message(socket: Socket, bytes: ArrayBuffer, isBinary: boolean): void {
    this.counters.received++;
    this.counters.receivedBytes += bytes.byteLength;
    if (bytes.byteLength > this.#parts.config.limits.messageBytesMax) {
      socket.end(CloseCode.payloadTooLarge, 'payload too large');
      return;
    }
    this.#parts.commands.receive(socket.getUserData().session, bytes, isBinary);
  }

  #close(socket: Socket): void {
    const { session } = socket.getUserData();
    this.#sessions.delete(session);
    this.#parts.slow.closed(session);
    this.#parts.subscriptions.closed(session);
    Atomics.sub(this.#parts.connections, this.#parts.worker, 1);
    this.counters.open--;
    this.counters.closed++;
  }

  #refuse(response: HttpResponse, { status, code, message, retryAfterSeconds }: Refusal): void {
    this.counters.refused.set(status, (this.counters.refused.get(status) ?? 0) + 1);
    response.cork(() => {
      response.writeStatus(`${status} ${STATUS_CODES[status] ?? ''}`);
      response.writeHeader('Content-Type', 'application/json');
      response.writeHeader('Cache-Control', 'no-store');
      if (status === 426) response.writeHeader('Upgrade', 'websocket');
      if (retryAfterSeconds !== undefined) response.writeHeader('Retry-After', String(retryAfterSeconds));
      response.end(JSON.stringify({ error: { code, message } }));
    });
  }
}

function totalOf(connections: Int32Array): number {
  let total = 0;
  for (let i = 0; i < connections.length; i++) total += Atomics.load(connections, i);
  return total;
}

function unavailable(message: string): Refusal {
  return { ...refusal(503, 'unavailable', message), retryAfterSeconds: RETRY_AFTER_SECONDS };
}
