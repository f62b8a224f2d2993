/**
 * JSON Web Tokens (RFC 7519) → credentials. The configured key alone determines the accepted algorithms, never the
 * token: a secret means HS256, a key set a public-key algorithm that the key fits (RFC 8725, section 3.1).
 */
import { type KeyObject, randomUUID } from 'node:crypto';
import { type JWTPayload, SignJWT } from 'jose';
import type { AuthConfig } from '../config/environment.js';
import type { Tier } from '../protocol/view-options.js';
import type { Credential } from './credential.js';
import type { Use } from './declared-use.js';
import { KeySet, type KeySource } from './key-set.js';
import { readTokenKeys, type TokenKeys } from './keys.js';
import { verifiedBySecret } from './secret-token.js';
import { TokenCache } from './token-cache.js';
import { claimsExpected, credentialOf, refusalOf } from './token-claims.js';
import { refusedToken, type TokenResult } from './token-refusal.js';

/** Longer tokens are refused unread, in bytes. */
export const TOKEN_BYTES_MAX = 8_192;
/**
 * The form of a compact JWS: three parts, so that encrypted or badly cut tokens never reach the decoder. Decoders skip
 * characters that are not base64url; if they were accepted, one token would have endless spellings, each cached.
 */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]*$/;
const NO_KEYS: KeySource = { keys: undefined, refresh: async () => {} };

export interface TokenVerifier {
  /**
   * Returns a promise only if a key set must be consulted. Never rejects or throws: a refusal is a value. The same
   * token yields the same credential object while it is cached. The caller must check revocations, for this and for
   * `remembered`.
   */
  verify(token: string): TokenResult | Promise<TokenResult>;
  /**
   * The credential of a recently verified token that has not expired; undefined for all others, which {@link verify}
   * may still accept.
   */
  remembered(token: string): Credential | undefined;
  /** Verifies with these keys from now on, and verifies every token again. */
  use(keys: TokenKeys): void;
}

interface TokenVerifierOptions {
  /** Ms since the Unix epoch, compared with `exp` and `iat`. */
  readonly nowMs?: () => number;
  /** Of a clock that is never set; measures the age of cached tokens. */
  readonly monotonicMs?: () => number;
  /** The key set of AUTH_JWKS_URL; without it, tokens are refused with `keys_unavailable`. */
  readonly remoteKeys?: KeySource;
}

/**
 * Creates a verifier for the configured keys, which it reads now.
 * @throws {ConfigError} naming the variable, with its `cause`, if a key is unusable.
 */
export async function createTokenVerifier(
  config: AuthConfig,
  options: TokenVerifierOptions = {},
): Promise<TokenVerifier> {
  return new Verifier(config, await readTokenKeys(config), options);
}

class Verifier implements TokenVerifier {
  readonly #config: AuthConfig;
  readonly #nowMs: () => number;
  readonly #monotonicMs: () => number;
  readonly #remoteKeys: KeySource;
  readonly #cache: TokenCache;
  #keySet: KeySet | undefined;
  #secrets: readonly KeyObject[] = [];
  /** Counts the changes of keys. */
  #generation = 0;

  constructor(config: AuthConfig, keys: TokenKeys, { nowMs, monotonicMs, remoteKeys }: TokenVerifierOptions) {
    this.#config = config;
    this.#nowMs = nowMs ?? Date.now;
    this.#monotonicMs = monotonicMs ?? (() => performance.now());
    this.#remoteKeys = remoteKeys ?? NO_KEYS;
    this.#cache = new TokenCache(config.clockToleranceMs);
    this.use(keys);
  }

  remembered(token: string): Credential | undefined {
    this.#keySet?.look();
    return this.#cache.get(token, this.#nowMs(), this.#monotonicMs());
  }

  verify(token: string): TokenResult | Promise<TokenResult> {
    const remembered = this.remembered(token);
    if (remembered !== undefined) return { ok: true, credential: remembered };
    if (token.length > TOKEN_BYTES_MAX || !COMPACT.test(token)) return refusedToken('malformed');
    const claims = claimsExpected(this.#config, this.#nowMs());
    const generation = this.#generation;
    if (this.#keySet !== undefined) {
      return this.#keySet
        .verified(token, claims)
        .then(payload => this.#accept(token, payload, generation))
        .catch(refusalOf);
    }
    if (this.#secrets.length === 0) return refusedToken('key');
    try {
      return this.#accept(token, verifiedBySecret(token, this.#secrets, claims), generation);
    } catch (error) {
      return refusalOf(error);
    }
  }

  use(keys: TokenKeys): void {
    this.#forget();
    this.#secrets = keys.kind === 'secrets' ? keys.secrets : [];
    this.#keySet = undefined;
    if (keys.kind === 'secrets') return;
    const source = keys.kind === 'remote' ? this.#remoteKeys : { keys: keys.keys, refresh: async () => {} };
    this.#keySet = new KeySet(source, () => this.#forget());
  }

  #forget(): void {
    this.#cache.clear();
    this.#generation++;
  }

  /** @param generation of the keys that verified it: others may count now */
  #accept(token: string, payload: JWTPayload, generation: number): TokenResult {
    const result = credentialOf(payload, this.#config, this.#nowMs());
    if (result.ok && generation === this.#generation) this.#cache.set(token, result.credential, this.#monotonicMs());
    return result;
  }
}

export interface TokenRequest {
  /** HS256 secret, at least 32 bytes. */
  readonly secret: string;
  readonly sub: string;
  readonly tier?: Tier;
  readonly roles?: readonly string[];
  /** Default: every public stream. */
  readonly entitlements?: readonly string[] | undefined;
  readonly firm?: string | undefined;
  readonly professional?: boolean | undefined;
  readonly use?: Use | undefined;
  readonly ttlMs: number;
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
}

/** Signs a token that {@link createTokenVerifier} with the same secret accepts for `ttlMs`, rounded up to a second. */
export async function mintToken(request: TokenRequest, nowMs: () => number = Date.now): Promise<string> {
  const { entitlements, firm, professional, use, issuer, audience } = request;
  const issuedAt = Math.floor(nowMs() / 1000);
  const token = new SignJWT({
    tier: request.tier ?? 'retail',
    roles: [...(request.roles ?? [])],
    ...(entitlements === undefined ? {} : { entitlements: [...entitlements] }),
    ...(firm === undefined ? {} : { firm }),
    ...(professional === undefined ? {} : { professional }),
    ...(use === undefined ? {} : { use }),
  })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(request.sub)
    .setJti(randomUUID())
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + Math.ceil(request.ttlMs / 1000));
  if (issuer !== undefined) token.setIssuer(issuer);
  if (audience !== undefined) token.setAudience(audience);
  return token.sign(new TextEncoder().encode(request.secret));
}
