/**
 * JSON Web Tokens (RFC 7519) → credentials. The configured key alone determines the accepted algorithms, never the
 * token: a secret means HS256, a key set RS256, ES256 or EdDSA (RFC 8725, section 3.1).
 */
import { randomUUID } from 'node:crypto';
import {
  errors,
  type JWTClaimVerificationOptions,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
  SignJWT,
} from 'jose';
import type { AuthConfig } from '../config/environment.js';
import { isUser } from '../protocol/user-subject.js';
import { TIERS, type Tier } from '../protocol/view-options.js';
import { CLOCK_TOLERANCE_MS, type Credential, isEntitlement, SUBJECT_LENGTH_MAX } from './credential.js';
import { readTokenKeys, type TokenKeys } from './keys.js';
import { verifiedBySecret } from './secret-token.js';
import { TokenCache } from './token-cache.js';

/** Algorithms allowed for the keys of a key set. */
const KEY_SET_ALGORITHMS = ['RS256', 'ES256', 'EdDSA'];
/** Longer tokens are refused unread, in bytes. */
export const TOKEN_BYTES_MAX = 8_192;
/**
 * The form of a compact JWS: three parts, so that encrypted or badly cut tokens never reach the decoder. Decoders skip
 * characters that are not base64url; if they were accepted, one token would have endless spellings, each cached.
 */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]*$/;
/** The last time that `Date` can represent, ms since the Unix epoch (ECMA-262, section 21.4.1.1). */
const TIME_MS_MAX = 8.64e15;

/**
 * Why a token is refused. `keys_unavailable` is not the token's fault: the key set cannot be fetched or contains an
 * unusable key, so the same token may be accepted later.
 */
export type TokenRefusal =
  | 'malformed'
  | 'expired'
  | 'signature'
  | 'audience'
  | 'issuer'
  | 'claims'
  /** The user is invalid: empty, too long, or not valid UTF-8. */
  | 'sub'
  /** It lives longer than `AUTH_TOKEN_MAX_AGE`, or lacks `iat`, so that this is unknown. */
  | 'lifetime'
  | 'keys_unavailable';

export type TokenResult =
  | { readonly ok: true; readonly credential: Credential }
  | { readonly ok: false; readonly code: 'unauthorized'; readonly reason: TokenRefusal };

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

/**
 * Creates a verifier for the configured key. A key file is read now, a key URL when the first token arrives.
 * @param nowMs ms since the Unix epoch, compared with `exp` and `iat`.
 * @param monotonicMs of a clock that is never set; measures the age of keys and cached tokens.
 * @throws {ConfigError} naming the variable, with its `cause`, if the key is unusable.
 */
export async function createTokenVerifier(
  config: AuthConfig,
  nowMs: () => number = Date.now,
  monotonicMs: () => number = () => performance.now(),
): Promise<TokenVerifier> {
  let keys = await readTokenKeys(config, monotonicMs);
  let cache = new TokenCache(CLOCK_TOLERANCE_MS);
  return {
    use(fresh) {
      keys = fresh;
      cache = new TokenCache(CLOCK_TOLERANCE_MS);
    },
    remembered: token => cache.get(token, nowMs(), monotonicMs()),
    verify(token) {
      const remembered = cache.get(token, nowMs(), monotonicMs());
      if (remembered !== undefined) return { ok: true, credential: remembered };
      if (token.length > TOKEN_BYTES_MAX || !COMPACT.test(token)) return refused('malformed');
      const cacheNow = cache;
      const accept = (payload: JWTPayload): TokenResult => {
        if (typeof payload.sub === 'string' && !isUser(payload.sub)) return refused('sub');
        const credential = credentialOf(payload, nowMs());
        if (credential === undefined) return refused('claims');
        if (!isShortLived(credential, config.tokenMaxAgeMs)) return refused('lifetime');
        cacheNow.set(token, credential, monotonicMs());
        return { ok: true, credential };
      };
      const refuse = (error: unknown): TokenResult => refused(refusalOf(error));
      const claims = claimsExpected(config, nowMs());
      if (keys.kind === 'keySet') return verifiedByKeySet(token, keys.find, claims).then(accept).catch(refuse);
      try {
        return accept(verifiedBySecret(token, keys.secrets, claims));
      } catch (error) {
        return refuse(error);
      }
    },
  };
}

export interface TokenRequest {
  /** HS256 secret, at least 32 bytes. */
  readonly secret: string;
  readonly sub: string;
  readonly tier?: Tier;
  readonly roles?: readonly string[];
  /** Default: every public stream. */
  readonly entitlements?: readonly string[] | undefined;
  readonly ttlMs: number;
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
}

/** Signs a token that {@link createTokenVerifier} with the same secret accepts for `ttlMs`, rounded up to a second. */
export async function mintToken(request: TokenRequest, nowMs: () => number = Date.now): Promise<string> {
  const { entitlements, issuer, audience } = request;
  const issuedAt = Math.floor(nowMs() / 1000);
  const token = new SignJWT({
    tier: request.tier ?? 'retail',
    roles: [...(request.roles ?? [])],
    ...(entitlements === undefined ? {} : { entitlements: [...entitlements] }),
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

function claimsExpected(config: AuthConfig, nowMs: number): JWTClaimVerificationOptions {
  return {
    clockTolerance: CLOCK_TOLERANCE_MS / 1000,
    currentDate: new Date(nowMs),
    requiredClaims: ['sub', 'exp'],
    ...(config.issuer === undefined ? {} : { issuer: config.issuer }),
    ...(config.audience === undefined ? {} : { audience: config.audience }),
  };
}

async function verifiedByKeySet(
  token: string,
  find: JWTVerifyGetKey,
  claims: JWTClaimVerificationOptions,
): Promise<JWTPayload> {
  const options: JWTVerifyOptions = { ...claims, algorithms: KEY_SET_ALGORITHMS };
  try {
    return (await jwtVerify(token, find, options)).payload;
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    return verifiedByOneOf(error, token, options);
  }
}

/** During a key rotation, two keys of one type match a token without `kid`: one of them has to verify it. */
async function verifiedByOneOf(
  candidates: errors.JWKSMultipleMatchingKeys,
  token: string,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  for await (const candidate of candidates) {
    try {
      return (await jwtVerify(token, candidate, options)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
    }
  }
  throw new errors.JWSSignatureVerificationFailed();
}

function credentialOf(payload: JWTPayload, nowMs: number): Credential | undefined {
  const { sub, exp, iat, jti } = payload;
  const { tier = 'retail', roles = [], entitlements } = payload as { tier?: unknown; roles?: unknown } & JWTPayload;
  if (typeof sub !== 'string') return undefined;
  // jose has checked that `exp` and `iat` are numbers. A time outside the range of `Date` is invalid.
  const expiresAtMs = Number(exp) * 1000;
  if (!(expiresAtMs <= TIME_MS_MAX)) return undefined;
  const issuedAtMs = iat === undefined ? undefined : iat * 1000;
  if (issuedAtMs !== undefined && !isPast(issuedAtMs, nowMs)) return undefined;
  if (jti !== undefined && (typeof jti !== 'string' || jti.length > SUBJECT_LENGTH_MAX)) return undefined;
  if (!isTier(tier) || !isListOf(roles, isText)) return undefined;
  if (entitlements !== undefined && !isListOf(entitlements, isEntitlement)) return undefined;
  return Object.freeze({ sub, tier, roles, entitlements, expiresAtMs, issuedAtMs, jti, apiKeyId: undefined });
}

/**
 * A token from further ahead would outlive a revocation of its user, which ends what was issued before it (`matches`).
 */
function isPast(issuedAtMs: number, nowMs: number): boolean {
  return issuedAtMs >= -TIME_MS_MAX && issuedAtMs <= nowMs + CLOCK_TOLERANCE_MS;
}

/** Revocations are kept as long as a token may live: a longer-lived token would be accepted again afterwards. */
function isShortLived({ issuedAtMs, expiresAtMs }: Credential, maxAgeMs: number | undefined): boolean {
  if (maxAgeMs === undefined) return true;
  return issuedAtMs !== undefined && expiresAtMs - issuedAtMs <= maxAgeMs;
}

function isTier(value: unknown): value is Tier {
  return TIERS.includes(value as Tier);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isListOf<T>(value: unknown, isItem: (item: unknown) => item is T): value is readonly T[] {
  return Array.isArray(value) && value.every(isItem);
}

function refused(reason: TokenRefusal): TokenResult {
  return { ok: false, code: 'unauthorized', reason };
}

function refusalOf(error: unknown): TokenRefusal {
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'aud') return 'audience';
    return error.claim === 'iss' ? 'issuer' : 'claims';
  }
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) return 'malformed';
  if (error instanceof errors.JOSENotSupported) return 'malformed';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature';
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JWKSNoMatchingKey) return 'signature';
  return 'keys_unavailable';
}
