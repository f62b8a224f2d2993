/** The claims of a verified token → a credential. Identity providers name them differently: `ClaimsConfig` says how. */
import { errors, type JWTClaimVerificationOptions, type JWTPayload } from 'jose';
import { claimAt } from '../config/claim-path.js';
import type { AuthConfig } from '../config/environment.js';
import type { ClaimsConfig } from '../config/variables/auth.js';
import { isEntitlement } from '../protocol/entitlement.js';
import { isUser } from '../protocol/user-subject.js';
import { TIERS, type Tier } from '../protocol/view-options.js';
import { type Credential, SUBJECT_LENGTH_MAX } from './credential.js';
import { type DeclaredUse, isFirm, professionalOf, useOf } from './declared-use.js';
import { type RefusedToken, refusedToken, type TokenResult } from './token-refusal.js';

/** The last time that `Date` can represent, ms since the Unix epoch (ECMA-262, section 21.4.1.1). */
const TIME_MS_MAX = 8.64e15;
/** Where issuers put the application that a token was made for; the first one present counts. */
const PARTY_CLAIMS = ['azp', 'client_id', 'cid', 'appid'];
/** Where issuers put scopes. */
const SCOPE_CLAIMS = ['scope', 'scp'];

/** What jose checks: issuer, audience and times. */
export function claimsExpected(config: AuthConfig, nowMs: number): JWTClaimVerificationOptions {
  const { issuers, audiences, claims, clockToleranceMs } = config;
  return {
    clockTolerance: clockToleranceMs / 1000,
    currentDate: new Date(nowMs),
    requiredClaims: claims.user === 'sub' ? ['sub', 'exp'] : ['exp'],
    ...(issuers.length > 0 && { issuer: [...issuers] }),
    ...(audiences.length > 0 && { audience: [...audiences] }),
  };
}

/** @param payload checked by jose for {@link claimsExpected} */
export function credentialOf(payload: JWTPayload, config: AuthConfig, nowMs: number): TokenResult {
  return (
    partyRefusal(payload, config.authorizedParties) ??
    scopeRefusal(payload, config.requiredScopes) ??
    userRefusal(payload, config.claims.user) ??
    withUser(payload, config, nowMs)
  );
}

function withUser(payload: JWTPayload, config: AuthConfig, nowMs: number): TokenResult {
  const { claims, tokenMaxAgeMs, clockToleranceMs } = config;
  const { exp, iat, jti } = payload;
  // jose has checked that `exp` and `iat` are numbers. A time outside the range of `Date` is invalid.
  const expiresAtMs = Number(exp) * 1000;
  if (!(expiresAtMs <= TIME_MS_MAX)) return refusedToken('claims', 'exp');
  const issuedAtMs = iat === undefined ? undefined : iat * 1000;
  // A token from further ahead would outlive a revocation of its user, which ends what was issued before it.
  if (issuedAtMs !== undefined && !(issuedAtMs >= -TIME_MS_MAX && issuedAtMs <= nowMs + clockToleranceMs)) {
    return refusedToken('claims', 'iat');
  }
  if (jti !== undefined && (typeof jti !== 'string' || jti.length > SUBJECT_LENGTH_MAX)) {
    return refusedToken('claims', 'jti');
  }
  const tier = tierOf(payload, claims);
  if (tier === undefined) return refusedToken('claims', claims.tier.join(', '));
  const roles = listAt(payload, claims.roles);
  if (roles === 'invalid') return refusedToken('claims', claims.roles.join(', '));
  const entitlements = entitlementsOf(payload, claims);
  if (entitlements === 'invalid') return refusedToken('claims', claims.entitlements.join(', '));
  const declared = declaredOf(payload, claims);
  if (Array.isArray(declared)) return refusedToken('claims', declared.join(', '));
  const credential: Credential = Object.freeze({
    ...declared,
    sub: claimAt(payload, claims.user) as string,
    tier,
    roles: roles ?? [],
    entitlements,
    expiresAtMs,
    issuedAtMs,
    jti,
    apiKeyId: undefined,
  });
  return isShortLived(credential, tokenMaxAgeMs) ? { ok: true, credential } : refusedToken('lifetime');
}

function partyRefusal(payload: JWTPayload, parties: readonly string[]): RefusedToken | undefined {
  if (parties.length === 0) return undefined;
  const claim = PARTY_CLAIMS.find(name => Object.hasOwn(payload, name)) ?? 'azp';
  return parties.includes(payload[claim] as string) ? undefined : refusedToken('party', claim);
}

function scopeRefusal(payload: JWTPayload, required: readonly string[]): RefusedToken | undefined {
  if (required.length === 0) return undefined;
  const claim = SCOPE_CLAIMS.find(name => Object.hasOwn(payload, name)) ?? 'scope';
  const scopes = listAt(payload, SCOPE_CLAIMS);
  if (scopes === 'invalid') return refusedToken('claims', claim);
  const missing = required.find(scope => !scopes?.includes(scope));
  return missing === undefined ? undefined : { ...refusedToken('scope', claim), scope: missing };
}

function userRefusal(payload: JWTPayload, path: string): RefusedToken | undefined {
  const user = claimAt(payload, path);
  if (typeof user !== 'string') return refusedToken('claims', path);
  if (!isUser(user)) return refusedToken('sub', path);
  // Anyone may enter any address before it is verified; some issuers write the boolean as text.
  const isUnverified = path === 'email' && [false, 'false'].includes(payload.email_verified as boolean | string);
  return isUnverified ? refusedToken('claims', 'email_verified') : undefined;
}

/** Undefined if the claim is invalid. */
function tierOf(payload: JWTPayload, { tier: paths, institutional }: ClaimsConfig): Tier | undefined {
  const values = listAt(payload, paths);
  if (values === 'invalid') return undefined;
  if (values === undefined) return 'retail';
  if (values.some(value => institutional.includes(value))) return 'institutional';
  // Groups and roles may be anything. A claim of the name `tier` that is no tier is a mistake.
  const isTierAlone = paths.join() === 'tier' && institutional.join() === 'institutional';
  return isTierAlone && !values.some(isTier) ? undefined : 'retail';
}

function entitlementsOf(payload: JWTPayload, { entitlements: paths }: ClaimsConfig) {
  const texts = listAt(payload, paths);
  if (texts === undefined || texts === 'invalid') return texts;
  // In a claim for other things too, such as `scope`, most texts are no entitlements.
  if (paths.join() !== 'entitlements') return texts.filter(isEntitlement);
  return texts.every(isEntitlement) ? texts : 'invalid';
}

/** What the token declares, or the claims that do not say what they should: who may see what depends on it. */
function declaredOf(payload: JWTPayload, claims: ClaimsConfig): DeclaredUse | readonly string[] {
  const firm = firstAt(payload, claims.firm);
  const professional = firstAt(payload, claims.professional);
  const use = firstAt(payload, claims.use);
  if (firm !== undefined && !isFirm(firm)) return claims.firm;
  const declared = { firm, professional: professionalOf(professional), use: useOf(use) };
  if (professional !== undefined && declared.professional === undefined) return claims.professional;
  if (use !== undefined && declared.use === undefined) return claims.use;
  return Object.fromEntries(Object.entries(declared).filter(([, value]) => value !== undefined));
}

function firstAt(payload: JWTPayload, paths: readonly string[]): unknown {
  for (const path of paths) {
    const value = claimAt(payload, path);
    if (value !== undefined && value !== null && value !== '') return value;
  }
  return undefined;
}

/** The texts at these paths together: arrays of texts, or text separated by blanks. Undefined if there is no claim. */
function listAt(payload: JWTPayload, paths: readonly string[]): readonly string[] | undefined | 'invalid' {
  let texts: readonly string[] | undefined;
  for (const path of paths) {
    const value = claimAt(payload, path);
    if (value === undefined) continue;
    const found = typeof value === 'string' ? value.split(' ').filter(text => text !== '') : value;
    if (!Array.isArray(found) || !found.every(text => typeof text === 'string')) return 'invalid';
    texts = texts === undefined ? found : [...texts, ...found];
  }
  return texts;
}

/** Revocations are kept as long as a token may live: a longer-lived token would be accepted again afterwards. */
function isShortLived({ issuedAtMs, expiresAtMs }: Credential, maxAgeMs: number | undefined): boolean {
  if (maxAgeMs === undefined) return true;
  return issuedAtMs !== undefined && expiresAtMs - issuedAtMs <= maxAgeMs;
}

function isTier(value: string): value is Tier {
  return (TIERS as readonly string[]).includes(value);
}

/** The refusal for what jose throws. */
export function refusalOf(error: unknown): RefusedToken {
  if (error instanceof errors.JWTExpired) return refusedToken('expired', 'exp');
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'aud') return refusedToken('audience', 'aud');
    return error.claim === 'iss' ? refusedToken('issuer', 'iss') : refusedToken('claims', error.claim);
  }
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) return refusedToken('malformed');
  if (error instanceof errors.JOSENotSupported) return refusedToken('malformed');
  if (error instanceof errors.JWSSignatureVerificationFailed) return refusedToken('signature');
  if (error instanceof errors.JOSEAlgNotAllowed) return refusedToken('algorithm');
  if (error instanceof errors.JWKSNoMatchingKey) return refusedToken('key');
  return refusedToken('keys_unavailable');
}
