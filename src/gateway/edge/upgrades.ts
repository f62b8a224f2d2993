/** Upgrade requests: each becomes a connection or gets an HTTP answer that says why not. */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import { STATUS_CODES } from 'node:http';
import type { Config } from '../../config/environment.js';
import { isListedHost } from '../../config/hosts.js';
import { CONNECT_UNITS, topicUnits } from '../../protocol/costs.js';
import type { SharedReadiness } from '../../threads/shared-readiness.js';
import type { ConnectionLimits } from '../limits/connection-limits.js';
import type { PendingSockets } from '../limits/pending-sockets.js';
import { RETRY_AFTER_SECONDS } from '../limits/retry-after.js';
import { sharedNowMs } from '../limits/shared-clock.js';
import type { WorkBudgets } from '../limits/work-budgets.js';
import type { Admission, SocketData } from '../model/session.js';
import { type Refusal, refusal, refusedTo } from '../refusal.js';
import { andThen, type MaybePromise } from '../sessions/maybe-promise.js';
import type { ClientLog } from '../supervision/client-log.js';
import type { Views } from '../views/views.js';
import type { Admissions } from './admission.js';
import { clientAddress } from './client-address.js';
import type { Corking } from './corking.js';
import type { Explained, Explanations } from './explanations.js';
import type { LongMessageSlots, UpgradeContexts } from './payload-routes.js';
import { type ProbeAnswer, probeAnswer } from './probes.js';
import { endpointOf, isOriginAllowed, parseRequest } from './upgrade-request.js';

/** Longest query of a rate-limited request that is still explained. */
const EXPLAINED_QUERY_LENGTH_MAX = 4096;
/** Every 101 and every refusal has it: the connection's id, as in the log. */
const CONNECTION_HEADER = 'Millrace-Connection';
/** Version of the WebSocket protocol (RFC 6455 section 4.2.2). */
const VERSION = '13';

export interface UpgradesParts {
  readonly config: Config;
  readonly admissions: Admissions;
  readonly limits: ConnectionLimits;
  readonly pending: PendingSockets;
  readonly longMessageSlots: LongMessageSlots;
  readonly budgets: WorkBudgets;
  readonly table: Views;
  readonly explanations: Explanations;
  readonly corking: Corking;
  readonly onFault: (what: string, cause: unknown) => void;
  readonly log: ClientLog;
  readonly readiness: SharedReadiness;
  readonly onRefused: (status: number) => void;
}

export class Upgrades {
  /** New connections are redirected. */
  isClosing = false;
  /** New retail connections are asked to retry later. */
  isShedding = false;
  readonly #parts: UpgradesParts;

  constructor(parts: UpgradesParts) {
    this.#parts = parts;
  }

  /** Reads the whole request before any await: uWS invalidates it when this returns. */
  upgrade(response: HttpResponse, request: HttpRequest, contexts: UpgradeContexts): void {
    const address = this.#requested(response);
    let isAwaited = false;
    const asked = answerable(response, address, this.#parts.log.ids.next());
    const header = connectionHeader(this.#parts.log.ids.text(asked.connection));
    if (request.getHeader('sec-websocket-version') !== VERSION || !isWebSocket(request.getHeader('upgrade'))) {
      this.#refuse(asked, refusal(426, 'upgrade_required', `WebSocket version ${VERSION} is required`));
      return;
    }
    const query = request.getQuery() ?? '';
    // Check the rate before reading anything: a request head may be 32 kB long.
    const tooFast = this.#tooFast(address);
    if (tooFast !== undefined && !mayBeExplained(query)) {
      this.#refuse(asked, tooFast);
      return;
    }
    const key = request.getHeader('sec-websocket-key');
    const extensions = request.getHeader('sec-websocket-extensions');
    const origin = request.getHeader('origin');
    const host = request.getHeader('host');
    const parsed = parseRequest(request.getUrl(), query, {
      authorization: request.getHeader('authorization'),
      apiKey: request.getHeader('x-api-key'),
      subprotocols: request.getHeader('sec-websocket-protocol'),
    });
    if ('status' in parsed) {
      this.#refuse(asked, tooFast ?? parsed);
      return;
    }
    const { subprotocol } = parsed;
    const refuse = (why: Refusal): void => {
      const explanation = parsed.isExplained ? this.#parts.explanations.of(why, parsed.format) : undefined;
      if (explanation === undefined) {
        this.#refuse(asked, why);
        return;
      }
      this.#refused(asked, why);
      const upgrade = () => header(response).upgrade<Explained>({ explanation }, key, subprotocol, '', contexts.short);
      if (isAwaited) this.#parts.corking.cork(response, upgrade);
      else upgrade();
    };
    const early = tooFast ?? this.#earlyRefusal(origin, host);
    if (early !== undefined) {
      refuse(early);
      return;
    }
    const certificate = certificateOf(response, this.#parts.config.tls);
    if (certificate === '' && this.#parts.config.tls?.clientAuth === 'required') {
      refuse(refusal(401, 'unauthorized', 'a client certificate is required'));
      return;
    }
    const claimed =
      this.#parts.config.tls?.clientAuth === 'user' && certificate !== '' ? { ...parsed, certificate } : parsed;
    const finish = (admission: Admission | Refusal): void => {
      if ('status' in admission) {
        if (!asked.isAborted) refuse(admission);
        return;
      }
      if (asked.isAborted) {
        this.#release(admission);
        return;
      }
      if (!this.#parts.admissions.isStillGood(admission, claimed)) {
        this.#release(admission);
        refuse(refusal(401, 'unauthorized', 'the credential was revoked'));
        return;
      }
      const { session } = admission;
      const context = this.#parts.longMessageSlots.contextOf(session, contexts);
      // Never use the request's own `cork` after an await (corking.ts).
      const upgrade = () =>
        header(response).upgrade<SocketData>({ session, admission }, key, subprotocol, extensions, context);
      if (isAwaited) this.#parts.corking.cork(response, upgrade);
      else upgrade();
    };
    const admitted = andThen(this.#parts.admissions.admit(claimed, address, asked.connection), admission =>
      this.#enter(admission),
    );
    // Finish synchronously if possible: uWS then writes the whole answer in one go.
    if (!(admitted instanceof Promise)) {
      finish(admitted);
      return;
    }
    isAwaited = true;
    const corkable = admitted.then(async admission => {
      await this.#parts.corking.ready();
      return admission;
    });
    corkable.then(finish, (cause: unknown) => {
      this.#parts.onFault('upgrade failed', cause);
      if (!asked.isAborted) this.#refuse(asked, unavailable('the connection could not be admitted'));
    });
  }

  /** Records that the socket has sent its request. @returns its client address */
  #requested(response: HttpResponse): string {
    const address = clientAddress(new Uint8Array(response.getRemoteAddress()));
    this.#parts.pending.leave(address);
    return address;
  }

  #tooFast(address: string): Refusal | undefined {
    const tooFast = this.#parts.limits.attempt(address, sharedNowMs());
    if (tooFast === undefined) this.#parts.budgets.chargeAddress(address, CONNECT_UNITS);
    return tooFast;
  }

  #earlyRefusal(origin: string, host: string): Refusal | undefined {
    const { config } = this.#parts;
    const { allowedHosts, allowedOrigins } = config;
    if (allowedHosts.length > 0 && !isListedHost(host, allowedHosts)) {
      return refusal(403, 'forbidden', 'host not allowed');
    }
    if (!isOriginAllowed(origin, host, allowedOrigins, allowedHosts)) {
      return refusal(403, 'forbidden', 'origin not allowed');
    }
    if (this.isClosing) return unavailable('this gateway is closing');
    return undefined;
  }

  /** Takes a connection slot, then waits until the event views are live: a 101 promises every event from then on. */
  #enter(admitted: Admission | Refusal): MaybePromise<Admission | Refusal> {
    if ('status' in admitted) return admitted;
    return andThen(this.#takeSlot(admitted), outcome => refusedTo(outcome, admitted.session.credential));
  }

  #takeSlot(admitted: Admission): MaybePromise<Admission | Refusal> {
    if (this.isClosing) return unavailable('this gateway is closing');
    const { table, limits, budgets } = this.#parts;
    const { session, requested, views } = admitted;
    if (this.isShedding && session.tier === 'retail') {
      limits.refused.overload++;
      return unavailable('gateway overloaded');
    }
    const waitMs = budgets.waitMs(session);
    if (waitMs > 0) return overBudget(waitMs);
    const refused = limits.enter(session.address, session.credential);
    if (refused !== undefined) return refused;
    for (const { stream } of requested) budgets.charge(session, topicUnits(stream, 1));
    const live: Promise<boolean>[] = [];
    for (const { stream, symbol, lane } of requested) {
      const view = table.acquire(stream, symbol, lane, session);
      views.push(view);
      if (!view.isState && view.source < 0) live.push(view.live());
    }
    return live.length === 0 ? admitted : this.#whenLive(admitted, live);
  }

  async #whenLive(admitted: Admission, live: readonly Promise<boolean>[]): Promise<Admission | Refusal> {
    const areLive = await Promise.all(live);
    if (!this.isClosing && areLive.every(isLive => isLive)) return admitted;
    this.#release(admitted);
    return unavailable(this.isClosing ? 'this gateway is closing' : 'these topics are not available at this gateway');
  }

  #release(admission: Admission): void {
    const { address, credential } = admission.session;
    this.#parts.limits.leave(address, credential);
    this.releaseViews(admission);
  }

  releaseViews({ views, session }: Admission): void {
    for (const view of views.splice(0)) this.#parts.table.release(view, session.owner);
  }

  /** A plain request: a probe; 426 on an endpoint, else 404. */
  refusePlain(response: HttpResponse, path: string): void {
    const asked = answerable(response, this.#requested(response), this.#parts.log.ids.next());
    const probe = probeAnswer(path, this.#parts.readiness);
    if (probe !== undefined) {
      answerProbe(asked, probe);
      return;
    }
    const isKnown = endpointOf(path) !== undefined;
    this.#refuse(
      asked,
      isKnown
        ? refusal(426, 'upgrade_required', 'this is a WebSocket endpoint')
        : refusal(404, 'not_found', 'no such endpoint'),
    );
  }

  /**
   * The answer ends the connection, in a later turn. A pipelined second request ends the connection earlier. So each
   * connection asks once and counts once.
   */
  #refuse(asked: Answerable, why: Refusal): void {
    this.#refused(asked, why);
    setImmediate(() => {
      if (!asked.isAborted) answer(asked.response, why, this.#parts.log.ids.text(asked.connection));
    });
  }

  #refused({ connection, address }: Answerable, { status, code, message, by }: Refusal): void {
    this.#parts.onRefused(status);
    this.#parts.log.refused({ id: connection, address, user: by?.user ?? '', tier: by?.tier }, status, code, message);
  }
}

/** A request that awaits its answer. */
interface Answerable {
  readonly response: HttpResponse;
  readonly address: string;
  /** The number of its connection (model/connection-ids.ts). */
  readonly connection: number;
  /** The connection is closed. */
  isAborted: boolean;
}

function answerable(response: HttpResponse, address: string, connection: number): Answerable {
  const asked = { response, address, connection, isAborted: false };
  response.onAborted(() => {
    asked.isAborted = true;
  });
  return asked;
}

function answer(
  response: HttpResponse,
  { status, code, message, retryAfterSeconds }: Refusal,
  connection: string,
): void {
  response.cork(() => {
    response.writeStatus(`${status} ${STATUS_CODES[status] ?? ''}`);
    response.writeHeader('Content-Type', 'application/json');
    response.writeHeader('Cache-Control', 'no-store');
    response.writeHeader(CONNECTION_HEADER, connection);
    if (status === 426) {
      response.writeHeader('Upgrade', 'websocket');
      response.writeHeader('Sec-WebSocket-Version', VERSION);
    }
    if (retryAfterSeconds !== undefined) response.writeHeader('Retry-After', String(retryAfterSeconds));
    response.end(JSON.stringify({ error: { code, message } }), true);
  });
}

/** Ends the connection, as a refusal does: each connection asks once. */
function answerProbe(asked: Answerable, { status, body }: ProbeAnswer): void {
  setImmediate(() => {
    if (asked.isAborted) return;
    asked.response.cork(() => {
      asked.response.writeStatus(`${status} ${STATUS_CODES[status] ?? ''}`);
      asked.response.writeHeader('Content-Type', 'application/json');
      asked.response.writeHeader('Cache-Control', 'no-store');
      asked.response.end(body, true);
    });
  });
}

/** Writes the id of a connection before its upgrade, which keeps a status that is already written. */
function connectionHeader(connection: string): (response: HttpResponse) => HttpResponse {
  return response => response.writeStatus('101 Switching Protocols').writeHeader(CONNECTION_HEADER, connection);
}

/** Whether a refusal may be reported by a close code and its request is cheap to read. */
function mayBeExplained(query: string): boolean {
  return query.length <= EXPLAINED_QUERY_LENGTH_MAX && query.includes('explain=1');
}

function overBudget(waitMs: number): Refusal {
  const message = 'work budget of this address or user exhausted';
  return { ...refusal(429, 'rate_limited', message), retryAfterSeconds: Math.ceil(waitMs / 1000) };
}

function unavailable(message: string): Refusal {
  return { ...refusal(503, 'unavailable', message), retryAfterSeconds: RETRY_AFTER_SECONDS };
}

/** Only an `SSLApp` has this; missing from the typings. */
interface WithCertificate {
  /** PEM of the client's certificate; '' when it presented none. */
  getX509Certificate(): string;
}

function certificateOf(response: HttpResponse, tls: Config['tls']): string {
  if (tls?.clientCaFile === undefined) return '';
  return (response as HttpResponse & WithCertificate).getX509Certificate();
}

function isWebSocket(upgrade: string): boolean {
  return upgrade.toLowerCase() === 'websocket';
}
