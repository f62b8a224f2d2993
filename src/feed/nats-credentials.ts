/** Who a connection is to the server. Files are read at each connect, so a replaced one needs no restart. */
import { readFileSync } from 'node:fs';
import {
  type Authenticator,
  credsAuthenticator,
  nkeyAuthenticator,
  nkeys,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from 'nats';
import { ConfigError } from '../config/config-error.js';
import type { NatsConfig } from '../config/environment.js';
import { checkSecretFileNow } from '../config/secret-files.js';
import type { SecretReaders } from '../config/values.js';
import { textOf } from '../feed-contract/error-text.js';
import type { UrlCredentials } from '../protocol/nats-servers.js';

/** Reports that a file cannot be used; what it held before is used in its place. */
export type OnUnusable = (what: string, detail: string) => void;

/**
 * The configured credentials; undefined if there are none.
 * @param fromUrl those in the servers' addresses
 * @throws {ConfigError} naming a file that cannot be used, or that others may read
 */
export function natsAuthenticator(
  config: NatsConfig,
  fromUrl: UrlCredentials | undefined,
  onUnusable: OnUnusable,
): Authenticator | undefined {
  if (fromUrl !== undefined) {
    if ('token' in fromUrl) return tokenAuthenticator(fromUrl.token);
    return usernamePasswordAuthenticator(fromUrl.user, fromUrl.password);
  }
  const secret = (variable: string, file: string | undefined, value: string | undefined, check: Check = () => {}) =>
    file === undefined ? () => value : secretFile({ variable, file, readers: config.secretReaders, check, onUnusable });
  const { user, password, passwordFile, token, tokenFile, nkeySeed, nkeySeedFile, credsFile } = config;
  if (user !== undefined) {
    const read = secret('NATS_PASSWORD_FILE', passwordFile, password);
    return usernamePasswordAuthenticator(user, () => read() ?? '');
  }
  if (token !== undefined || tokenFile !== undefined) {
    const read = secret('NATS_TOKEN_FILE', tokenFile, token);
    return tokenAuthenticator(() => read() ?? '');
  }
  if (nkeySeed !== undefined || nkeySeedFile !== undefined) {
    const read = secret('NATS_NKEY_SEED_FILE', nkeySeedFile, nkeySeed, checkSeed);
    return nkeyAuthenticator(() => bytesOf(read() ?? ''));
  }
  if (credsFile === undefined) return undefined;
  const read = secret('NATS_CREDS', credsFile, undefined, checkCreds);
  return credsAuthenticator(() => credsBytes(read() ?? ''));
}

/** @throws {Error} saying why the text cannot be used */
type Check = (text: string) => void;

interface SecretFile {
  readonly variable: string;
  readonly file: string;
  readonly readers: SecretReaders;
  readonly check: Check;
  readonly onUnusable: OnUnusable;
}

/**
 * Reads the file now, and returns how to read it again. An exception in an authenticator would close the connection
 * for good, and a file may be read while it is being replaced: so a file that cannot be used is reported, and the next
 * attempt reads it again.
 * @throws {ConfigError} if it cannot be used now
 */
function secretFile(secret: SecretFile): () => string {
  let last = readSecret(secret);
  let reported = '';
  return () => {
    try {
      last = readSecret(secret);
      reported = '';
    } catch (error) {
      const detail = textOf(error);
      if (detail !== reported) secret.onUnusable('the NATS credentials are used as they were read before', detail);
      reported = detail;
    }
    return last;
  };
}

function readSecret({ variable, file, readers, check }: SecretFile): string {
  let text: string;
  try {
    checkSecretFileNow(variable, file, readers);
    // Editors end a file with a line break that is no part of a password.
    text = readFileSync(file, 'utf8').replace(/[\r\n]+$/, '');
    if (text === '') throw new Error('it is empty');
    check(text);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`${variable}=${JSON.stringify(file)}: cannot be used (${textOf(error)})`, { cause: error });
  }
  return text;
}

function checkSeed(seed: string): void {
  nkeys.fromSeed(bytesOf(seed));
}

/** Decodes it, and signs with it. */
function checkCreds(creds: string): void {
  try {
    credsAuthenticator(credsBytes(creds))('nonce');
  } catch (cause) {
    throw new Error('it does not contain a user JWT and its seed', { cause });
  }
}

/** nats.js expects a line break at the end. */
function credsBytes(creds: string): Uint8Array {
  return bytesOf(`${creds}\n`);
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
