/** The operators' HTTP server on a port of its own: liveness, readiness, metrics, statistics. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConfigError } from '../config/config-error.js';
import { hostNameOf, isFixedHost, isListedHost } from '../config/hosts.js';
import type { AttemptLimiter } from './attempt-limiter.js';

const LISTEN_RETRY_MS = 50;

interface AdminOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Names accepted in `Host` besides IP addresses, `localhost` and `host`. */
  readonly allowedHosts: readonly string[];
  /** If set, every request except the probes needs `Authorization: Bearer …`. */
  readonly limiter: AttemptLimiter | undefined;
  /** Empty when ready, else what is missing. */
  readonly notReady: () => readonly string[];
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  /** The body of `/api/v1/stats`. */
  readonly stats: () => Promise<object>;
  /** A page of `/api/v1/revocations`; undefined if `after` is not a page cursor. */
  readonly revocations: (after: string) => object | undefined;
  readonly onFault: (what: string, cause: unknown) => void;
}

export class AdminServer {
  readonly #options: AdminOptions;
  readonly #server: Server;

  constructor(options: AdminOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((cause: unknown) => {
        options.onFault('an admin request failed', cause);
        if (!response.headersSent) answerJson(response, 500, { error: { code: 'internal', message: 'failed' } });
        else response.destroy();
      });
    });
    this.#server.on('error', cause => {
      // `listen` reports errors that occur before the server listens.
      if (this.#server.listening) options.onFault('the admin server failed', cause);
    });
  }

  /**
   * @param withinMs how long to retry while another process is about to release the port
   * @returns the port. @throws {ConfigError} with `cause` if the server cannot listen on it.
   */
  async listen(withinMs = 0): Promise<number> {
    const { host, port } = this.#options;
    const deadlineMs = performance.now() + withinMs;
    for (;;) {
      try {
        await this.#listenOnce(host, port);
        return (this.#server.address() as AddressInfo).port;
      } catch (cause) {
        const isTaken = (cause as NodeJS.ErrnoException).code === 'EADDRINUSE';
        if (!isTaken || performance.now() >= deadlineMs) {
          const why = cause instanceof Error ? cause.message : String(cause);
          throw new ConfigError(`ADMIN_PORT=${port}: cannot listen on ADMIN_HOST ${host} (${why})`, { cause });
        }
      }
      await new Promise(resolve => setTimeout(resolve, LISTEN_RETRY_MS));
    }
  }

  #listenOnce(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  /** Stops listening; safe to call twice. */
  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { path, searchParams } = targetOf(request.url ?? '/');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return answerJson(response, 405, { error: { code: 'method_not_allowed', message: 'GET only' } });
    }
    // Refuse before anything else: a web page may reach this machine under another name.
    if (!this.#isHostAllowed(request)) {
      const message = 'this Host is not served here; add it to ALLOWED_HOSTS';
      return answerJson(response, 403, { error: { code: 'forbidden', message } });
    }
    if (path === '/healthz') return answerJson(response, 200, { status: 'ok' });
    if (path === '/readyz') {
      const missing = this.#options.notReady();
      return answerJson(response, missing.length === 0 ? 200 : 503, { ready: missing.length === 0, missing });
    }
    const verdict = this.#verdict(request);
    if (verdict === 'refused') {
      response.setHeader('WWW-Authenticate', 'Bearer');
      return answerJson(response, 401, { error: { code: 'unauthorized', message: 'ADMIN_TOKEN is required' } });
    }
    if (verdict !== 'accepted') {
      response.setHeader('Retry-After', verdict.retryAfterSeconds);
      const message = 'too many wrong tokens from this address';
      return answerJson(response, 429, { error: { code: 'rate_limited', message } });
    }
    if (path === '/metrics') {
      const { contentType, text } = await this.#options.metrics();
      answerText(response, 200, { 'Content-Type': contentType }, text);
      return;
    }
    if (path === '/api/v1/stats') return answerJson(response, 200, await this.#options.stats());
    if (path === '/api/v1/revocations') {
      const page = this.#options.revocations(searchParams.get('after') ?? '');
      if (page !== undefined) return answerJson(response, 200, page);
      return answerJson(response, 400, { error: { code: 'invalid', message: 'after must be the next of a page' } });
    }
    answerJson(response, 404, { error: { code: 'not_found', message: 'no such resource' } });
  }

  #isHostAllowed({ headers: { host = '' } }: IncomingMessage): boolean {
    const name = hostNameOf(host);
    const { host: own, allowedHosts } = this.#options;
    return isFixedHost(name) || name === own.toLowerCase() || isListedHost(host, allowedHosts);
  }

  #verdict({ headers: { authorization }, socket }: IncomingMessage): ReturnType<AttemptLimiter['check']> {
    return this.#options.limiter?.check(authorization, socket.remoteAddress ?? '') ?? 'accepted';
  }
}

/** The target of a request as a path; a path such as `//` is no URL. */
function targetOf(target: string): { readonly path: string; readonly searchParams: URLSearchParams } {
  const [path = '', query = ''] = target.split(/\?(.*)/s);
  // A proxy may send the absolute form (RFC 9112 section 3.2.2).
  const absolute = !path.startsWith('/') && URL.canParse(path) ? new URL(path).pathname : path;
  return { path: absolute, searchParams: new URLSearchParams(query) };
}

function answerJson(response: ServerResponse, status: number, body: object): void {
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' };
  answerText(response, status, headers, JSON.stringify(body));
}

/** To HEAD, Node sends the headers alone; with their length, they are those of GET. */
function answerText(response: ServerResponse, status: number, headers: Record<string, string>, text: string): void {
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}
