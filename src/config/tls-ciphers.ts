/**
 * Cipher suites of TLS 1.2 that may be served: an ephemeral key exchange, so that a stolen key opens no recording, and
 * authenticated encryption. Those of TLS 1.3 all have both, and uWebSockets has no setting for them.
 */
export const TLS_CIPHERS = [
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
] as const;

export const TLS_VERSIONS = ['1.2', '1.3'] as const;
export type TlsVersion = (typeof TLS_VERSIONS)[number];

/**
 * uWebSockets sets the lowest version to 1.2 and has no option for it. Its list of suites is of TLS 1.2 only, and this suite
 * needs a key that both sides know before: there is none, so no handshake of TLS 1.2 ends well.
 */
const NO_TLS_1_2 = 'ECDHE-PSK-CHACHA20-POLY1305';

/** The list in OpenSSL's notation for a server that speaks `minVersion` and higher. */
export function cipherList(minVersion: TlsVersion, ciphers: readonly string[]): string {
  return minVersion === '1.3' ? NO_TLS_1_2 : ciphers.join(':');
}
