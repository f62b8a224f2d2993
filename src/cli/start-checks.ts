/**
 * Checks that what the settings name is available before a gateway starts: readable, usable files and addresses of this
 * machine. `serve` and `check` share this, so each problem is one line and appears before anything starts. It never
 * contacts a server, and never takes a configured port.
 */
import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { ConfigError } from '../config/config-error.js';
import type { Config } from '../config/environment.js';
import { checkFiles, readableSecret } from '../config/secret-files.js';
import { makesOwnKey } from '../config/variables/auth.js';
import { misfit, thisHost } from '../gateway/native/uws-packages.js';
import { readCertificate } from '../gateway/supervision/certificate-files.js';
import { KEYS_FOLDER } from '../journal/privacy/key-wrap.js';
import { readThresholds } from '../surveillance/thresholds-file.js';
import { reasonOf } from './failure.js';

/** Warn about a certificate that expires within this time. */
const CERTIFICATE_DAYS_LEFT = 14;
const DAY_MS = 86_400_000;

export interface StartFindings {
  /** Any of these keeps the gateway from starting. */
  readonly problems: readonly string[];
  readonly notices: readonly string[];
}

/** Checks everything that the configuration names. */
export async function startFindings(config: Config, nowMs: number = Date.now()): Promise<StartFindings> {
  const { auth, nats, replay, feed, host, adminHost } = config;
  const notices: string[] = [];
  const checks: readonly (() => Promise<unknown>)[] = [
    checkPlatform,
    () => checkFiles(config),
    () => checkAddress('HOST', host),
    () => checkAddress('ADMIN_HOST', adminHost),
    async () => notices.push(...(await certificateNotices(config, nowMs))),
    () => checkKey(config),
    async () => (await import('../auth/policy.js')).openPolicy(auth.policyFile),
    () => checkProducts(config.products.file),
    () => checkApiKeys(auth.apiKeysFile),
    () => checkWritable('REVOCATIONS_FILE', config.revocations.file),
    () => checkFix(config),
    async () => notices.push(...(await masterKeyNotices(config))),
    () => readThresholds(config.surveillance?.thresholdsFile, 'SURVEILLANCE_THRESHOLDS'),
    ...(feed === 'replay' ? [() => checkReadable('REPLAY_FILE', replay.file)] : []),
    ...(feed === 'nats'
      ? [
          () => checkReadable('NATS_CREDS', nats.credsFile),
          () => checkReadable('NATS_TLS_CA', nats.tlsCaFile),
          () => checkReadable('NATS_TLS_CERT', nats.tlsCertFile),
          () => checkReadable('NATS_TLS_KEY', nats.tlsKeyFile),
        ]
      : []),
  ];
  const results = await Promise.allSettled(checks.map(check => check()));
  const problems = results.flatMap(result => (result.status === 'rejected' ? linesOf(result.reason) : []));
  return { problems, notices };
}

/** @throws {ConfigError} naming each setting that keeps the gateway from starting, one per line. */
export async function checkStart(config: Config): Promise<void> {
  const { problems } = await startFindings(config);
  if (problems.length > 0) throw new ConfigError(problems.join('\n'));
}

/** Rethrows errors that are not about settings: they are defects. */
function linesOf(cause: unknown): readonly string[] {
  if (!(cause instanceof ConfigError)) throw cause;
  return cause.message.split('\n');
}

/** This Node, processor and C library need a uWebSockets binary. */
async function checkPlatform(): Promise<void> {
  const problem = misfit(thisHost());
  if (problem !== undefined) throw new ConfigError(problem);
}

async function checkAddress(variable: string, host: string): Promise<void> {
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once('error', reject);
      probe.listen({ host, port: 0 }, resolve);
    });
  } catch (cause) {
    const message = `${variable}=${JSON.stringify(host)}: is not an address of this machine (${reasonOf(cause)})`;
    throw new ConfigError(message, { cause });
  }
  await new Promise(resolve => probe.close(resolve));
}

async function checkReadable(variable: string, file: string | undefined): Promise<void> {
  if (file !== undefined) await checkAccess(variable, file, file, constants.R_OK, 'read');
}

/** A missing file or folder is fine: the gateway creates it. */
async function checkWritable(variable: string, file: string | undefined): Promise<void> {
  if (file === undefined) return;
  const isThere = await access(file).then(
    () => true,
    () => false,
  );
  if (isThere) await checkAccess(variable, file, file, constants.R_OK | constants.W_OK, 'read and written');
  else await checkAccess(variable, file, dirname(file), constants.W_OK, 'created');
}

async function checkAccess(variable: string, file: string, path: string, mode: number, what: string): Promise<void> {
  try {
    await access(path, mode);
  } catch (cause) {
    const message = `${variable}=${JSON.stringify(file)}: cannot be ${what} (${reasonOf(cause)})`;
    throw new ConfigError(message, { cause });
  }
}

async function checkFix({ fix }: Config): Promise<void> {
  const { tls, store } = fix ?? {};
  if (store !== undefined && 'folder' in store) await checkWritable('FIX_STORE', store.folder);
  if (tls === undefined) return;
  try {
    createSecureContext({ cert: await readFile(tls.certFile), key: await readFile(tls.keyFile) });
  } catch (cause) {
    const files = `FIX_TLS_CERT=${JSON.stringify(tls.certFile)}, FIX_TLS_KEY=${JSON.stringify(tls.keyFile)}`;
    throw new ConfigError(`${files}: cannot be used (${reasonOf(cause)})`, { cause });
  }
}

async function masterKeyNotices({ journal, secretReaders }: Config): Promise<readonly string[]> {
  if (journal === undefined) return [];
  const { folder, masterKeyFile, hasOwnMasterKey } = journal;
  const keysFolder = join(folder, KEYS_FOLDER);
  try {
    const { checkMasterKeys } = await import('../journal/privacy/index-key.js');
    const { isMasterKeyThere, readMasterKeys } = await import('../journal/privacy/master-key-file.js');
    const isMadeAtStart = hasOwnMasterKey && !isMasterKeyThere(masterKeyFile, keysFolder);
    if (!isMadeAtStart) checkMasterKeys(keysFolder, readMasterKeys(masterKeyFile));
  } catch (cause) {
    const message = `JOURNAL_MASTER_KEY_FILE=${JSON.stringify(masterKeyFile)}: cannot be used (${reasonOf(cause)})`;
    throw new ConfigError(message, { cause });
  }
  const readable = readableSecret(masterKeyFile, secretReaders);
  return [
    ...(hasOwnMasterKey
      ? [`JOURNAL_DIR: ${masterKeyFile} lies beside the journal; name a file elsewhere with JOURNAL_MASTER_KEY_FILE`]
      : []),
    ...(readable === undefined
      ? []
      : [`JOURNAL_MASTER_KEY_FILE: every user of this machine may read ${readable}; run chmod o-r`]),
  ];
}

async function checkKey({ auth }: Config): Promise<void> {
  if (makesOwnKey(auth)) return;
  const { readTokenKeys } = await import('../auth/keys.js');
  await readTokenKeys(auth);
}

async function checkProducts(file: string | undefined): Promise<void> {
  if (file !== undefined) await (await import('../auth/products.js')).openProducts(file);
}

async function checkApiKeys(file: string | undefined): Promise<void> {
  if (file === undefined) return;
  const { readApiKeyFile } = await import('../auth/api-key-file.js');
  await readApiKeyFile(`AUTH_API_KEYS_FILE=${JSON.stringify(file)}`, file);
}

async function certificateNotices({ tls }: Config, nowMs: number): Promise<readonly string[]> {
  if (tls === undefined) return [];
  const certificate = await readCertificate(tls).catch((cause: unknown) => {
    const files = `TLS_CERT=${JSON.stringify(tls.certFile)}, TLS_KEY=${JSON.stringify(tls.keyFile)}`;
    const authority = tls.clientCaFile === undefined ? '' : `, TLS_CLIENT_CA=${JSON.stringify(tls.clientCaFile)}`;
    throw new ConfigError(`${files}${authority}: cannot be used (${reasonOf(cause)})`, { cause });
  });
  const { validFrom, validTo } = certificate;
  if (Date.parse(validFrom) > nowMs) return [`TLS_CERT: is not valid before ${validFrom}`];
  const leftMs = Date.parse(validTo) - nowMs;
  if (leftMs < 0) return [`TLS_CERT: expired on ${validTo}`];
  return leftMs < CERTIFICATE_DAYS_LEFT * DAY_MS ? [`TLS_CERT: expires on ${validTo}`] : [];
}
