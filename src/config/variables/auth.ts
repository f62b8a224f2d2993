/** Variables of who may connect, and how they show it. */
import { z } from 'zod';
import { list, onOff } from '../values.js';

const SECRET_BYTES_MIN = 32;

export const authVariables = z.object({
  AUTH_JWT_SECRET: z.string().optional(),
  AUTH_JWKS_URL: z.string().optional(),
  AUTH_JWKS_FILE: z.string().optional(),
  AUTH_ISSUER: z.string().optional(),
  AUTH_AUDIENCE: z.string().optional(),
  AUTH_API_KEYS_FILE: z.string().optional(),
  AUTH_ANONYMOUS: onOff.optional(),
  POLICY_FILE: z.string().optional(),
  ALLOWED_ORIGINS: list.default([]),
});

export type AuthVariables = z.infer<typeof authVariables>;

export interface AuthConfig {
  readonly secret: string | undefined;
  readonly jwksUrl: string | undefined;
  readonly jwksFile: string | undefined;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
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
    apiKeysFile: v.AUTH_API_KEYS_FILE,
    policyFile: v.POLICY_FILE,
  };
}

/** Whether a connection may come without a credential: unless told, only where there is no way to get one. */
export function allowsAnonymous(v: AuthVariables): boolean {
  const sources = [v.AUTH_JWT_SECRET, v.AUTH_JWKS_URL, v.AUTH_JWKS_FILE, v.AUTH_API_KEYS_FILE];
  return v.AUTH_ANONYMOUS ?? sources.every(source => source === undefined);
}

/** What is wrong with the variables together. */
export function authProblems(v: AuthVariables): string[] {
  const wrong: string[] = [];
  if (v.AUTH_JWT_SECRET !== undefined && Buffer.byteLength(v.AUTH_JWT_SECRET) < SECRET_BYTES_MIN) {
    wrong.push(`AUTH_JWT_SECRET: must be at least ${SECRET_BYTES_MIN} bytes for HS256 (RFC 7518 section 3.2)`);
  }
  const keys = [v.AUTH_JWT_SECRET, v.AUTH_JWKS_URL, v.AUTH_JWKS_FILE].filter(key => key !== undefined);
  if (keys.length > 1) wrong.push('AUTH_JWT_SECRET, AUTH_JWKS_URL, AUTH_JWKS_FILE: set one of them, not several');
  return wrong;
}
