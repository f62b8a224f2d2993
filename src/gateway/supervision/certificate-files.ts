/**
 * Watches the files of the certificate, its key and the client CA on the main thread, and validates them before they
 * are used.
 */
import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { checkSecretFile } from '../../config/secret-files.js';
import type { SecretReaders } from '../../config/values.js';
import type { TlsConfig } from '../../config/variables/process.js';

/** How often to check the files. */
const POLL_MS = 2_000;

/** The methods of pino used here. */
export interface CertificateLog {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** The files of a gateway with TLS; undefined without. */
export function certificateFilesOf(
  { tls, secretReaders }: { readonly tls: TlsConfig | undefined; readonly secretReaders: SecretReaders },
  log: CertificateLog,
  onRenewed: () => void,
): CertificateFiles | undefined {
  return tls === undefined ? undefined : new CertificateFiles(tls, secretReaders, log, onRenewed);
}

export class CertificateFiles {
  readonly #files: TlsConfig;
  readonly #readers: SecretReaders;
  readonly #log: CertificateLog;
  readonly #onRenewed: () => void;
  readonly #pollMs: number;
  #timer: NodeJS.Timeout | undefined;
  #seen: string | undefined;
  /** Runs checks one at a time. */
  #polling: Promise<unknown> = Promise.resolve();

  /** @param onRenewed called when the files hold another, usable certificate */
  constructor(files: TlsConfig, readers: SecretReaders, log: CertificateLog, onRenewed: () => void, pollMs = POLL_MS) {
    this.#files = files;
    this.#readers = readers;
    this.#log = log;
    this.#onRenewed = onRenewed;
    this.#pollMs = pollMs;
  }

  /** From now on, a change of the files renews the certificate. */
  watch(): void {
    const first = this.#stamp();
    this.#polling = first.then(stamp => {
      this.#seen = stamp;
    });
    this.#timer = setInterval(() => void this.#poll(), this.#pollMs);
    this.#timer.unref();
  }

  unwatch(): void {
    clearInterval(this.#timer);
  }

  /** Reads the files, changed or not. @returns why they are unusable; undefined when they are in use now */
  check(reason: string): Promise<string | undefined> {
    const renewed = this.#polling.then(() => this.#renew(reason));
    this.#polling = renewed;
    return renewed;
  }

  #poll(): Promise<unknown> {
    this.#polling = this.#polling.then(async () => {
      const stamp = await this.#stamp();
      if (stamp === this.#seen) return;
      await this.#renew('files changed');
    });
    return this.#polling;
  }

  async #renew(reason: string): Promise<string | undefined> {
    const { certFile, keyFile, clientCaFile } = this.#files;
    // Stamp before reading: the next check then sees any later change.
    this.#seen = await this.#stamp();
    try {
      const certificate = await usableCertificate(this.#files, this.#readers);
      const { subject, validTo, fingerprint256 } = certificate;
      this.#log.info({ reason, subject, validTo, fingerprint256 }, 'certificate renewed');
      this.#onRenewed();
      return undefined;
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause);
      this.#log.error(
        { reason, certFile, keyFile, clientCaFile, detail },
        'new certificate unusable; keeping the current one',
      );
      return detail;
    }
  }

  /** Changes whenever one of the files is written or replaced. */
  async #stamp(): Promise<string> {
    const { certFile, keyFile, clientCaFile } = this.#files;
    const files = clientCaFile === undefined ? [certFile, keyFile] : [certFile, keyFile, clientCaFile];
    const stamps = files.map(async file => {
      try {
        const { ino, mtimeMs, ctimeMs, size } = await stat(file);
        return `${ino} ${mtimeMs} ${ctimeMs} ${size}`;
      } catch (cause) {
        return String((cause as NodeJS.ErrnoException).code);
      }
    });
    return (await Promise.all(stamps)).join(', ');
  }
}

/**
 * @throws {Error} when the files do not match, are unreadable, are readable by other users, or are expired or not yet
 * valid.
 */
async function usableCertificate(files: TlsConfig, readers: SecretReaders): Promise<X509Certificate> {
  await checkSecretFile('TLS_KEY', files.keyFile, readers);
  const certificate = await readCertificate(files);
  const nowMs = Date.now();
  if (Date.parse(certificate.validTo) < nowMs) throw new Error(`expired on ${certificate.validTo}`);
  if (Date.parse(certificate.validFrom) > nowMs) throw new Error(`not valid before ${certificate.validFrom}`);
  return certificate;
}

/** @throws {Error} when the files do not match or are unreadable. */
export async function readCertificate({ certFile, keyFile, clientCaFile }: TlsConfig): Promise<X509Certificate> {
  const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
  const certificate = new X509Certificate(cert);
  // Checks at least the first certificate in the file.
  if (clientCaFile !== undefined) new X509Certificate(await readFile(clientCaFile));
  createSecureContext({ cert, key });
  return certificate;
}
