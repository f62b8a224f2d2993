/** Who may connect, and to what: everything that is decided before the upgrade. */
import { ANONYMOUS, type Credential, compileEntitlements, type Entitlements } from '../auth/credential.js';
import type { TokenVerifier } from '../auth/token.js';
import { CLASSES, defaultClass, laneOf, REALTIME, TRADES_FULL, TRADES_PUBLIC } from '../protocol/lanes.js';
import { ALL_SYMBOLS, isStateStream, type Stream } from '../protocol/topics.js';
import type { KnownSymbols } from './known-symbols.js';
import type { LaneEntry } from './lane-table.js';
import { type Refusal, refusal, type UpgradeRequest } from './request.js';
import type { Session } from './session.js';
import type { Wanted } from './subscriptions.js';

export interface Admission {
  readonly session: Session;
  readonly wanted: readonly Wanted[];
  /** Sent behind the first snapshot. */
  readonly warning: object | undefined;
  /** Lanes held on behalf of the session until it is open. */
  readonly lanes: LaneEntry[];
}

export class Admissions {
  readonly #verifier: TokenVerifier;
  readonly #symbols: KnownSymbols;
  readonly #subscriptionsMax: number;
  readonly #nextId: () => number;
  /** Compiled once per credential: the verifier hands out the same object for the same token. */
  readonly #entitlements = new WeakMap<Credential, Entitlements>();

  constructor(verifier: TokenVerifier, symbols: KnownSymbols, subscriptionsMax: number, nextId: () => number) {
    this.#verifier = verifier;
    this.#symbols = symbols;
    this.#subscriptionsMax = subscriptionsMax;
    this.#nextId = nextId;
  }

  async admit(request: UpgradeRequest): Promise<Admission | Refusal> {
    const credential = await this.#credential(request);
    if ('status' in credential) return credential;
    // What is wrong with the request is told only to those who may ask.
    if (request.problem !== undefined) return request.problem;
    const session = this.#newSession(request, credential);
    if (session.defaultClass < session.fastestClass) {
      return refusal(403, 'forbidden', `class: the fastest for this credential is ${CLASSES[session.fastestClass]}`);
    }
    if (request.stream === undefined) return { session, wanted: [], warning: undefined, lanes: [] };
    return this.#topics(session, request, request.stream);
  }

  async #credential(request: UpgradeRequest): Promise<Credential | Refusal> {
    if (request.token !== undefined) {
      const result = await this.#verifier.verify(request.token);
      if (result.ok) return result.credential;
      if (result.reason === 'keys_unavailable') {
        return { ...refusal(503, 'unavailable', 'the keys that verify tokens cannot be had'), retryAfterSeconds: 5 };
      }
      return refusal(401, 'unauthorized', `the token was refused: ${result.reason}`);
    }
    if (request.apiKey !== undefined) return refusal(401, 'unauthorized', 'the API key is not known');
    if (request.endpoint === 'quotes') return refusal(401, 'unauthorized', 'a token is required');
    return ANONYMOUS;
  }

  async #topics(session: Session, request: UpgradeRequest, stream: Stream): Promise<Admission | Refusal> {
    if (request.symbols.length > this.#subscriptionsMax) {
      return refusal(400, 'too_many_subscriptions', `at most ${this.#subscriptionsMax} topics a connection`);
    }
    const asked = request.symbols.length === 0 ? [ALL_SYMBOLS] : request.symbols;
    const unknown = request.symbols.length === 0 ? [] : await this.#symbols.unknown(request.symbols);
    const known = asked.filter(symbol => !unknown.includes(symbol));
    const allowed = known.filter(symbol => session.entitlements.maySubscribe(stream, symbol));
    const mayLeaveOut = stream === 'quotes';
    if (known.length === 0 || (unknown.length > 0 && !mayLeaveOut)) {
      return refusal(400, 'invalid_symbol', `unknown: ${shorten(unknown)}`);
    }
    if (allowed.length === 0 || (allowed.length < known.length && !mayLeaveOut)) {
      return refusal(403, 'forbidden', `not entitled to ${stream} of ${shorten(known)}`);
    }
    const wanted = allowed.map(symbol => ({ stream, symbol, lane: laneFor(session, stream, request.bookDetail) }));
    return { session, wanted, warning: warningFor(unknown, known, allowed), lanes: [] };
  }

  #entitlementsOf(credential: Credential): Entitlements {
    let entitlements = this.#entitlements.get(credential);
    if (entitlements === undefined) {
      entitlements = compileEntitlements(credential);
      this.#entitlements.set(credential, entitlements);
    }
    return entitlements;
  }

  #newSession(request: UpgradeRequest, credential: Credential): Session {
    const fastestClass = defaultClass(credential.tier);
    return {
      id: this.#nextId(),
      credential,
      entitlements: this.#entitlementsOf(credential),
      format: request.format,
      isStamped: request.isStamped,
      tier: credential.tier,
      defaultClass: request.rateClass ?? fastestClass,
      fastestClass,
      subscriptions: new Map(),
      socket: undefined,
      isStalled: false,
      droppedInTurn: 0,
      sampledBytes: 0,
      isBusy: false,
      backlog: [],
    };
  }
}

/** The lane that serves this session a stream. @param rateClass for state streams; events have none */
export function laneFor(
  session: Session,
  stream: Stream,
  bookDetail: number,
  rateClass = session.defaultClass,
): number {
  const { format, isStamped } = session;
  if (isStateStream(stream)) return laneOf(rateClass, stream === 'depth' ? bookDetail : 0, format, isStamped);
  return laneOf(REALTIME, session.entitlements.hasFullTrades ? TRADES_FULL : TRADES_PUBLIC, format, isStamped);
}

const NAMED_MAX = 20;

/** The first few names, so that an answer stays short whatever was asked. */
export function shorten(symbols: readonly string[]): string {
  const named = symbols.slice(0, NAMED_MAX).map(symbol => symbol.slice(0, 64));
  const more = symbols.length - named.length;
  return more > 0 ? `${named.join(', ')} and ${more} more` : named.join(', ');
}

function warningFor(unknown: readonly string[], known: readonly string[], allowed: readonly string[]) {
  if (unknown.length > 0) {
    return {
      type: 'warning',
      code: 'invalid_symbol',
      message: `unknown, left out: ${shorten(unknown)}`,
      symbols: unknown,
    };
  }
  if (allowed.length === known.length) return undefined;
  const denied = known.filter(symbol => !allowed.includes(symbol));
  return { type: 'warning', code: 'forbidden', message: `not entitled, left out: ${shorten(denied)}`, symbols: denied };
}
