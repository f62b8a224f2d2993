/** Why a token is refused, for the verifier, the client and the count of guesses. */
import { USER_RULE } from '../protocol/user-subject.js';
import type { Credential } from './credential.js';

/** Why a token is refused. */
export const TOKEN_REFUSALS = [
  'malformed',
  /** The signature does not match the key. */
  'signature',
  /** Its algorithm is not one of those that the configured key allows; `none` never is. */
  'algorithm',
  /** No key has its `kid` and fits its algorithm. */
  'key',
  /**
   * Not the token's fault: the key set cannot be fetched or contains an unusable key, so the same token may be accepted
   * later.
   */
  'keys_unavailable',
  'expired',
  'audience',
  'issuer',
  /** It was made for an application that `AUTH_AUTHORIZED_PARTIES` does not name. */
  'party',
  /** It lacks a scope of `AUTH_REQUIRED_SCOPE`. */
  'scope',
  /** A claim is missing or invalid. */
  'claims',
  /** The user is invalid: empty, too long, or not valid UTF-8. */
  'sub',
  /** It lives longer than `AUTH_TOKEN_MAX_AGE`, or lacks `iat`, so that this is unknown. */
  'lifetime',
] as const;
export type TokenRefusal = (typeof TOKEN_REFUSALS)[number];

export interface RefusedToken {
  readonly ok: false;
  readonly code: 'unauthorized';
  readonly reason: TokenRefusal;
  /** The claim that is the reason; undefined if none is. */
  readonly claim?: string;
  /** The missing scope. */
  readonly scope?: string;
}

export type TokenResult = { readonly ok: true; readonly credential: Credential } | RefusedToken;

/** What only somebody sends who guesses; any other token was signed by a known key, or names a key that is unknown. */
const GUESSES: ReadonlySet<TokenRefusal> = new Set(['malformed', 'signature', 'algorithm']);

export const isGuess = ({ reason }: RefusedToken): boolean => GUESSES.has(reason);

export function refusedToken(reason: TokenRefusal, claim?: string): RefusedToken {
  return { ok: false, code: 'unauthorized', reason, ...(claim !== undefined && { claim }) };
}

/** The reason in words; it names the claim. */
export function refusalText({ reason, claim = 'claims', scope }: RefusedToken): string {
  switch (reason) {
    case 'expired':
      return 'expired (exp)';
    case 'signature':
      return 'its signature is wrong';
    case 'algorithm':
      return 'its alg is not accepted here';
    case 'key':
      return 'no key here has its kid and fits its alg';
    case 'audience':
      return `its ${claim} names none of AUTH_AUDIENCE`;
    case 'issuer':
      return `its ${claim} is none of AUTH_ISSUER`;
    case 'party':
      return `its ${claim} is none of AUTH_AUTHORIZED_PARTIES`;
    case 'scope':
      return `its ${claim} lacks ${scope}`;
    case 'claims':
      return claim === 'iat' || claim === 'nbf'
        ? `its ${claim} is invalid, or in the future by more than AUTH_CLOCK_TOLERANCE`
        : `its ${claim} is missing or invalid`;
    case 'sub':
      return `its ${claim} ${USER_RULE}`;
    case 'lifetime':
      return 'it has no iat, or its lifetime (iat to exp) exceeds AUTH_TOKEN_MAX_AGE';
    default:
      return reason;
  }
}
