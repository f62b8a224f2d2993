/** Credentials for the benchmark's clients. */
import { randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import { STREAMS } from '../../src/protocol/topics.js';

const EVERYTHING = STREAMS.map(stream => `${stream}:*`);

/** A signing key for one run (HS256 needs 32 bytes, RFC 7518 section 3.2). */
export function newSecret(): string {
  return randomBytes(32).toString('hex');
}

/** One institutional token per client, each with a `sub` of its own, good for an hour. */
export function mintTokens(secret: string, count: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => mintToken(secret, `bench-${i}`, 'institutional')));
}

/** A token of one user, good for an hour. */
export function mintToken(secret: string, sub: string, tier: 'institutional' | 'retail'): Promise<string> {
  const jwt = new SignJWT({ tier, entitlements: EVERYTHING }).setProtectedHeader({ alg: 'HS256' }).setSubject(sub);
  return jwt.setIssuedAt().setExpirationTime('1h').sign(new TextEncoder().encode(secret));
}
