/** Who may connect, and to what: everything that is decided before the upgrade. */
import type { Credential } from '../../auth/credential.js';
import { mayHave } from '../../auth/credential.js';
import { isMarketData, type Stream, topicOf } from '../../protocol/topics.js';
import { CLASSES, defaultClass } from '../../protocol/view-options.js';
import type { SymbolLookup } from '../commands/symbol-lookup.js';
import type { TokenBucket } from '../limits/message-rate.js';
import type { Owners } from '../limits/owner.js';
import type { Account } from '../limits/work-budgets.js';
import type { KeepaliveState } from '../model/flow.js';
import { type Admission, type RequestedTopic, Session } from '../model/session.js';
import { type Denial, denialsOf, type Refusal, refusal, refusedTo, shorten } from '../refusal.js';
import type { Credentials } from '../sessions/credentials.js';
import { andThen, type MaybePromise } from '../sessions/maybe-promise.js';
import { delayText, laneFor, ownName } from '../views/view-of.js';
import { ignoredWarnings } from './query.js';
import { PRIVATE_ENDPOINTS, type UpgradeRequest } from './upgrade-request.js';

interface AdmissionsOptions {
  readonly credentials: Credentials;
  /** Whether clients may connect without a credential to endpoints that need none. */
  readonly isAnonymousAllowed: boolean;
  readonly owners: Owners;
  readonly symbols: SymbolLookup;
  readonly subscriptionsMax: number;
  /** The keepalive state of a new session. */
  readonly newKeepalive: (expiresAtMs: number) => KeepaliveState;
  readonly newMessageTokens: () => TokenBucket;
  readonly newControlTokens: () => TokenBucket;
  readonly newAccount: (address: string) => Account;
}

export class Admissions {
  readonly #options: AdmissionsOptions;

  constructor(options: AdmissionsOptions) {
    this.#options = options;
  }

  /** Returns a promise only when it must fetch keys from a key set or ask the hub for a symbol. */
  admit(request: UpgradeRequest, address: string, connection: number): MaybePromise<Admission | Refusal> {
    return andThen(this.#credentialOf(request, address), credential => {
      if ('status' in credential) return credential;
      const { isAnonymousAllowed } = this.#options;
      if (credential.sub === '' && (!isAnonymousAllowed || PRIVATE_ENDPOINTS.has(request.endpoint))) {
        return refusal(401, 'unauthorized', 'a token or an API key is required');
      }
      const admitted = this.#admitAs(credential, request, address, connection);
      return andThen(admitted, outcome => refusedTo(outcome, credential));
    });
  }

  #credentialOf({ token, apiKey, certificate }: UpgradeRequest, address: string): MaybePromise<Credential | Refusal> {
    const { credentials } = this.#options;
    const isBare = token === undefined && apiKey === undefined;
    return isBare && certificate !== undefined
      ? credentials.ofCertificate(certificate)
      : credentials.of(token, apiKey, address);
  }

  /** Checks again after an await: the credential may have been revoked in the meantime. */
  isStillGood({ session }: Admission, { apiKey }: UpgradeRequest): boolean {
    return this.#options.credentials.isStillGood(session.credential, apiKey);
  }

  #admitAs(
    credential: Credential,
    request: UpgradeRequest,
    address: string,
    connection: number,
  ): MaybePromise<Admission | Refusal> {
    // Report problems with the request only to clients that are allowed to ask.
    if (request.problem !== undefined) return request.problem;
    const fastestClass = defaultClass(credential.tier);
    if (request.rateClass !== undefined && request.rateClass < fastestClass) {
      return refusal(403, 'forbidden', `class: the fastest for this credential is ${CLASSES[fastestClass]}`);
    }
    const session = this.#newSession(request, credential, address, connection);
    if (request.stream === undefined)
      return { session, requested: [], warnings: ignoredWarnings(request.ignored), views: [] };
    return this.#topics(session, request, request.stream);
  }

  #topics(session: Session, request: UpgradeRequest, stream: Stream): MaybePromise<Admission | Refusal> {
    const { subscriptionsMax, symbols } = this.#options;
    if (request.symbols.length > subscriptionsMax) {
      return refusal(400, 'too_many_subscriptions', `at most ${subscriptionsMax} topics per connection`);
    }
    const isNamed = request.symbols.length > 0 && isMarketData(stream);
    return andThen(isNamed ? symbols.unknown(request.symbols) : [], unknown =>
      this.#known(session, request, stream, unknown),
    );
  }

  #known(session: Session, request: UpgradeRequest, stream: Stream, unknown: readonly string[]): Admission | Refusal {
    const asked = request.symbols.length === 0 ? [ownName(session, stream)] : request.symbols;
    const unknownSet = new Set(unknown);
    const known = asked.filter(symbol => !unknownSet.has(symbol));
    const allowed = known.filter(symbol => mayHave(session.entitlements, stream, symbol));
    const mayLeaveOut = stream === 'quotes';
    if (known.length === 0 || (unknown.length > 0 && !mayLeaveOut)) {
      return refusal(400, 'invalid_symbol', `unknown: ${shorten(unknown)}`);
    }
    if (allowed.length === 0 || (allowed.length < known.length && !mayLeaveOut)) {
      return forbidden(denialsOf(session.entitlements, stream, known));
    }
    const requested = allowed.map(symbol => ({ stream, symbol, lane: laneFor(session, stream, request.bookDetail) }));
    const warnings = [
      ...delayedWarnings(session, requested),
      ...leftOutWarnings(unknown, known, allowed),
      ...ignoredWarnings(request.ignored),
    ];
    return { session, requested, warnings, views: [] };
  }

  #newSession(request: UpgradeRequest, credential: Credential, address: string, connection: number): Session {
    const { credentials, owners, newKeepalive, newMessageTokens, newControlTokens, newAccount } = this.#options;
    return new Session({
      id: connection,
      address,
      endpoint: request.endpoint,
      owner: owners.of(credential.sub, address),
      credential,
      entitlements: credentials.entitlementsOf(credential),
      askedClass: request.rateClass,
      format: request.format,
      isStamped: request.isStamped,
      keepalive: newKeepalive(credential.expiresAtMs),
      messageTokens: newMessageTokens(),
      controlTokens: newControlTokens(),
      account: newAccount(address),
    });
  }
}

/** One answer for all of them: the first denial that names a product says most. */
function forbidden(denials: readonly Denial[]): Refusal {
  const denial = denials.find(({ product }) => product !== undefined) ?? denials[0];
  const refused = refusal(403, 'forbidden', denial?.message ?? 'not entitled');
  return denial?.product === undefined ? refused : { ...refused, product: denial.product };
}

/** There is no `subscribed` that says so: one warning for each delay. */
function delayedWarnings(session: Session, requested: readonly RequestedTopic[]): readonly object[] {
  const byDelay = new Map<number, string[]>();
  for (const { stream, symbol } of requested) {
    const delayMs = session.delayMsOf(stream, symbol);
    if (delayMs === 0) continue;
    const topics = byDelay.get(delayMs) ?? [];
    topics.push(topicOf(stream, symbol));
    byDelay.set(delayMs, topics);
  }
  return [...byDelay].map(([delayMs, topics]) => {
    const delay = delayText(delayMs);
    return { type: 'warning', code: 'delayed', message: `delayed by ${delay}: ${shorten(topics)}`, topics, delay };
  });
}

function leftOutWarnings(
  unknown: readonly string[],
  known: readonly string[],
  allowed: readonly string[],
): readonly object[] {
  if (unknown.length > 0) {
    const message = `unknown, left out: ${shorten(unknown)}`;
    return [{ type: 'warning', code: 'invalid_symbol', message, symbols: unknown }];
  }
  if (allowed.length === known.length) return [];
  const allowedSet = new Set(allowed);
  const denied = known.filter(symbol => !allowedSet.has(symbol));
  const message = `not entitled, left out: ${shorten(denied)}`;
  return [{ type: 'warning', code: 'forbidden', message, symbols: denied }];
}
