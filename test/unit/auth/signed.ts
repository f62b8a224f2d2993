/** Tokens that are truly signed, and what a verifier makes of them. */
import { createHmac } from 'node:crypto';
import { type CryptoKey, SignJWT } from 'jose';
import { expect } from 'vitest';
import { createTokenVerifier } from '../../../src/auth/token.js';
import type { TokenRefusal, TokenResult } from '../../../src/auth/token-refusal.js';
import { type AuthConfig, readConfig } from '../../../src/config/environment.js';

export const SECRET = 'a secret of at least thirty-two bytes';
export const NOW_MS = 1_700_000_000_000;
export const NOW = NOW_MS / 1000;
export const NO_AUTH: AuthConfig = readConfig({}).auth;
/** Claims that are accepted. */
export const GOOD = { sub: 'alice', exp: NOW + 60 };

const secretKey = new TextEncoder().encode(SECRET);

export const withSecret = (more: Partial<AuthConfig> = {}): AuthConfig => ({ ...NO_AUTH, secret: SECRET, ...more });
/** What a refusal matches. @param claim the claim that it must name; left out: any or none */
export const refused = (reason: TokenRefusal, claim?: string) =>
  expect.objectContaining({ ok: false, code: 'unauthorized', reason, ...(claim !== undefined && { claim }) });

export function signed(
  claims: Record<string, unknown>,
  key: CryptoKey | Uint8Array = secretKey,
  header = {},
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256', ...header }).sign(key);
}

/** Header and payload as they are written, oddities and all, with the right signature. */
export function signedText(header: string, payload: string): string {
  const parts = [header, payload].map(text => Buffer.from(text).toString('base64url')).join('.');
  return `${parts}.${createHmac('sha256', SECRET).update(parts).digest('base64url')}`;
}

export async function verify(token: string, config = withSecret(), nowMs = NOW_MS): Promise<TokenResult> {
  return (await createTokenVerifier(config, { nowMs: () => nowMs })).verify(token);
}
