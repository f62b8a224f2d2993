/** Credentials as one worker sees them: tokens and API keys, what they may see, and which were taken back. */
import type { ApiKeyVerifier } from '../auth/api-keys.js';
import { certificateCredential } from '../auth/client-certificate.js';
import { ANONYMOUS, type Credential, compileEntitlements, type Entitlements } from '../auth/credential.js';
import type { TopicPolicy } from '../auth/policy.js';
import type { RevocationList } from '../auth/revocations.js';
import type { TokenRefusal, TokenResult, TokenVerifier } from '../auth/token.js';
import type { RevocationRecord } from '../protocol/thread-messages.js';
import { USER_RULE } from '../protocol/user-subject.js';
import { andThen, type MaybePromise } from './admission.js';
import { RETRY_AFTER_SECONDS } from './limits/retry-after.js';
import { type Refusal, refusal } from './request.js';
import type { Session } from './session.js';
import { sharedNowMs } from './shared-clock.js';

/** Keeps those who guess credentials waiting. */
export interface Guard {
  /** Why a credential from this address is not looked at now. */
  mayTry(address: string, nowMs: number): Refusal | undefined;
  tryFailed(address: string, nowMs: number): void;
}

/** Of a token or key that was good once, whoever has it: nobody guesses those. */
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
   * @param address where it comes from, as `clientAddress` has it
   */
  of(token: string | undefined, apiKey: string | undefined, address: string): MaybePromise<Credential | Refusal> {
    if (token === undefined && apiKey === undefined) return ANONYMOUS;
    const remembered = token === undefined ? undefined : this.#tokens.remembered(token);
    if (remembered !== undefined) return this.#unlessRevoked(remembered);
    // Before it is looked at: else a guess that is right would be told from one that is wrong.
    const wait = this.#guard.mayTry(address, sharedNowMs());
    if (wait !== undefined) return wait;
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
    this.#failed(address, result?.reason ?? 'unknown');
    return refusal(401, 'unauthorized', `the API key was refused: ${result?.reason ?? 'unknown'}`);
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

  #failed(address: string, reason: string): void {
    if (!NOT_GUESSED.has(reason)) this.#guard.tryFailed(address, sharedNowMs());
  }

  #ofToken(result: TokenResult, address: string): Credential | Refusal {
    if (result.ok) return this.#unlessRevoked(result.credential);
    if (result.reason === 'keys_unavailable') {
      const unavailable = refusal(503, 'unavailable', 'the keys that verify tokens cannot be had');
      return { ...unavailable, retryAfterSeconds: RETRY_AFTER_SECONDS };
    }
    this.#failed(address, result.reason);
    return refusal(401, 'unauthorized', `the token was refused: ${WHY[result.reason] ?? result.reason}`);
  }

  #unlessRevoked(credential: Credential): Credential | Refusal {
    if (!this.#revocations.covers(credential)) return credential;
    return refusal(401, 'unauthorized', 'the credential was revoked');
  }
}
