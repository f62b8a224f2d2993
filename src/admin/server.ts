/** The operators' HTTP server on a port of its own: probes, metrics, and the API. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { ConfigError } from '../config/config-error.js';
import { hostNameOf, isFixedHost, isListedHost } from '../config/hosts.js';
import { originOf } from '../config/origins.js';
import type { AdminAccess } from './access.js';
import { type Answer, failure, json, write } from './answers.js';
import { readBody } from './body.js';
import type { DashboardPages } from './dashboard-pages.js';
import type { Caller, Route } from './route.js';

const LISTEN_RETRY_MS = 50;
/** How long a request, and its head, may take to arrive; and how often Node checks. */
const REQUEST_MS_MAX = 10_000;
const HEAD_MS_MAX = 5_000;
const TIMES_CHECK_MS = 1_000;
/** A connection on which nothing moves for this long ends: its client does not read. Every answer is ready sooner. */
const STILL_MS_MAX = 15_000;
/** Requests of one connection that wait for their answers. Answers to more would fill the memory unread. */
const PIPELINED_MAX = 16;
/** Connections at once: dashboards, scrapers and scripts need a few each. */
const CONNECTIONS_MAX = 1_024;
const TIMES = {
  requestTimeout: REQUEST_MS_MAX,
  headersTimeout: HEAD_MS_MAX,
  connectionsCheckingInterval: TIMES_CHECK_MS,
};
const API = '/api/v1';

interface AdminOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Names accepted in `Host` besides IP addresses, `localhost` and `host`. */
  readonly allowedHosts: readonly string[];
  readonly access: Pick<AdminAccess, 'of'>;
  /** Empty when ready, else what is missing. */
  readonly notReady: () => readonly string[];
  /** The dashboard's files. */
  readonly pages: Pick<DashboardPages, 'answer'>;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  readonly routes: readonly Route[];
  /** A change was asked for by someone who may only read. */
  readonly onForbidden: (route: Route, caller: Caller) => void;
  readonly onFault: (what: string, cause: unknown) => void;
  /** After which a connection ends on which nothing moves. */
  readonly stillMsMax?: number;
}

export class AdminServer {
  readonly #options: AdminOptions;
  readonly #server: Server;
  /** All open sockets, and how many requests of each wait. Node forgets those that leave HTTP, and would wait for them at the end. */
  readonly #sockets = new Map<Socket, number>();

  constructor(options: AdminOptions) {
    this.#options = options;
    // Without a listener for `upgrade`, Node answers a request that offers one like any other, body included.
    this.#server = createServer(TIMES, (request, response) => {
      if (!this.#begin(request, response)) return;
      this.#handle(request).then(
        answer => this.#write(response, answer),
        (cause: unknown) => this.#failed(response, cause),
      );
    });
    this.#server.timeout = options.stillMsMax ?? STILL_MS_MAX;
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.on('connection', socket => {
      this.#sockets.set(socket, 0);
      socket.once('close', () => this.#sockets.delete(socket));
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

  /** Stops listening and ends all connections; safe to call twice. */
  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()));
    for (const socket of this.#sockets.keys()) socket.destroy();
    await closed;
  }

  /** Counts a request until it is answered; false: its client asks more than it reads, and its connection ends. */
  #begin({ socket }: IncomingMessage, response: ServerResponse): boolean {
    const waiting = (this.#sockets.get(socket) ?? 0) + 1;
    if (waiting > PIPELINED_MAX) {
      socket.destroy();
      return false;
    }
    this.#sockets.set(socket, waiting);
    response.once('close', () => {
      const now = this.#sockets.get(socket);
      if (now !== undefined) this.#sockets.set(socket, now - 1);
    });
    return true;
  }

  #write(response: ServerResponse, answer: Answer): void {
    if (!response.destroyed) write(response, answer);
  }

  #failed(response: ServerResponse, cause: unknown): void {
    // The caller has hung up: there is no one to answer, and nothing is wrong here.
    if (response.destroyed || response.req.destroyed) return;
    this.#options.onFault('an admin request failed', cause);
    if (response.headersSent) response.destroy();
    else write(response, failure('internal', 'failed'));
  }

  async #handle(request: IncomingMessage): Promise<Answer> {
    const { path, query } = targetOf(request.url ?? '/');
    // Refuse before anything else: a web page may reach this machine under another name.
    if (!this.#isHostAllowed(request)) {
      return failure('forbidden', 'this Host is not served here; add it to ALLOWED_HOSTS');
    }
    const open = this.#openAnswer(request, path);
    if (open !== undefined) return open;
    const access = await this.#options.access.of(request);
    if (access.ok) return this.#handleAs(request, path, query, access.caller);
    switch (access.why) {
      case 'bad_operator':
        return failure('invalid', 'X-Operator: 1 to 64 printable ASCII characters');
      case 'forbidden':
        return failure('forbidden', 'the token has none of the roles that this port accepts');
      case 'rate_limited': {
        const headers = { 'Retry-After': String(access.retryAfterSeconds) };
        return failure('rate_limited', 'too many wrong tokens from this address', headers);
      }
      default:
        return failure('unauthorized', 'ADMIN_TOKEN is required', { 'WWW-Authenticate': 'Bearer' });
    }
  }

  /** What anyone may ask. */
  #openAnswer(request: IncomingMessage, path: string): Answer | undefined {
    const page = this.#options.pages.answer(path, request);
    if (page === undefined && path !== '/healthz' && path !== '/readyz') return undefined;
    if (!isRead(request.method)) return notAllowed(['GET', 'HEAD']);
    if (page !== undefined) return page;
    if (path === '/healthz') return json({ status: 'ok' });
    const missing = this.#options.notReady();
    return json({ ready: missing.length === 0, missing }, missing.length === 0 ? 200 : 503);
  }

  async #handleAs(request: IncomingMessage, path: string, query: string, caller: Caller): Promise<Answer> {
    if (path === '/metrics') {
      if (!isRead(request.method)) return notAllowed(['GET', 'HEAD']);
      const { contentType, text } = await this.#options.metrics();
      return { status: 200, contentType, text };
    }
    const found = this.#options.routes.flatMap(route => {
      const id = matched(route, path);
      return id === undefined ? [] : [{ route, id }];
    });
    if (found.length === 0) return failure('not_found', 'no such resource');
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const one = found.find(({ route }) => route.method === method);
    if (one === undefined) return notAllowed(found.flatMap(({ route }) => methodsOf(route)));
    const { route, id } = one;
    if (id === 'malformed') return failure('invalid', 'the path is not valid percent-encoding');
    const params = new URLSearchParams(query);
    const { host = '', origin } = request.headers;
    const rest = { id: id.text, caller, host, origin };
    if (route.method === 'GET') return route.answer(params, undefined, rest);
    if (isForeign(request)) return failure('forbidden', 'changes are not accepted from other web pages');
    if (caller.role !== 'admin' && !route.isForOperators) {
      this.#options.onForbidden(route, caller);
      return failure('forbidden', 'this role may only read');
    }
    const body = await readBody(request);
    return body.ok ? route.answer(params, body.value, rest) : body.answer;
  }

  #isHostAllowed({ headers: { host = '' } }: IncomingMessage): boolean {
    const name = hostNameOf(host);
    const { host: own, allowedHosts } = this.#options;
    return isFixedHost(name) || name === own.toLowerCase() || isListedHost(host, allowedHosts);
  }
}

const isRead = (method: string | undefined): boolean => method === 'GET' || method === 'HEAD';
const methodsOf = ({ method }: Route): string[] => (method === 'GET' ? ['GET', 'HEAD'] : [method]);
const notAllowed = (methods: readonly string[]): Answer =>
  failure('method_not_allowed', `${methods.join(', ')} only`, { Allow: methods.join(', ') });

/** The variable segment of a path that the route serves; undefined: it serves another path. */
function matched({ path }: Route, asked: string): { readonly text: string } | 'malformed' | undefined {
  const own = `${API}${path}`;
  if (!own.endsWith('/*')) return asked === own ? { text: '' } : undefined;
  const stem = own.slice(0, -1);
  const rest = asked.startsWith(stem) ? asked.slice(stem.length) : '';
  if (rest === '' || rest.includes('/')) return undefined;
  try {
    return { text: decodeURIComponent(rest) };
  } catch {
    return 'malformed';
  }
}

/** A browser says from where a page sends a change; other programs say nothing. */
function isForeign({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  if (headers.origin === undefined) return false;
  const page = originOf(headers.origin);
  const scheme = /^https?:/.exec(page ?? '')?.[0];
  // A proxy may have ended TLS: the page's scheme says which port its `Host` leaves out.
  return scheme === undefined || originOf(`${scheme}//${headers.host ?? ''}`) !== page;
}

/** The target of a request as a path; a path such as `//` is no URL. */
function targetOf(target: string): { readonly path: string; readonly query: string } {
  const [path = '', query = ''] = target.split(/\?(.*)/s);
  // A proxy may send the absolute form (RFC 9112 section 3.2.2).
  const absolute = !path.startsWith('/') && URL.canParse(path) ? new URL(path).pathname : path;
  return { path: absolute, query };
}
