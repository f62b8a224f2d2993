/**
 * Upgrades that complete after an await. uWebSockets requires `upgrade` to be called from within a cork; otherwise it
 * writes a warning to standard error each time, in the middle of the log. After an await, the request's own cork does
 * not work: this uWS then reads the new socket's memory as that of an HTTP response (native-notes/uws.md, "Upgrade
 * outside `cork`"). While another socket is corked, however, the request's cork just calls its callback. So each
 * thread that needs it keeps one WebSocket to itself over loopback. It corks that socket for the call and never writes
 * to it.
 */

import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import {
  App,
  type HttpResponse,
  type TemplatedApp,
  type us_listen_socket,
  us_listen_socket_close,
  us_socket_local_port,
  type WebSocket,
} from '../native/uws.js';

const LOOPBACK = '127.0.0.1';
/** uWS's `LIBUS_LISTEN_EXCLUSIVE_PORT`, missing from its typings: no other thread gets the same free port. */
const EXCLUSIVE_PORT = 1;
const SECRET_BYTES = 16;
const PAYLOAD_BYTES_MAX = 16;
/** Timeout for opening the connection to itself. */
const OPEN_MAX_MS = 2_000;

/** An overload missing from the typings: `listen` with a host and options. */
interface WithOptions {
  listen(host: string, port: number, options: number, onListening: (socket: us_listen_socket | false) => void): unknown;
}

export class Corking {
  #opening: Promise<void> | undefined;
  #app: TemplatedApp | undefined;
  #client: Socket | undefined;
  #holder: WebSocket<unknown> | undefined;
  #isClosed = false;

  /**
   * Resolves once `cork` is ready; immediately after the first time. Never rejects: on failure uWS just logs its
   * warning.
   */
  ready(): Promise<void> {
    if (this.#holder !== undefined || this.#isClosed) return Promise.resolve();
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  /** Runs `write`, which writes to `response` or upgrades it, inside the cork that uWS requires. */
  cork(response: HttpResponse, write: () => void): void {
    if (this.#holder === undefined) write();
    else this.#holder.cork(() => response.cork(write));
  }

  /** Call before the thread ends. */
  close(): void {
    this.#isClosed = true;
    this.#holder = undefined;
    this.#client?.destroy();
    this.#app?.close();
    this.#app = undefined;
  }

  #open(): Promise<void> {
    this.#app?.close();
    const app = App();
    this.#app = app;
    // Turn away any other client that reaches this port before it closes.
    const path = `/${randomBytes(SECRET_BYTES).toString('hex')}`;
    return new Promise(resolve => {
      const late = setTimeout(resolve, OPEN_MAX_MS);
      const done = () => {
        clearTimeout(late);
        resolve();
      };
      app
        .ws(path, {
          idleTimeout: 0,
          maxLifetime: 0,
          sendPingsAutomatically: false,
          maxPayloadLength: PAYLOAD_BYTES_MAX,
          open: socket => {
            this.#holder = socket;
            done();
          },
          close: () => {
            this.#holder = undefined;
          },
        })
        .any('/*', response => {
          response.close();
        });
      (app as unknown as WithOptions).listen(LOOPBACK, 0, EXCLUSIVE_PORT, listening => {
        if (listening === false) {
          done();
          return;
        }
        // A listen socket is a socket; the typings keep them apart.
        const port = us_socket_local_port(listening as unknown as Parameters<typeof us_socket_local_port>[0]);
        this.#client = upgraded(port, path, () => us_listen_socket_close(listening));
      });
    });
  }
}

/**
 * Opens a connection that requests an upgrade and sends nothing else.
 * @param onEnd called when it is open or has failed
 */
function upgraded(port: number, path: string, onEnd: () => void): Socket {
  const client = connect(port, LOOPBACK);
  const key = randomBytes(SECRET_BYTES).toString('base64');
  client.unref();
  client.write(
    `GET ${path} HTTP/1.1\r\nHost: ${LOOPBACK}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  let isEnded = false;
  const end = () => {
    if (!isEnded) onEnd();
    isEnded = true;
  };
  client.once('data', end);
  client.once('close', end);
  // 'close' follows.
  client.on('error', () => {});
  client.resume();
  return client;
}
