/**
 * Tokens signed with a shared secret, verified at once: jose does it in another thread, which costs eight times as much and
 * leaves an upgrade to be answered later (native-notes/uws.md, "Upgrade outside `cork`"). The signature is checked with Node's
 * HMAC, the claims are checked by jose.
 */
import { createHmac, type KeyObject } from 'node:crypto';
import { errors, type JWTClaimVerificationOptions, type JWTPayload, UnsecuredJWT } from 'jose';
import { isSameText } from './same-text.js';

/** The one algorithm that a secret is good for. */
const ALGORITHM = 'HS256';
/** What jose is shown in place of a header that has been checked. */
const UNSECURED_HEADER = Buffer.from('{"alg":"none"}').toString('base64url');

/**
 * The claims of a token of three parts, each base64url.
 * @throws {errors.JOSEError} as `jwtVerify` of jose would, that says why the token is refused.
 */
export function verifiedBySecret(token: string, secret: KeyObject, options: JWTClaimVerificationOptions): JWTPayload {
  const headerEnd = token.indexOf('.');
  const payloadEnd = token.indexOf('.', headerEnd + 1);
  checkHeader(token.slice(0, headerEnd));
  const signature = createHmac('sha256', secret).update(token.slice(0, payloadEnd)).digest('base64url');
  // As texts: the same bytes in another spelling would be another token to remember.
  if (!isSameText(token.slice(payloadEnd + 1), signature)) throw new errors.JWSSignatureVerificationFailed();
  return UnsecuredJWT.decode(`${UNSECURED_HEADER}${token.slice(headerEnd, payloadEnd)}.`, options).payload;
}

function checkHeader(encoded: string): void {
  const header = parsed(encoded);
  if (typeof header !== 'object' || header === null || !('alg' in header) || typeof header.alg !== 'string') {
    throw new errors.JWSInvalid('the header names no algorithm');
  }
  // Extensions that have to be understood (RFC 7515, section 4.1.11): none is.
  if ('crit' in header) throw new errors.JOSENotSupported('the header demands an extension');
  if (header.alg !== ALGORITHM) throw new errors.JOSEAlgNotAllowed(`only ${ALGORITHM} is accepted with a secret`);
}

function parsed(encoded: string): unknown {
  try {
    return JSON.parse(Buffer.from(encoded, 'base64url').toString());
  } catch (cause) {
    throw new errors.JWSInvalid('the header is no JSON', { cause });
  }
}
