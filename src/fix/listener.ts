/** Listens for FIX clients, with TLS where there is a certificate. */
import { readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { FixConfig } from '../config/environment.js';
import { WatchedFiles } from '../config/watched-files.js';

const TLS_MIN_VERSION = 'TLSv1.2';
// A client that ends its side has left.
const SOCKET_OPTIONS = { allowHalfOpen: false, pauseOnConnect: false };

interface ListenerParts {
  readonly host: string;
  readonly tls: FixConfig['tls'];
  /** How long a TLS handshake may take. */
  readonly handshakeMsMax: number;
  /** Whether a client that has connected may stay. @param handshakes of other clients under way */
  readonly mayConnect: (socket: Socket, handshakes: number) => boolean;
  /** It may log on. */
  readonly onConnected: (socket: Socket) => void;
  /** Reads and checks a new certificate. @throws {Error} if it is unusable */
  readonly checkTls: (files: NonNullable<FixConfig['tls']>) => Promise<unknown>;
  readonly onFault: (what: string, cause: unknown) => void;
}

export class FixListener {
  readonly #parts: ListenerParts;
  #server: Server | undefined;
  #stopWatching = () => {};
  /** Undefined without TLS. @returns why the files are unusable */
  #renew: (() => Promise<string | undefined>) | undefined;
  /** Sockets that are open, and those of them whose TLS handshake is done. */
  #open = 0;
  #secured = 0;

  constructor(parts: ListenerParts) {
    this.#parts = parts;
  }

  get isListening(): boolean {
    return this.#server?.listening === true;
  }

  /** @returns the port; undefined when it is unavailable */
  async listen(port: number): Promise<number | undefined> {
    const { host, onFault } = this.#parts;
    const server = this.#newServer();
    const listening = await new Promise<boolean>(resolve => {
      server.once('error', () => resolve(false));
      server.listen({ host, port }, () => resolve(true));
    });
    if (!listening) {
      this.#stopWatching();
      return undefined;
    }
    server.on('error', cause => onFault('FIX listener', cause));
    this.#server = server;
    const address = server.address();
    return typeof address === 'object' ? address?.port : undefined;
  }

  /** Reads the certificate again, changed or not. @returns why it is unusable; undefined: it is in use, or there is none */
  async renewCertificate(): Promise<string | undefined> {
    return this.#renew?.();
  }

  /** Frees the port; connections stay. */
  stop(): void {
    this.#stopWatching();
    this.#server?.close();
    this.#server = undefined;
  }

  #newServer(): Server {
    const { tls, mayConnect, onConnected } = this.#parts;
    if (tls === undefined) {
      return createServer(SOCKET_OPTIONS, socket => {
        if (mayConnect(socket, 0)) onConnected(socket);
        else socket.destroy();
      });
    }
    const secure = this.#newTlsServer(tls);
    // Limits apply before the handshake, which costs more than everything else before the Logon.
    return createServer(SOCKET_OPTIONS, socket => {
      if (!mayConnect(socket, this.#open - this.#secured)) {
        socket.destroy();
        return;
      }
      this.#open++;
      socket.once('close', () => this.#open--);
      secure.emit('connection', socket);
    });
  }

  /** It does the handshakes of sockets that are handed to it, and does not listen itself. */
  #newTlsServer(files: NonNullable<FixConfig['tls']>): TlsServer {
    const options = {
      ...SOCKET_OPTIONS,
      ...contextOf(files),
      minVersion: TLS_MIN_VERSION,
      handshakeTimeout: this.#parts.handshakeMsMax,
    } as const;
    const server = createTlsServer(options, socket => {
      this.#secured++;
      socket.once('close', () => this.#secured--);
      this.#parts.onConnected(socket);
    });
    // A failed handshake ends only its own connection. One that takes too long stays open until this code ends it.
    server.on('tlsClientError', (_cause, socket) => socket.destroy());
    const watched = new WatchedFiles([files.certFile, files.keyFile]);
    void watched.read(async () => undefined);
    this.#renew = () =>
      watched.read(async () => {
        try {
          await this.#parts.checkTls(files);
          server.setSecureContext({ ...contextOf(files), minVersion: TLS_MIN_VERSION });
          return undefined;
        } catch (cause) {
          return (cause as Error).message;
        }
      });
    this.#stopWatching = watched.watch(async () => {
      const problem = await this.#renew?.();
      if (problem !== undefined) this.#parts.onFault('new FIX certificate unusable; keeping the current one', problem);
    });
    return server;
  }
}

/** @throws {Error} if the files cannot be read */
function contextOf({ certFile, keyFile }: NonNullable<FixConfig['tls']>): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(certFile), key: readFileSync(keyFile) };
}
