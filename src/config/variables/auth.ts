/** Variables of who may connect, and how they show it. */
import { z } from 'zod';
import { parseDurationMs } from '../duration.js';
import { list, onOff } from '../values.js';

const SECRET_BYTES_MIN = 32;
/** Of 100 years: what ends later may as well have no end. */
const TOKEN_AGE_MS_MAX = 36_500 * 86_400_000;

const tokenAgeMs = z.string().transform((text, context) => {
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms <= TOKEN_AGE_MS_MAX) return ms;
  context.addIssue({ code: 'custom', message: 'must be a duration such as 15m, 24h or 7d, and at most 36500d' });
  return z.NEVER;
});

export const authVariables = z.object({
  AUTH_JWT_SECRET: z.string().optional(),
  AUTH_JWKS_URL: z.string().optional(),
  AUTH_JWKS_FILE: z.string().optional(),
  AUTH_ISSUER: z.string().optional(),
  AUTH_AUDIENCE: z.string().optional(),
  AUTH_TOKEN_MAX_AGE: tokenAgeMs.optional(),
  AUTH_API_KEYS_FILE: z.string().optional(),
  AUTH_ANONYMOUS: onOff.optional(),
  POLICY_FILE: z.string().optional(),
  REVOCATIONS_BUCKET: z
    .string()
    .regex(/^[\w-]{1,200}$/, 'must be the name of a bucket (letters, digits, _ and -), or off')
    .default('MILLRACE_REVOCATIONS'),
  REVOCATIONS_FILE: z.string().optional(),
  REVOCATIONS_REQUIRED: onOff.default(false),
  ALLOWED_ORIGINS: list.default([]),
});

export type AuthVariables = z.infer<typeof authVariables>;

export interface AuthConfig {
  readonly secret: string | undefined;
  readonly jwksUrl: string | undefined;
  readonly jwksFile: string | undefined;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  /** Longest time from a token's `iat` to its `exp`; undefined: any. */
  readonly tokenMaxAgeMs?: number | undefined;
  /** Hashes of API keys. */
  readonly apiKeysFile: string | undefined;
  /** Roles that topics need. */
  readonly policyFile: string | undefined;
}

export function authConfig(v: AuthVariables): AuthConfig {
  return {
    secret: v.AUTH_JWT_SECRET,
    jwksUrl: v.AUTH_JWKS_URL,
    jwksFile: v.AUTH_JWKS_FILE,
    issuer: v.AUTH_ISSUER,
    audience: v.AUTH_AUDIENCE,
    tokenMaxAgeMs: v.AUTH_TOKEN_MAX_AGE,
    apiKeysFile: v.AUTH_API_KEYS_FILE,
    policyFile: v.POLICY_FILE,
  };
}

/** Whether a connection may come without a credential: unless told, only where there is no way to get one. */
export function allowsAnonymous(v: AuthVariables): boolean {
  const sources = [v.AUTH_JWT_SECRET, v.AUTH_JWKS_URL, v.AUTH_JWKS_FILE, v.AUTH_API_KEYS_FILE];
  return v.AUTH_ANONYMOUS ?? sources.every(source => source === undefined);
}

export interface RevocationsConfig {
  /** Name of the NATS key-value bucket; undefined: none is used. */
  readonly bucket: string | undefined;
  readonly file: string | undefined;
  /** The gateway is ready only while revocations can be read. */
  readonly isRequired: boolean;
}

export function revocationsConfig(v: AuthVariables): RevocationsConfig {
  return {
    bucket: v.REVOCATIONS_BUCKET === 'off' ? undefined : v.REVOCATIONS_BUCKET,
    file: v.REVOCATIONS_FILE,
    isRequired: v.REVOCATIONS_REQUIRED,
  };
}

/** What is wrong with the variables together. @param feed what the gateway reads */
export function authProblems(v: AuthVariables, feed: string): string[] {
  const wrong: string[] = [];
  if (v.AUTH_JWT_SECRET !== undefined && Buffer.byteLength(v.AUTH_JWT_SECRET) < SECRET_BYTES_MIN) {
    wrong.push(`AUTH_JWT_SECRET: must be at least ${SECRET_BYTES_MIN} bytes for HS256 (RFC 7518 section 3.2)`);
  }
  const keys = [v.AUTH_JWT_SECRET, v.AUTH_JWKS_URL, v.AUTH_JWKS_FILE].filter(key => key !== undefined);
  if (keys.length > 1) wrong.push('AUTH_JWT_SECRET, AUTH_JWKS_URL, AUTH_JWKS_FILE: set one of them, not several');
  const hasBucket = feed === 'nats' && v.REVOCATIONS_BUCKET !== 'off';
  if (v.REVOCATIONS_REQUIRED && v.REVOCATIONS_FILE === undefined && !hasBucket) {
    wrong.push('REVOCATIONS_REQUIRED=on: needs REVOCATIONS_FILE, or FEED=nats with a REVOCATIONS_BUCKET');
  }
  return wrong;
}
