/** Credentials for the benchmark's clients. */
import { randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';

/** A signing key for one run (HS256 needs 32 bytes, RFC 7518 section 3.2). */
export function newSecret(): string {
  return randomBytes(32).toString('hex');
}

/** One institutional token per client, each with a `sub` of its own, good for an hour. */
export async function mintTokens(secret: string, count: number): Promise<string[]> {
  const key = new TextEncoder().encode(secret);
  const tokens: string[] = [];
  for (let i = 0; i < count; i++) {
    const jwt = new SignJWT({ tier: 'institutional' }).setProtectedHeader({ alg: 'HS256' }).setSubject(`bench-${i}`);
    tokens.push(await jwt.setIssuedAt().setExpirationTime('1h').sign(key));
  }
  return tokens;
}
