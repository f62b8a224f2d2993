/**
 * The certificate that a client showed in its TLS handshake, as a credential: the handshake proved that its authority is one
 * of TLS_CLIENT_CA and that the client has its key. Of the subject the common name is the user; an organizational unit
 * `institutional` is the tier, any other one a role.
 */
import { X509Certificate } from 'node:crypto';
import { isUser, USER_RULE } from '../protocol/user-subject.js';
import type { Credential } from './credential.js';

const INSTITUTIONAL = 'institutional';

export type CertificateResult =
  | { readonly ok: true; readonly credential: Credential }
  | { readonly ok: false; readonly reason: string };

/** @param pem of the client's own certificate. @param nowMs ms since the Unix epoch: a resumed session may have outlived it */
export function certificateCredential(pem: string, nowMs: number): CertificateResult {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch {
    return { ok: false, reason: 'it cannot be read' };
  }
  const expiresAtMs = Date.parse(certificate.validTo);
  if (Number.isNaN(expiresAtMs) || expiresAtMs <= nowMs) return { ok: false, reason: 'expired' };
  const { CN, OU } = certificate.toLegacyObject().subject;
  const names = textsOf(CN);
  const [sub = ''] = names;
  if (names.length !== 1 || !isUser(sub)) return { ok: false, reason: `its common name ${USER_RULE}` };
  const units = textsOf(OU);
  return {
    ok: true,
    credential: Object.freeze({
      sub,
      tier: units.includes(INSTITUTIONAL) ? 'institutional' : 'retail',
      roles: Object.freeze(units.filter(unit => unit !== INSTITUTIONAL)),
      entitlements: undefined,
      expiresAtMs,
      issuedAtMs: Date.parse(certificate.validFrom),
      jti: undefined,
      apiKeyId: undefined,
    }),
  };
}

/** Node has one text for a part that stands once, and several otherwise. */
function textsOf(part: unknown): readonly string[] {
  if (typeof part === 'string') return [part];
  return Array.isArray(part) ? part.filter(text => typeof text === 'string') : [];
}
