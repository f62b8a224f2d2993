/** Upgrade requests: each becomes a connection or gets an HTTP answer that says why not. */
import type { HttpRequest, HttpResponse, us_socket_context_t } from 'uWebSockets.js';
import type { LiveTokens } from '../../auth/live-token.js';
import type { Config } from '../../config/environment.js';
import { isListedHost } from '../../config/hosts.js';
import { CONNECT_UNITS, topicUnits } from '../../protocol/costs.js';
import { isMarketData } from '../../protocol/topics.js';
import type { JournalOutlet } from '../../threads/journal-outlet.js';
import type { SharedReadiness } from '../../threads/shared-readiness.js';
import type { SessionJournal } from '../journal/session-journal.js';
import { type ConnectionLimits, tooMany } from '../limits/connection-limits.js';
import type { PendingSockets } from '../limits/pending-sockets.js';
import { spreadRetrySeconds } from '../limits/retry-after.js';
import { sharedNowMs } from '../limits/shared-clock.js';
import type { WorkBudgets } from '../limits/work-budgets.js';
import type { Admission, NotServed, SocketData } from '../model/session.js';
import { type Refusal, refusal, refusedTo } from '../refusal.js';
import { andThen, type MaybePromise } from '../sessions/maybe-promise.js';
import type { SimultaneousUse } from '../sessions/simultaneous-use.js';
import type { ClientLog } from '../supervision/client-log.js';
import type { Views } from '../views/views.js';
import type { Admissions } from './admission.js';
import { type Answerable, answer, answerable, type HttpAnswer, refusalAnswer, WEBSOCKET_VERSION } from './answers.js';
import { clientAddress } from './client-address.js';
import type { Corking } from './corking.js';
import type { DemoPage } from './demo-page.js';
import type { Explained, Explanations } from './explanations.js';
import {
  CONNECTION_HEADER,
  certificateOf,
  connectionHeader,
  type Handshake,
  isWebSocket,
  mayBeExplained,
  readHandshake,
} from './handshake.js';
import { headerLines } from './header-lines.js';
import { isOriginAllowed } from './page-origin.js';
import type { LongMessageSlots, UpgradeContexts } from './payload-routes.js';
import { probeAnswer } from './probes.js';
import type { TrustedProxies } from './trusted-proxies.js';
import { endpointOf, type UpgradeRequest } from './upgrade-request.js';

interface UpgradesParts {
  readonly config: Config;
  readonly admissions: Admissions;
  readonly limits: ConnectionLimits;
  readonly use: SimultaneousUse;
  readonly pending: PendingSockets;
  readonly proxies: TrustedProxies;
  readonly longMessageSlots: LongMessageSlots;
  readonly budgets: WorkBudgets;
  readonly views: Views;
  readonly explanations: Explanations;
  readonly corking: Corking;
  readonly onFault: (what: string, cause: unknown) => void;
  readonly log: ClientLog;
  readonly live: LiveTokens;
  readonly readiness: SharedReadiness;
  readonly journal: Pick<JournalOutlet, 'isRefusing'> | undefined;
  readonly records: SessionJournal | undefined;
  /** Undefined unless the gateway makes its own key. */
  readonly demo: DemoPage | undefined;
  readonly onRefused: (why: Refusal) => void;
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
    const asked = this.#requested(response, request);
    if (!isWebSocket(request)) {
      this.#refuse(asked, refusal(426, 'upgrade_required', `WebSocket version ${WEBSOCKET_VERSION} is required`));
      return;
    }
    const query = request.getQuery() ?? '';
    // Check the rate before reading anything: a request head may be 32 kB long.
    const tooFast = this.#tooFast(asked.address);
    if (tooFast !== undefined && !mayBeExplained(query)) {
      this.#refuse(asked, tooFast);
      return;
    }
    const handshake = readHandshake(asked, request, query, contexts);
    if ('status' in handshake) {
      this.#refuse(asked, tooFast ?? handshake);
      return;
    }
    const early = tooFast ?? this.#earlyRefusal(request, handshake.parsed.token);
    const claimed = early ?? this.#claimed(response, handshake.parsed);
    if ('status' in claimed) this.#refuseHandshake(handshake, claimed);
    else this.#admit(handshake, claimed);
  }

  /** The request with its client certificate, where that is the credential. */
  #claimed(response: HttpResponse, parsed: UpgradeRequest): UpgradeRequest | Refusal {
    const { tls } = this.#parts.config;
    const certificate = certificateOf(response, tls);
    if (certificate === '' && tls?.clientAuth === 'required') {
      return refusal(401, 'unauthorized', 'a client certificate is required');
    }
    return tls?.clientAuth === 'user' && certificate !== '' ? { ...parsed, certificate } : parsed;
  }

  #admit(handshake: Handshake, claimed: UpgradeRequest): void {
    const { admissions, corking, onFault } = this.#parts;
    const { asked } = handshake;
    const admitted = andThen(admissions.admit(claimed, asked.address, asked.connection), admission =>
      this.#enter(admission),
    );
    // Finish synchronously if possible: uWS then writes the whole answer in one go.
    if (!(admitted instanceof Promise)) {
      this.#finish(handshake, claimed, admitted);
      return;
    }
    handshake.isAwaited = true;
    const corkable = admitted.then(async admission => {
      await corking.ready();
      return admission;
    });
    corkable.then(
      admission => this.#finish(handshake, claimed, admission),
      (cause: unknown) => {
        onFault('upgrade failed', cause);
        if (!asked.isAborted) this.#refuse(asked, unavailable('the connection could not be admitted'));
      },
    );
  }

  #finish(handshake: Handshake, claimed: UpgradeRequest, admission: Admission | Refusal): void {
    const { asked, contexts, extensions } = handshake;
    const { admissions, longMessageSlots } = this.#parts;
    if ('status' in admission) {
      if (!asked.isAborted) this.#refuseHandshake(handshake, admission);
      return;
    }
    if (asked.isAborted) {
      this.#release(admission);
      return;
    }
    if (!admissions.isStillGood(admission, claimed)) {
      this.#release(admission);
      this.#refuseHandshake(handshake, refusal(401, 'unauthorized', 'the credential was revoked'));
      return;
    }
    const { session } = admission;
    const context = longMessageSlots.contextOf(session, contexts);
    this.#accept<SocketData>(handshake, { session, admission }, extensions, context);
  }

  /** Refuses by a close code where the client asked for that, else by an HTTP answer. */
  #refuseHandshake(handshake: Handshake, why: Refusal): void {
    const { asked, parsed, contexts } = handshake;
    const explanation = parsed.isExplained ? this.#parts.explanations.of(why, parsed.format) : undefined;
    if (explanation === undefined) {
      this.#refuse(asked, why);
      return;
    }
    this.#refused(asked, why);
    this.#accept<Explained>(handshake, { explanation }, '', contexts.short);
  }

  /** Writes the 101. */
  #accept<Data>(handshake: Handshake, data: Data, extensions: string, context: us_socket_context_t): void {
    const { asked, key, parsed, isAwaited } = handshake;
    const { log, corking } = this.#parts;
    const header = connectionHeader(log.ids.text(asked.connection));
    const upgrade = () => header(asked.response).upgrade<Data>(data, key, parsed.subprotocol, extensions, context);
    // Never use the request's own `cork` after an await (corking.ts).
    if (isAwaited) corking.cork(asked.response, upgrade);
    else upgrade();
  }

  /** The socket has sent its request. Limits count the address that its peer names, if that is a trusted proxy. */
  #requested(response: HttpResponse, request: HttpRequest): Answerable {
    const { pending, proxies, log } = this.#parts;
    const peer = new Uint8Array(response.getRemoteAddress());
    pending.leave(clientAddress(peer));
    const client = proxies.clientOf(peer, {
      proxied: () => new Uint8Array(response.getProxiedRemoteAddress()),
      forwardedFor: () => headerLines(request, 'x-forwarded-for')['x-forwarded-for'],
    });
    return answerable(response, request, clientAddress(client), log.ids.next());
  }

  #tooFast(address: string): Refusal | undefined {
    const tooFast = this.#parts.limits.attempt(address, sharedNowMs());
    if (tooFast === undefined) this.#parts.budgets.chargeAddress(address, CONNECT_UNITS);
    return tooFast;
  }

  #earlyRefusal(request: HttpRequest, token: string | undefined): Refusal | undefined {
    const { config, live } = this.#parts;
    const [origin, host] = [request.getHeader('origin'), request.getHeader('host')];
    const { allowedHosts, allowedOrigins } = config;
    if (allowedHosts.length > 0 && !isListedHost(host, allowedHosts)) {
      return refusal(403, 'forbidden', 'host not allowed');
    }
    // The dashboard's page is on the admin port, and its token says so.
    const isOwnPage = origin !== '' && live.originOf(token) === origin;
    if (!isOwnPage && !isOriginAllowed(origin, host, allowedOrigins, allowedHosts)) {
      return refusal(403, 'forbidden', 'origin not allowed');
    }
    if (this.isClosing) return unavailable('this gateway is closing');
    return this.#parts.journal?.isRefusing === true ? unrecorded() : undefined;
  }

  /** Takes a connection slot, then waits until the event views are live: a 101 promises every event from then on. */
  #enter(admitted: Admission | Refusal): MaybePromise<Admission | Refusal> {
    if ('status' in admitted) return admitted;
    return andThen(this.#takeSlot(admitted), outcome => refusedTo(outcome, admitted.session.credential));
  }

  #takeSlot(admitted: Admission): MaybePromise<Admission | Refusal> {
    if (this.isClosing) return unavailable('this gateway is closing');
    const { views, limits, use, budgets } = this.#parts;
    const { session, requested } = admitted;
    if (this.isShedding && session.tier === 'retail') {
      limits.refused.overload++;
      return unavailable('gateway overloaded');
    }
    const waitMs = budgets.waitMs(session);
    if (waitMs > 0) return overBudget(waitMs);
    const refused = limits.enter(session.address, session.credential);
    if (refused !== undefined) return refused;
    const overUse = requested.some(({ stream }) => isMarketData(stream)) ? use.begin(session) : undefined;
    if (overUse !== undefined) {
      limits.leave(session.address, session.credential);
      return tooMany(overUse, spreadRetrySeconds());
    }
    for (const { stream } of requested) budgets.charge(session, topicUnits(stream, 1));
    const live: Promise<'live' | NotServed>[] = [];
    for (const { stream, symbol, lane } of requested) {
      const view = views.acquire(stream, symbol, lane, session);
      admitted.views.push(view);
      if (!view.isState && view.source < 0) live.push(view.live());
    }
    return live.length === 0 ? admitted : this.#whenLive(admitted, live);
  }

  async #whenLive(admitted: Admission, live: readonly Promise<'live' | NotServed>[]): Promise<Admission | Refusal> {
    const outcomes = await Promise.all(live);
    if (!this.isClosing && outcomes.every(outcome => outcome === 'live')) return admitted;
    this.#release(admitted);
    // Not 503, at which a proxy tries other gateways: this is the user's own doing.
    if (outcomes.includes('share')) return shareUsedUp();
    return unavailable(this.isClosing ? 'this gateway is closing' : 'these topics are not available at this gateway');
  }

  #release(admission: Admission): void {
    const { address, credential } = admission.session;
    this.#parts.limits.leave(address, credential);
    this.#parts.use.ended(admission.session);
    this.releaseViews(admission);
  }

  releaseViews({ views, session }: Admission): void {
    for (const view of views.splice(0)) this.#parts.views.release(view, session.owner);
  }

  /** A plain request: a probe; the demonstration page; 426 on an endpoint, else 404. */
  refusePlain(response: HttpResponse, request: HttpRequest): void {
    const asked = this.#requested(response, request);
    const path = request.getUrl();
    const probe = probeAnswer(path, this.#parts.readiness);
    if (probe !== undefined) {
      answer(asked, probe);
      return;
    }
    const page = this.#parts.demo?.answer(request, response);
    if (page !== undefined) {
      this.#answerPage(asked, page);
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

  /** Charged as a connection attempt, which it is. */
  #answerPage(asked: Answerable, page: MaybePromise<HttpAnswer>): void {
    const tooFast = this.#tooFast(asked.address);
    if (tooFast !== undefined) this.#refuse(asked, tooFast);
    else if (!(page instanceof Promise)) answer(asked, page);
    else {
      page.then(
        ready => answer(asked, ready),
        (cause: unknown) => {
          this.#parts.onFault('the demonstration page failed', cause);
          this.#refuse(asked, unavailable('no token could be signed'));
        },
      );
    }
  }

  #refuse(asked: Answerable, why: Refusal): void {
    this.#refused(asked, why);
    answer(asked, refusalAnswer(why, { [CONNECTION_HEADER]: this.#parts.log.ids.text(asked.connection) }));
  }

  #refused({ connection, address }: Answerable, why: Refusal): void {
    const { status, code, message, by } = why;
    this.#parts.onRefused(why);
    const client = { id: connection, address, user: by?.user ?? '', tier: by?.tier };
    // What a credential lacks shows only beside what the gateway read in it.
    const roles = status === 403 ? by?.roles : undefined;
    this.#parts.log.refused(client, { status, code, reason: message, roles });
    this.#parts.records?.refused(client, why);
  }
}

function overBudget(waitMs: number): Refusal {
  const message = 'work budget of this address or user exhausted';
  return { ...refusal(429, 'rate_limited', message), retryAfterSeconds: waitMs / 1000 };
}

function shareUsedUp(): Refusal {
  const message = 'your share of topics is used up: unsubscribe from others first';
  return { ...refusal(429, 'too_many_subscriptions', message), retryAfterSeconds: spreadRetrySeconds() };
}

function unrecorded(): Refusal {
  const message = 'the journal cannot be written';
  return { ...refusal(503, 'journal_unavailable', message), retryAfterSeconds: spreadRetrySeconds() };
}

function unavailable(message: string): Refusal {
  return { ...refusal(503, 'unavailable', message), retryAfterSeconds: spreadRetrySeconds() };
}
