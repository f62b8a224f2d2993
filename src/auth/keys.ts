/** The configured keys that verify tokens. */
import { createSecretKey, type KeyObject } from 'node:crypto';
import type { JSONWebKeySet } from 'jose';
import { ConfigError } from '../config/config-error.js';
import type { AuthConfig } from '../config/environment.js';
import { readJsonFile } from './json-file.js';

/**
 * Two kinds, so that a public key is never used as a secret, or a secret as a public key. Any of the secrets may have
 * signed a token; with an empty list, no token is accepted.
 */
export type TokenKeys =
  | { readonly kind: 'secrets'; readonly secrets: readonly KeyObject[] }
  | { readonly kind: 'keySet'; readonly keys: JSONWebKeySet }
  /** The key set of AUTH_JWKS_URL, which is fetched elsewhere. */
  | { readonly kind: 'remote' };

/**
 * Reads the configured keys; call it again to reread them.
 * @throws {ConfigError} naming the variable, with `cause`.
 */
export async function readTokenKeys(config: AuthConfig): Promise<TokenKeys> {
  if (config.jwksFile !== undefined) return { kind: 'keySet', keys: await readKeySet(config.jwksFile) };
  if (config.jwksUrl !== undefined) return { kind: 'remote' };
  const secrets = [config.secret, config.previousSecret].filter(secret => secret !== undefined);
  if (secrets.length > 0) return { kind: 'secrets', secrets: secrets.map(secretKey) };
  if (config.apiKeysFile !== undefined) return { kind: 'secrets', secrets: [] };
  throw new ConfigError('AUTH_JWT_SECRET, AUTH_JWKS_FILE, AUTH_JWKS_URL: set one of them to verify tokens');
}

/** A public key used as a secret would let everyone who has it sign tokens. */
function secretKey(secret: string): KeyObject {
  if (/-----BEGIN (?:[A-Z]+ )?(?:PUBLIC KEY|CERTIFICATE)-----/.test(secret)) {
    throw new ConfigError('AUTH_JWT_SECRET: is a public key; use AUTH_JWKS_FILE or AUTH_JWKS_URL for a key set');
  }
  return createSecretKey(secret, 'utf8');
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
