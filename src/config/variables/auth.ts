/** Settings that decide who may connect, and with which credentials. */
import { optional, setting, type ValuesOf } from '../setting.js';
import { age, file, matching, onOff, secret, text, url } from '../values.js';

const SECRET_BYTES_MIN = 32;

export const credentials = {
  title: 'Credentials',
  about:
    'Who may connect. Without any `AUTH_…` key, the gateway generates one for the run and prints a token signed with it.',
  settings: {
    AUTH_JWT_SECRET: optional(secret, {
      means: 'HS256 secret that signs tokens, 32 bytes or more.',
      isReloaded: true,
    }),
    AUTH_JWT_SECRET_PREVIOUS: optional(secret, {
      means: 'Second secret that tokens may be signed with, while you rotate the first.',
      see: 'ops/README.md#reload',
      isReloaded: true,
    }),
    AUTH_JWKS_URL: optional(url, { means: 'URL of the JSON Web Key Set that verifies tokens (RS256, ES256, EdDSA).' }),
    AUTH_JWKS_FILE: optional(file, { means: 'File with such a key set, instead of a URL.' }),
    AUTH_ISSUER: optional(text, { means: 'Required `iss` of tokens.' }),
    AUTH_AUDIENCE: optional(text, { means: 'Required `aud` of tokens.' }),
    AUTH_TOKEN_MAX_AGE: optional(age, {
      means:
        'Longest time from the `iat` of a token to its `exp`; longer-lived tokens and tokens without `iat` are refused. Revocations of tokens stay in force for the same time.',
      unset: 'any token is accepted, and its revocation lasts forever',
    }),
    AUTH_API_KEYS_FILE: optional(file, {
      means:
        'File of API key hashes, written by `millrace api-key`. The gateway rereads a changed file within seconds and closes the connections of removed keys.',
    }),
    AUTH_ANONYMOUS: optional(onOff, {
      means: '`on` lets clients connect without a credential, to whatever needs none; `off` answers them with 401.',
      unset:
        '`off` if one of `AUTH_JWT_SECRET`, `AUTH_JWKS_URL`, `AUTH_JWKS_FILE` and `AUTH_API_KEYS_FILE` is set, else `on`',
    }),
    POLICY_FILE: optional(file, {
      means:
        'File with the roles that topics require: `{"roles":{"analytics:exposure-updates":["risk","admin"],"rooms:ops-*":["ops"]}}`.',
    }),
  },
} as const;

export const revoking = {
  title: 'Revocations',
  about:
    'Where the gateway keeps revoked credentials. If you use both a bucket and a file, each gets what the other has.',
  settings: {
    REVOCATIONS_BUCKET: setting(
      matching(/^[\w-]{1,200}$/, 'the name of a bucket (letters, digits, _ and -), or off'),
      'MILLRACE_REVOCATIONS',
      {
        means: 'JetStream key-value bucket, created if absent; `off` uses none.',
        see: 'ops/revocation.md',
      },
    ),
    REVOCATIONS_FILE: optional(file, {
      means: 'File for NATS servers without JetStream, created with mode 600 if absent.',
    }),
    REVOCATIONS_REQUIRED: setting(onOff, 'off', {
      means: '`on`: the gateway starts only if it can read its revocations, and is ready only while it can.',
    }),
  },
} as const;

export const authGroups = [credentials, revoking];

export type AuthVariables = ValuesOf<typeof credentials.settings & typeof revoking.settings>;

export interface AuthConfig {
  readonly secret: string | undefined;
  /** The secret before it, which still verifies tokens. */
  readonly previousSecret?: string | undefined;
  readonly jwksUrl: string | undefined;
  readonly jwksFile: string | undefined;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  /** Longest time from a token's `iat` to its `exp`; undefined: any. */
  readonly tokenMaxAgeMs?: number | undefined;
  /** File of API key hashes. */
  readonly apiKeysFile: string | undefined;
  /** File with the roles that topics require. */
  readonly policyFile: string | undefined;
}

export function authConfig(v: AuthVariables): AuthConfig {
  return {
    secret: v.AUTH_JWT_SECRET,
    previousSecret: v.AUTH_JWT_SECRET_PREVIOUS,
    jwksUrl: v.AUTH_JWKS_URL,
    jwksFile: v.AUTH_JWKS_FILE,
    issuer: v.AUTH_ISSUER,
    audience: v.AUTH_AUDIENCE,
    tokenMaxAgeMs: v.AUTH_TOKEN_MAX_AGE,
    apiKeysFile: v.AUTH_API_KEYS_FILE,
    policyFile: v.POLICY_FILE,
  };
}

/** Whether clients may connect without a credential: by default, only if no credential could be verified. */
export function allowsAnonymous(v: AuthVariables): boolean {
  const sources = [v.AUTH_JWT_SECRET, v.AUTH_JWKS_URL, v.AUTH_JWKS_FILE, v.AUTH_API_KEYS_FILE];
  return v.AUTH_ANONYMOUS ?? sources.every(source => source === undefined);
}

export interface RevocationsConfig {
  /** Name of the NATS key-value bucket; undefined: none. */
  readonly bucket: string | undefined;
  readonly file: string | undefined;
  /** The gateway is ready only while its revocations are readable. */
  readonly isRequired: boolean;
}

export function revocationsConfig(v: AuthVariables): RevocationsConfig {
  return {
    bucket: v.REVOCATIONS_BUCKET === 'off' ? undefined : v.REVOCATIONS_BUCKET,
    file: v.REVOCATIONS_FILE,
    isRequired: v.REVOCATIONS_REQUIRED,
  };
}

/** Conflicts between these settings. @param feed the configured feed */
export function authProblems(v: AuthVariables, feed: string): string[] {
  const wrong: string[] = [];
  const secrets = { AUTH_JWT_SECRET: v.AUTH_JWT_SECRET, AUTH_JWT_SECRET_PREVIOUS: v.AUTH_JWT_SECRET_PREVIOUS };
  for (const [name, text] of Object.entries(secrets)) {
    if (text !== undefined && Buffer.byteLength(text) < SECRET_BYTES_MIN) {
      wrong.push(`${name}: must be at least ${SECRET_BYTES_MIN} bytes for HS256 (RFC 7518 section 3.2)`);
    }
  }
  if (v.AUTH_JWT_SECRET_PREVIOUS !== undefined && v.AUTH_JWT_SECRET === undefined) {
    wrong.push('AUTH_JWT_SECRET_PREVIOUS: needs AUTH_JWT_SECRET');
  }
  const keys = [v.AUTH_JWT_SECRET, v.AUTH_JWKS_URL, v.AUTH_JWKS_FILE].filter(key => key !== undefined);
  if (keys.length > 1) wrong.push('AUTH_JWT_SECRET, AUTH_JWKS_URL, AUTH_JWKS_FILE: set only one of them');
  const hasBucket = feed === 'nats' && v.REVOCATIONS_BUCKET !== 'off';
  if (v.REVOCATIONS_REQUIRED && v.REVOCATIONS_FILE === undefined && !hasBucket) {
    wrong.push('REVOCATIONS_REQUIRED=on: needs REVOCATIONS_FILE, or FEED=nats with a REVOCATIONS_BUCKET');
  }
  return wrong;
}
