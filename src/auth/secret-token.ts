/**
 * Verifies tokens signed with a shared secret synchronously. jose verifies them on another thread, which costs eight
 * times as much and delays the answer to an upgrade (native-notes/uws.md, "Upgrade outside `cork`"). Node's HMAC checks
 * the signature, jose checks the claims.
 */
import { createHmac, type KeyObject } from 'node:crypto';
import { errors, type JWTClaimVerificationOptions, type JWTPayload, UnsecuredJWT } from 'jose';
import { isSameText } from './same-text.js';

/** The only algorithm allowed with a secret. */
const ALGORITHM = 'HS256';
/** Replaces a checked header for jose. */
const UNSECURED_HEADER = Buffer.from('{"alg":"none"}').toString('base64url');

/**
 * The claims of a token with three base64url parts, signed with one of the secrets.
 * @throws {errors.JOSEError} as jose's `jwtVerify` would, saying why the token is refused.
 */
export function verifiedBySecret(
  token: string,
  secrets: readonly KeyObject[],
  options: JWTClaimVerificationOptions,
): JWTPayload {
  const headerEnd = token.indexOf('.');
  const payloadEnd = token.indexOf('.', headerEnd + 1);
  checkHeader(token.slice(0, headerEnd));
  const [signed, signature] = [token.slice(0, payloadEnd), token.slice(payloadEnd + 1)];
  // Compared as texts: the same bytes in another spelling would be another token in the cache.
  const isSignedWith = (secret: KeyObject) =>
    isSameText(signature, createHmac('sha256', secret).update(signed).digest('base64url'));
  if (!secrets.some(isSignedWith)) throw new errors.JWSSignatureVerificationFailed();
  return UnsecuredJWT.decode(`${UNSECURED_HEADER}${token.slice(headerEnd, payloadEnd)}.`, options).payload;
}

function checkHeader(encoded: string): void {
  const header = parsed(encoded);
  if (typeof header !== 'object' || header === null || !('alg' in header) || typeof header.alg !== 'string') {
    throw new errors.JWSInvalid('the header names no algorithm');
  }
  // Critical extensions (RFC 7515, section 4.1.11): none is supported.
  if ('crit' in header) throw new errors.JOSENotSupported('the header requires an extension');
  if (header.alg !== ALGORITHM) throw new errors.JOSEAlgNotAllowed(`only ${ALGORITHM} is accepted with a secret`);
}

function parsed(encoded: string): unknown {
  try {
    return JSON.parse(Buffer.from(encoded, 'base64url').toString());
  } catch (cause) {
    throw new errors.JWSInvalid('the header is not JSON', { cause });
  }
}
