/**
 * The authorities in TLS_CLIENT_CA. TLS checks a certificate once, at the handshake; which authority issued it decides
 * whether its connection may stay when the file changes.
 */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { ConfigError } from '../config/config-error.js';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

export class ClientAuthorities {
  readonly path: string;
  /** By fingerprint. */
  #known: ReadonlyMap<string, X509Certificate> = new Map();

  constructor(path: string) {
    this.path = path;
  }

  /** @throws {ConfigError} if the file is unusable; what was read before stays in force. */
  async read(): Promise<void> {
    try {
      const texts = (await readFile(this.path, 'utf8')).match(CERTIFICATE);
      if (texts === null) throw new Error('it holds no certificate');
      this.#known = new Map(
        texts.map(text => {
          const certificate = new X509Certificate(text);
          return [certificate.fingerprint256, certificate];
        }),
      );
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new ConfigError(`TLS_CLIENT_CA=${JSON.stringify(this.path)}: cannot be used (${reason})`, { cause });
    }
  }

  /** The fingerprint of the authority that issued a certificate; undefined if an intermediate one did. */
  issuerOf(certificate: X509Certificate): string | undefined {
    for (const [fingerprint, authority] of this.#known) {
      if (certificate.checkIssued(authority) && certificate.verify(authority.publicKey)) return fingerprint;
    }
    return undefined;
  }

  has(fingerprint: string): boolean {
    return this.#known.has(fingerprint);
  }
}
