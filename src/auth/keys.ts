/** The configured key that verifies tokens. */
import { createSecretKey, type KeyObject } from 'node:crypto';
import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { ConfigError } from '../config/config-error.js';
import type { AuthConfig } from '../config/environment.js';
import { withoutSecrets } from '../config/url-text.js';
import { readJsonFile } from './json-file.js';
import { remoteKeySet } from './remote-key-set.js';

/**
 * Two kinds, so that a public key is never used as a secret, or a secret as a public key. Any of the secrets may have
 * signed a token.
 */
export type TokenKeys =
  | { readonly kind: 'secrets'; readonly secrets: readonly KeyObject[] }
  | { readonly kind: 'keySet'; readonly find: JWTVerifyGetKey };

/**
 * Reads the configured keys; call it again to reread them.
 * @throws {ConfigError} naming the variable, with `cause`.
 */
export async function readTokenKeys(config: AuthConfig, monotonicMs: () => number): Promise<TokenKeys> {
  if (config.jwksFile !== undefined) {
    const keys = await readKeySet(config.jwksFile);
    return { kind: 'keySet', find: createLocalJWKSet(keys) };
  }
  if (config.jwksUrl !== undefined) {
    return { kind: 'keySet', find: remoteKeySet(keySetUrl(config.jwksUrl), monotonicMs) };
  }
  if (config.secret !== undefined) {
    const { secret, previousSecret } = config;
    const secrets = previousSecret === undefined ? [secret] : [secret, previousSecret];
    return { kind: 'secrets', secrets: secrets.map(secretKey) };
  }
  throw new ConfigError('AUTH_JWT_SECRET, AUTH_JWKS_FILE, AUTH_JWKS_URL: set one of them to verify tokens');
}

/** A public key used as a secret would let everyone who has it sign tokens. */
function secretKey(secret: string): KeyObject {
  if (/-----BEGIN (?:[A-Z]+ )?(?:PUBLIC KEY|CERTIFICATE)-----/.test(secret)) {
    throw new ConfigError('AUTH_JWT_SECRET: is a public key; use AUTH_JWKS_FILE or AUTH_JWKS_URL for a key set');
  }
  return createSecretKey(secret, 'utf8');
}

function keySetUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return url;
  throw new ConfigError(
    `AUTH_JWKS_URL=${JSON.stringify(withoutSecrets(text))}: must be an http(s) URL of a JSON Web Key Set`,
  );
}

async function readKeySet(path: string): Promise<JSONWebKeySet> {
  const shown = `AUTH_JWKS_FILE=${JSON.stringify(path)}`;
  const value = await readJsonFile(shown, path);
  if (!isKeySet(value)) throw new ConfigError(`${shown}: must hold {"keys":[…]} with at least one key (RFC 7517)`);
  for (const key of value.keys) {
    if (key.kty === 'oct' || key.d !== undefined) {
      throw new ConfigError(
        `${shown}: key ${JSON.stringify(key.kid ?? '')} is secret; the file must hold public keys only`,
      );
    }
  }
  return value;
}

function isKeySet(value: unknown): value is JSONWebKeySet {
  if (typeof value !== 'object' || value === null || !('keys' in value)) return false;
  const { keys } = value;
  return Array.isArray(keys) && keys.length > 0 && keys.every(isKey);
}

function isKey(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'kty' in value && typeof value.kty === 'string';
}
