/**
 * Watches the files of the certificate, its key and the client CA on the main thread, and validates them before they
 * are used.
 */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { checkSecretFile } from '../../config/secret-files.js';
import type { SecretReaders } from '../../config/values.js';
import type { TlsConfig } from '../../config/variables/process.js';
import { FILES_POLL_MS, WatchedFiles } from '../../config/watched-files.js';

/** The methods of pino used here. */
interface CertificateLog {
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
  readonly #watched: WatchedFiles;
  #unwatch: () => void = () => {};
  #expiresAtMs: number | undefined;

  /** @param onRenewed called when the files hold another, usable certificate */
  constructor(
    files: TlsConfig,
    readers: SecretReaders,
    log: CertificateLog,
    onRenewed: () => void,
    pollMs = FILES_POLL_MS,
  ) {
    this.#files = files;
    this.#readers = readers;
    this.#log = log;
    this.#onRenewed = onRenewed;
    this.#pollMs = pollMs;
    const { certFile, keyFile, clientCaFile } = files;
    this.#watched = new WatchedFiles(
      clientCaFile === undefined ? [certFile, keyFile] : [certFile, keyFile, clientCaFile],
    );
  }

  /** From now on, a change of the files renews the certificate. */
  watch(): void {
    // The threads have just read them: should that be impossible by now, there is no time to tell.
    this.#watched.read(async () => this.#take(await readCertificate(this.#files))).catch(() => undefined);
    this.#unwatch = this.#watched.watch(() => this.check('files changed'), this.#pollMs);
  }

  /** When the certificate in use expires, Unix time; undefined before `watch` has read it. */
  get expiresAtMs(): number | undefined {
    return this.#expiresAtMs;
  }

  unwatch(): void {
    this.#unwatch();
  }

  /** Reads the files, changed or not. @returns why they are unusable; undefined when they are in use now */
  check(reason: string): Promise<string | undefined> {
    return this.#watched.read(() => this.#renew(reason));
  }

  #take({ validTo }: X509Certificate): undefined {
    this.#expiresAtMs = Date.parse(validTo);
  }

  async #renew(reason: string): Promise<string | undefined> {
    const { certFile, keyFile, clientCaFile } = this.#files;
    try {
      const certificate = await usableCertificate(this.#files, this.#readers);
      const { subject, validTo, fingerprint256 } = certificate;
      this.#log.info({ reason, subject, validTo, fingerprint256 }, 'certificate renewed');
      this.#take(certificate);
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
}

type TlsFiles = Pick<TlsConfig, 'certFile' | 'keyFile'> & Partial<Pick<TlsConfig, 'clientCaFile'>>;

/**
 * @throws {Error} when the files do not match, are unreadable, are readable by other users, or are expired or not yet
 * valid.
 */
export async function usableCertificate(
  files: TlsFiles,
  readers: SecretReaders,
  keySetting = 'TLS_KEY',
): Promise<X509Certificate> {
  await checkSecretFile(keySetting, files.keyFile, readers);
  const certificate = await readCertificate(files);
  const nowMs = Date.now();
  if (Date.parse(certificate.validTo) < nowMs) throw new Error(`expired on ${certificate.validTo}`);
  if (Date.parse(certificate.validFrom) > nowMs) throw new Error(`not valid before ${certificate.validFrom}`);
  return certificate;
}

/** @throws {Error} when the files do not match or are unreadable. */
export async function readCertificate({ certFile, keyFile, clientCaFile }: TlsFiles): Promise<X509Certificate> {
  const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
  const certificate = new X509Certificate(cert);
  // Checks at least the first certificate in the file.
  if (clientCaFile !== undefined) new X509Certificate(await readFile(clientCaFile));
  createSecureContext({ cert, key });
  return certificate;
}
