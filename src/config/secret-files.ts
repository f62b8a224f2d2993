/**
 * Files that others must not read because they hold keys, or must not write because they decide who gets access.
 * Checked at the start, and whenever one is reloaded.
 */
import { statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { ConfigError } from './config-error.js';
import type { Config } from './environment.js';
import { holdsSecrets } from './settings-files.js';
import type { NatsConfig } from './sources.js';
import type { SecretReaders } from './values.js';

const OTHERS_READ = 0o004;
const OTHERS_WRITE = 0o002;
const PERMISSIONS = 0o777;
const OCTAL = 8;

/** Variables and the files they name. */
type NamedFiles = Readonly<Record<string, string | undefined>>;

/** @throws {ConfigError} naming every configured file whose mode gives others too much access. */
export async function checkFiles(config: Config): Promise<void> {
  const { tls, auth, nats, fix, products, journal } = config;
  const { SETTINGS_FILE: settings, ...secretFiles } = config.settingsFiles;
  const isSecret = settings !== undefined && holdsSecrets(settings);
  await checkModes(
    {
      TLS_KEY: tls?.keyFile,
      FIX_TLS_KEY: fix?.tls?.keyFile,
      JOURNAL_SIGNING_KEY_FILE: journal?.signingKeyFile,
      ...natsSecrets(nats),
      ...secretFiles,
      SETTINGS_FILE: isSecret ? settings : undefined,
    },
    {
      SETTINGS_FILE: isSecret ? undefined : settings,
      TLS_CERT: tls?.certFile,
      FIX_TLS_CERT: fix?.tls?.certFile,
      TLS_CLIENT_CA: tls?.clientCaFile,
      AUTH_JWKS_FILE: auth.jwksFile,
      AUTH_API_KEYS_FILE: auth.apiKeysFile,
      POLICY_FILE: auth.policyFile,
      PRODUCTS_FILE: products.file,
      JOURNAL_MASTER_KEY_FILE: journal?.masterKeyFile,
      NATS_TLS_CA: nats.tlsCaFile,
      NATS_TLS_CERT: nats.tlsCertFile,
    },
    config.secretReaders,
  );
}

/** The same for the files of a NATS connection. @throws {ConfigError} */
export function checkNatsFiles(nats: NatsConfig): Promise<void> {
  return checkModes(natsSecrets(nats), { NATS_TLS_CA: nats.tlsCaFile }, nats.secretReaders);
}

/** The same for one key. @throws {ConfigError} */
export function checkSecretFile(variable: string, file: string, readers: SecretReaders): Promise<void> {
  return checkModes({ [variable]: file }, {}, readers);
}

/** Whether a secret that works all the same is open to others: its file, if every user of this machine may read it. */
export function readableSecret(file: string, readers: SecretReaders): string | undefined {
  if (readers === 'all' || process.platform === 'win32') return undefined;
  const found = statSync(file, { throwIfNoEntry: false });
  return found !== undefined && (found.mode & OTHERS_READ) !== 0 ? file : undefined;
}

/** For a file that is read again later. @throws {ConfigError} */
export function checkSecretFileNow(variable: string, file: string, readers: SecretReaders): void {
  const { mode } = statSync(file);
  const problem = wrongMode(variable, file, mode, forbiddenModes(readers));
  if (problem !== undefined) throw new ConfigError(problem);
}

/** For a file that decides who gets access, and is read again later. @throws {ConfigError} when others may write it */
export function checkTrustedFileNow(variable: string, file: string): void {
  const found = statSync(file, { throwIfNoEntry: false });
  const problem = found === undefined ? undefined : wrongMode(variable, file, found.mode, OTHERS_WRITE);
  if (problem !== undefined) throw new ConfigError(problem);
}

function natsSecrets(nats: NatsConfig): NamedFiles {
  return {
    NATS_PASSWORD_FILE: nats.passwordFile,
    NATS_TOKEN_FILE: nats.tokenFile,
    NATS_NKEY_SEED_FILE: nats.nkeySeedFile,
    NATS_CREDS: nats.credsFile,
    NATS_TLS_KEY: nats.tlsKeyFile,
  };
}

function forbiddenModes(readers: SecretReaders): number {
  return readers === 'all' ? OTHERS_WRITE : OTHERS_WRITE | OTHERS_READ;
}

/** @param secrets files that others must not read. @param trusted files that others must not write */
async function checkModes(secrets: NamedFiles, trusted: NamedFiles, readers: SecretReaders): Promise<void> {
  const forbidden = forbiddenModes(readers);
  const wrong = await Promise.all([
    ...Object.entries(secrets).map(([name, file]) => problemOf(name, file, forbidden)),
    ...Object.entries(trusted).map(([name, file]) => problemOf(name, file, OTHERS_WRITE)),
  ]);
  const lines = wrong.filter(line => line !== undefined);
  if (lines.length > 0) throw new ConfigError(lines.join('\n'));
}

async function problemOf(name: string, file: string | undefined, forbidden: number): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return wrongMode(name, file, (await stat(file)).mode, forbidden);
  } catch {
    // The code that reads the file gives a better error.
    return undefined;
  }
}

function wrongMode(name: string, file: string, mode: number, forbidden: number): string | undefined {
  // Windows has no such modes.
  if (process.platform === 'win32') return undefined;
  const found = mode & forbidden;
  if (found === 0) return undefined;
  const shown = `${name}=${JSON.stringify(file)}: every user of this machine may`;
  const octal = (mode & PERMISSIONS).toString(OCTAL).padStart(3, '0');
  if ((found & OTHERS_WRITE) !== 0) return `${shown} write it (mode ${octal}); run chmod o-w`;
  return `${shown} read it (mode ${octal}); run chmod o-r, or set SECRET_FILE_READERS=all if a container mounts its secrets this way`;
}
