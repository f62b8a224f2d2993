/**
 * TLS 1.2 cipher suites that you may enable. All have an ephemeral key exchange, so that a stolen key does not decrypt
 * recorded traffic, and authenticated encryption. All TLS 1.3 suites have both, and uWebSockets has no setting for
 * them.
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
 * uWebSockets fixes the lowest version at 1.2 and has no option for it. Its cipher list covers TLS 1.2 only, and this
 * suite needs a pre-shared key. There is none, so every TLS 1.2 handshake fails.
 */
const NO_TLS_1_2 = 'ECDHE-PSK-CHACHA20-POLY1305';

/** The cipher list in OpenSSL's notation for a server that accepts `minVersion` and higher. */
export function cipherList(minVersion: TlsVersion, ciphers: readonly string[]): string {
  return minVersion === '1.3' ? NO_TLS_1_2 : ciphers.join(':');
}
