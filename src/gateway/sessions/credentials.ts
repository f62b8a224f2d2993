/** Credentials as one worker sees them: tokens and API keys, what they may see, and which were taken back. */
import type { ApiKeyVerifier } from '../../auth/api-keys.js';
import { certificateCredential } from '../../auth/client-certificate.js';
import {
  ANONYMOUS,
  type Credential,
  compileEntitlements,
  type Entitlements,
  type TopicPolicy,
} from '../../auth/credential.js';
import type { RevocationList } from '../../auth/revocations.js';
import type { TokenRefusal, TokenResult, TokenVerifier } from '../../auth/token.js';
import { USER_RULE } from '../../protocol/user-subject.js';
import type { RevocationRecord } from '../../threads/thread-messages.js';
import { RETRY_AFTER_SECONDS } from '../limits/retry-after.js';
import { sharedNowMs } from '../limits/shared-clock.js';
import type { Session } from '../model/session.js';
import { type Refusal, refusal } from '../refusal.js';
import { andThen, type MaybePromise } from './maybe-promise.js';

/** Tells those who guess credentials to wait. */
export interface Guard {
  /**
   * Counts a wrong credential. @returns what the client is told where too many from this address were wrong; undefined: why this
   * one was
   */
  wrongCredential(address: string, nowMs: number): Refusal | undefined;
}

/** Of a token or key that was good once, or may be: these are no guesses. */
const NOT_GUESSED: ReadonlySet<string> = new Set(['expired', 'keys_unavailable', 'sub', 'lifetime']);
/** What the client is told where the reason's name does not say it. */
const WHY: Readonly<Partial<Record<TokenRefusal, string>>> = {
  sub: `its sub ${USER_RULE}`,
  lifetime: 'it has no iat, or lives longer from iat to exp than AUTH_TOKEN_MAX_AGE allows',
};

export class Credentials {
  readonly #tokens: TokenVerifier;
  /** Undefined where no file of API keys is configured. */
  readonly #apiKeys: ApiKeyVerifier | undefined;
  readonly #policy: TopicPolicy;
  readonly #guard: Guard;
  readonly #revocations: RevocationList;
  /** Compiled once per credential: a verifier hands out the same object for the same token or key. */
  readonly #entitlements = new WeakMap<Credential, Entitlements>();

  constructor(
    tokens: TokenVerifier,
    apiKeys: ApiKeyVerifier | undefined,
    policy: TopicPolicy,
    guard: Guard,
    revocations: RevocationList,
  ) {
    this.#revocations = revocations;
    this.#guard = guard;
    this.#tokens = tokens;
    this.#apiKeys = apiKeys;
    this.#policy = policy;
  }

  /**
   * Who comes with these; `ANONYMOUS` with none. A promise only where a key set has to be asked.
   *
   * A right credential is let in whatever else comes from its address: many clients share one behind a proxy, and one of them
   * that guesses must not lock out the others. So every credential is verified, at the rate that WS_CONNECT_RATE_PER_IP (upgrades) and
   * WS_COST_RATE (`auth`) leave an address; only wrong ones are told to wait. Neither a key's secret of 256 bits nor a
   * token's signature is guessed at such a rate.
   * @param address where it comes from, as `clientAddress` has it
   */
  of(token: string | undefined, apiKey: string | undefined, address: string): MaybePromise<Credential | Refusal> {
    if (token === undefined && apiKey === undefined) return ANONYMOUS;
    const remembered = token === undefined ? undefined : this.#tokens.remembered(token);
    if (remembered !== undefined) return this.#unlessRevoked(remembered);
    if (token === undefined) return this.#ofKey(apiKey ?? '', address);
    return andThen(this.#tokens.verify(token), result => this.#ofToken(result, address));
  }

  /** Who shows this certificate. */
  ofCertificate(pem: string): Credential | Refusal {
    const result = certificateCredential(pem, Date.now());
    if (result.ok) return this.#unlessRevoked(result.credential);
    return refusal(401, 'unauthorized', `the client certificate was refused: ${result.reason}`);
  }

  #ofKey(apiKey: string, address: string): Credential | Refusal {
    const result = this.#apiKeys?.verify(apiKey);
    if (result?.ok === true) return this.#unlessRevoked(result.credential);
    const reason = result?.reason ?? 'unknown';
    return this.#refused(address, reason, `the API key was refused: ${reason}`);
  }

  entitlementsOf(credential: Credential): Entitlements {
    let entitlements = this.#entitlements.get(credential);
    if (entitlements === undefined) {
      entitlements = compileEntitlements(credential, this.#policy);
      this.#entitlements.set(credential, entitlements);
    }
    return entitlements;
  }

  /** @returns the sessions whose credentials these end */
  revoke(revocations: readonly RevocationRecord[], sessions: Iterable<Session>): Session[] {
    for (const revocation of revocations) this.#revocations.take(revocation);
    return [...sessions].filter(session => this.#revocations.covers(session.credential));
  }

  /**
   * False when a credential that was accepted has been taken back since. @param apiKey what it came with, if that was a key
   */
  isStillGood(credential: Credential, apiKey: string | undefined): boolean {
    if (this.#revocations.covers(credential)) return false;
    return credential.apiKeyId === undefined || apiKey === undefined || this.#apiKeys?.verify(apiKey).ok === true;
  }

  #refused(address: string, reason: string, message: string): Refusal {
    const wait = NOT_GUESSED.has(reason) ? undefined : this.#guard.wrongCredential(address, sharedNowMs());
    return wait ?? refusal(401, 'unauthorized', message);
  }

  #ofToken(result: TokenResult, address: string): Credential | Refusal {
    if (result.ok) return this.#unlessRevoked(result.credential);
    if (result.reason === 'keys_unavailable') {
      const unavailable = refusal(503, 'unavailable', 'the keys that verify tokens cannot be had');
      return { ...unavailable, retryAfterSeconds: RETRY_AFTER_SECONDS };
    }
    return this.#refused(address, result.reason, `the token was refused: ${WHY[result.reason] ?? result.reason}`);
  }

  #unlessRevoked(credential: Credential): Credential | Refusal {
    if (!this.#revocations.covers(credential)) return credential;
    return refusal(401, 'unauthorized', 'the credential was revoked');
  }
}
