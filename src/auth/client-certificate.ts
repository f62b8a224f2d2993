/**
 * The client certificate of a TLS handshake as a credential. The handshake has proved that one of the authorities in
 * TLS_CLIENT_CA signed it, and that the client has its key. In the subject, the common name is the user; the
 * organizational unit `institutional` sets the tier, any other unit is a role. The organization, if there is one, is the
 * firm.
 */
import { X509Certificate } from 'node:crypto';
import { isUser, USER_RULE } from '../protocol/user-subject.js';
import type { ClientAuthorities } from './client-authorities.js';
import type { Credential } from './credential.js';
import { isFirm } from './declared-use.js';

const INSTITUTIONAL = 'institutional';

type CertificateResult =
  | { readonly ok: true; readonly credential: Credential }
  | { readonly ok: false; readonly reason: string };

/**
 * @param pem the client's own certificate.
 * @param nowMs ms since the Unix epoch: a resumed session may outlive the certificate
 * @param authorities undefined: unknown
 */
export function certificateCredential(
  pem: string,
  nowMs: number,
  authorities: ClientAuthorities | undefined,
): CertificateResult {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch {
    return { ok: false, reason: 'it is unreadable' };
  }
  const expiresAtMs = Date.parse(certificate.validTo);
  if (Number.isNaN(expiresAtMs) || expiresAtMs <= nowMs) return { ok: false, reason: 'expired' };
  const { CN, O, OU } = certificate.toLegacyObject().subject;
  const names = textsOf(CN);
  const [sub = ''] = names;
  if (names.length !== 1 || !isUser(sub)) return { ok: false, reason: `its common name ${USER_RULE}` };
  const units = textsOf(OU);
  const firm = textsOf(O).find(isFirm);
  return {
    ok: true,
    credential: Object.freeze({
      sub,
      tier: units.includes(INSTITUTIONAL) ? 'institutional' : 'retail',
      roles: Object.freeze(units.filter(unit => unit !== INSTITUTIONAL)),
      entitlements: undefined,
      ...(firm === undefined ? undefined : { firm }),
      expiresAtMs,
      issuedAtMs: Date.parse(certificate.validFrom),
      jti: undefined,
      apiKeyId: undefined,
      authority: authorities?.issuerOf(certificate),
    }),
  };
}

/** Node returns one text for a part that occurs once, and several otherwise. */
function textsOf(part: unknown): readonly string[] {
  if (typeof part === 'string') return [part];
  return Array.isArray(part) ? part.filter(text => typeof text === 'string') : [];
}
