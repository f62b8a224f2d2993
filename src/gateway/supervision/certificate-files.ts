/** The files of the certificate, its key and the clients' authority, on the main thread: looked at from time to time, and checked before anybody uses them. */
import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { checkSecretFile } from '../../config/secret-files.js';
import type { SecretReaders } from '../../config/values.js';
import type { TlsConfig } from '../../config/variables/process.js';

/** How often the files are looked at. */
const POLL_MS = 2_000;

/** Of pino. */
export interface CertificateLog {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export class CertificateFiles {
  readonly #files: TlsConfig;
  readonly #readers: SecretReaders;
  readonly #log: CertificateLog;
  readonly #onRenewed: () => void;
  readonly #pollMs: number;
  #timer: NodeJS.Timeout | undefined;
  #seen: string | undefined;
  /** One look at a time. */
  #looking: Promise<void> = Promise.resolve();

  /** @param onRenewed the files hold another certificate, and it can be used */
  constructor(files: TlsConfig, readers: SecretReaders, log: CertificateLog, onRenewed: () => void, pollMs = POLL_MS) {
    this.#files = files;
    this.#readers = readers;
    this.#log = log;
    this.#onRenewed = onRenewed;
    this.#pollMs = pollMs;
  }

  /** From now on a change of the files renews the certificate. */
  watch(): void {
    const first = this.#stamp();
    this.#looking = first.then(stamp => {
      this.#seen = stamp;
    });
    this.#timer = setInterval(() => void this.#look(), this.#pollMs);
    this.#timer.unref();
  }

  unwatch(): void {
    clearInterval(this.#timer);
  }

  /** Reads the files, changed or not. */
  check(reason: string): Promise<void> {
    this.#looking = this.#looking.then(() => this.#renew(reason));
    return this.#looking;
  }

  #look(): Promise<void> {
    this.#looking = this.#looking.then(async () => {
      const stamp = await this.#stamp();
      if (stamp === this.#seen) return;
      await this.#renew('the files changed');
    });
    return this.#looking;
  }

  async #renew(reason: string): Promise<void> {
    const { certFile, keyFile, clientCaFile } = this.#files;
    // Before they are read: a change that comes later is seen by the next look.
    this.#seen = await this.#stamp();
    try {
      const certificate = await usableCertificate(this.#files, this.#readers);
      const { subject, validTo, fingerprint256 } = certificate;
      this.#log.info({ reason, subject, validTo, fingerprint256 }, 'certificate renewed');
      this.#onRenewed();
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause);
      this.#log.error(
        { reason, certFile, keyFile, clientCaFile, detail },
        'the new certificate cannot be used; the one before stays',
      );
    }
  }

  /** Another one where any of the files was written or replaced. */
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

/** @throws {Error} where they do not belong together, cannot be read, may be read by others, or are out of date. */
async function usableCertificate(files: TlsConfig, readers: SecretReaders): Promise<X509Certificate> {
  await checkSecretFile('TLS_KEY', files.keyFile, readers);
  const certificate = await readCertificate(files);
  const nowMs = Date.now();
  if (Date.parse(certificate.validTo) < nowMs) throw new Error(`it ended on ${certificate.validTo}`);
  if (Date.parse(certificate.validFrom) > nowMs) throw new Error(`it begins on ${certificate.validFrom}`);
  return certificate;
}

/** @throws {Error} where they do not belong together or cannot be read. */
export async function readCertificate({ certFile, keyFile, clientCaFile }: TlsConfig): Promise<X509Certificate> {
  const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
  const certificate = new X509Certificate(cert);
  // Its first certificate at least is one.
  if (clientCaFile !== undefined) new X509Certificate(await readFile(clientCaFile));
  createSecureContext({ cert, key });
  return certificate;
}
