/** A worker's view of credentials: tokens and API keys, what each may access, and which are revoked. */
import type { ApiKeyVerifier } from '../../auth/api-keys.js';
import type { ClientAuthorities } from '../../auth/client-authorities.js';
import { certificateCredential } from '../../auth/client-certificate.js';
import {
  ANONYMOUS,
  type Credential,
  compileEntitlements,
  type Entitlements,
  type TopicPolicy,
} from '../../auth/credential.js';
import { NO_PRODUCTS, type Products } from '../../auth/product.js';
import type { RevocationList } from '../../auth/revocations.js';
import type { TokenVerifier } from '../../auth/token.js';
import { isGuess, refusalText, type TokenResult } from '../../auth/token-refusal.js';
import type { RevocationRecord } from '../../threads/thread-messages.js';
import { RETRY_AFTER_SECONDS } from '../limits/retry-after.js';
import { sharedNowMs } from '../limits/shared-clock.js';
import type { Session } from '../model/session.js';
import { type Refusal, refusal } from '../refusal.js';
import { andThen, type MaybePromise } from './maybe-promise.js';

/** Makes clients that guess credentials wait. */
export interface AttemptLimiter {
  /**
   * Counts a wrong credential.
   * @returns the refusal for an address with too many of them; undefined: report the actual reason
   */
  wrongCredential(address: string, nowMs: number): Refusal | undefined;
}

/** What credentials are checked against. */
export interface Authentication {
  readonly tokens: TokenVerifier;
  /** Undefined when no API key file is configured. */
  readonly apiKeys: ApiKeyVerifier | undefined;
  readonly policy: TopicPolicy;
  /** Undefined: there are none. */
  readonly products?: Products;
  /** Entitlements of a credential that has none. */
  readonly defaultEntitlements: readonly string[];
  /** Undefined unless client certificates are credentials. */
  readonly authorities: ClientAuthorities | undefined;
}

export class Credentials {
  /** Refused tokens by reason. */
  readonly tokensRefused = new Map<string, number>();
  readonly #authentication: Authentication;
  #policy: TopicPolicy;
  #products: Products;
  readonly #attempts: AttemptLimiter;
  readonly #revocations: RevocationList;
  /** Compiled once per credential: a verifier returns the same object for the same token or key. */
  #entitlements = new WeakMap<Credential, Entitlements>();

  constructor(authentication: Authentication, attempts: AttemptLimiter, revocations: RevocationList) {
    this.#authentication = authentication;
    this.#policy = authentication.policy;
    this.#products = authentication.products ?? NO_PRODUCTS;
    this.#revocations = revocations;
    this.#attempts = attempts;
  }

  /**
   * The credential behind a token or key; `ANONYMOUS` without either. Returns a promise only when it must ask a key
   * set.
   *
   * A valid credential is accepted no matter what else comes from its address: many clients share one address behind a
   * proxy, and a client that guesses must not lock out the others. So every credential is verified, at the rate that
   * WS_CONNECT_RATE_PER_IP (upgrades) and WS_COST_RATE (`auth`) allow an address; only wrong ones are made to wait. At
   * that rate, neither a 256-bit key secret nor a token signature can be guessed.
   * @param address the client address, in the form `clientAddress` returns
   */
  of(token: string | undefined, apiKey: string | undefined, address: string): MaybePromise<Credential | Refusal> {
    if (token === undefined && apiKey === undefined) return ANONYMOUS;
    const remembered = token === undefined ? undefined : this.#authentication.tokens.remembered(token);
    if (remembered !== undefined) return this.#unlessRevoked(remembered);
    if (token === undefined) return this.#ofKey(apiKey ?? '', address);
    return andThen(this.#authentication.tokens.verify(token), result => this.#ofToken(result, address));
  }

  /** The credential for a client certificate. */
  ofCertificate(pem: string): Credential | Refusal {
    const result = certificateCredential(pem, Date.now(), this.#authentication.authorities);
    if (result.ok) return this.#unlessRevoked(result.credential);
    return refusal(401, 'unauthorized', `the client certificate was refused: ${result.reason}`);
  }

  #ofKey(apiKey: string, address: string): Credential | Refusal {
    const result = this.#authentication.apiKeys?.verify(apiKey);
    if (result?.ok === true) return this.#unlessRevoked(result.credential);
    const reason = result?.reason ?? 'unknown';
    // Only the holder of a key learns that it has expired.
    return this.#refused(address, reason !== 'expired', `the API key was refused: ${reason}`);
  }

  /** Applies another policy from now on; open sessions keep what they have until they are checked again. */
  usePolicy(policy: TopicPolicy): void {
    this.#policy = policy;
    this.#entitlements = new WeakMap();
  }

  /** Those in force. */
  get products(): Products {
    return this.#products;
  }

  /** The same for products. */
  useProducts(products: Products): void {
    this.#products = products;
    this.#entitlements = new WeakMap();
  }

  entitlementsOf(credential: Credential): Entitlements {
    let entitlements = this.#entitlements.get(credential);
    if (entitlements === undefined) {
      const { defaultEntitlements } = this.#authentication;
      entitlements = compileEntitlements(credential, this.#policy, defaultEntitlements, this.#products);
      this.#entitlements.set(credential, entitlements);
    }
    return entitlements;
  }

  /**
   * What the holder of this credential would get now; undefined if its API key, or the authority of its certificate,
   * is gone.
   */
  current(credential: Credential): Credential | undefined {
    const { apiKeyId, authority } = credential;
    if (apiKeyId !== undefined) return this.#authentication.apiKeys?.current(apiKeyId);
    return authority === undefined || this.#authentication.authorities?.has(authority) === true
      ? credential
      : undefined;
  }

  /** @returns the sessions whose credentials these revoke */
  revoke(revocations: readonly RevocationRecord[], sessions: Iterable<Session>): Session[] {
    for (const revocation of revocations) this.#revocations.take(revocation);
    return [...sessions].filter(session => this.#revocations.covers(session.credential));
  }

  /** False when an accepted credential has since been revoked. @param apiKey the key it came from, if any */
  isStillGood(credential: Credential, apiKey: string | undefined): boolean {
    if (this.#revocations.covers(credential)) return false;
    return (
      credential.apiKeyId === undefined ||
      apiKey === undefined ||
      this.#authentication.apiKeys?.verify(apiKey).ok === true
    );
  }

  #refused(address: string, isGuessed: boolean, message: string): Refusal {
    const wait = !isGuessed ? undefined : this.#attempts.wrongCredential(address, sharedNowMs());
    return wait ?? refusal(401, 'unauthorized', message);
  }

  #ofToken(result: TokenResult, address: string): Credential | Refusal {
    if (result.ok) return this.#unlessRevoked(result.credential);
    this.tokensRefused.set(result.reason, (this.tokensRefused.get(result.reason) ?? 0) + 1);
    if (result.reason === 'keys_unavailable') {
      const unavailable = refusal(503, 'unavailable', 'token verification keys are unavailable');
      return { ...unavailable, retryAfterSeconds: RETRY_AFTER_SECONDS };
    }
    const message = `the token was refused: ${refusalText(result)}`;
    // A valid token that grants too little (RFC 6750 section 3.1).
    if (result.reason === 'scope') return refusal(403, 'forbidden', message);
    return this.#refused(address, isGuess(result), message);
  }

  #unlessRevoked(credential: Credential): Credential | Refusal {
    if (!this.#revocations.covers(credential)) return credential;
    return refusal(401, 'unauthorized', 'the credential was revoked');
  }
}
