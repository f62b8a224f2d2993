/** Credentials as one worker sees them: tokens and API keys, what they may see, and which were taken back. */
import type { ApiKeyVerifier } from '../auth/api-keys.js';
import { ANONYMOUS, type Credential, compileEntitlements, type Entitlements } from '../auth/credential.js';
import type { TopicPolicy } from '../auth/policy.js';
import { matches, RevocationList } from '../auth/revocations.js';
import type { TokenVerifier } from '../auth/token.js';
import { type Refusal, refusal } from './request.js';
import type { Session } from './session.js';

const RETRY_AFTER_SECONDS = 5;

export class Credentials {
  readonly #tokens: TokenVerifier;
  /** Undefined where no file of API keys is configured. */
  readonly #apiKeys: ApiKeyVerifier | undefined;
  readonly #policy: TopicPolicy;
  readonly #revocations = new RevocationList();
  /** Compiled once per credential: a verifier hands out the same object for the same token or key. */
  readonly #entitlements = new WeakMap<Credential, Entitlements>();

  constructor(tokens: TokenVerifier, apiKeys: ApiKeyVerifier | undefined, policy: TopicPolicy) {
    this.#tokens = tokens;
    this.#apiKeys = apiKeys;
    this.#policy = policy;
  }

  /** Who comes with these; `ANONYMOUS` with none. A promise only where a signature has to be checked. */
  of(token: string | undefined, apiKey: string | undefined): Credential | Refusal | Promise<Credential | Refusal> {
    if (token !== undefined) {
      const remembered = this.#tokens.remembered(token);
      return remembered === undefined ? this.#verified(token) : this.#unlessRevoked(remembered);
    }
    if (apiKey === undefined) return ANONYMOUS;
    const result = this.#apiKeys?.verify(apiKey);
    if (result?.ok === true) return this.#unlessRevoked(result.credential);
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

  /** Takes a message of `control.revoke`. @returns the sessions whose credentials it ends; undefined: it is none */
  revoke(message: unknown, atMs: number, sessions: Iterable<Session>): Session[] | undefined {
    const revocation = this.#revocations.add(message, atMs);
    if (revocation === undefined) return undefined;
    return [...sessions].filter(session => matches(revocation, session.credential));
  }

  /**
   * False when a credential that was accepted has been taken back since. @param apiKey what it came with, if that was a key
   */
  isStillGood(credential: Credential, apiKey: string | undefined): boolean {
    if (this.#revocations.covers(credential)) return false;
    return credential.apiKeyId === undefined || apiKey === undefined || this.#apiKeys?.verify(apiKey).ok === true;
  }

  async #verified(token: string): Promise<Credential | Refusal> {
    const result = await this.#tokens.verify(token);
    if (result.ok) return this.#unlessRevoked(result.credential);
    if (result.reason === 'keys_unavailable') {
      const unavailable = refusal(503, 'unavailable', 'the keys that verify tokens cannot be had');
      return { ...unavailable, retryAfterSeconds: RETRY_AFTER_SECONDS };
    }
    return refusal(401, 'unauthorized', `the token was refused: ${result.reason}`);
  }

  #unlessRevoked(credential: Credential): Credential | Refusal {
    if (!this.#revocations.covers(credential)) return credential;
    return refusal(401, 'unauthorized', 'the credential was revoked');
  }
}
