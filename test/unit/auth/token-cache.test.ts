import { describe, expect, it } from 'vitest';
import type { Credential } from '../../../src/auth/credential.js';
import { TOKEN_CACHE_AGE_MAX_MS, TOKEN_CACHE_ENTRIES_MAX, TokenCache } from '../../../src/auth/token-cache.js';

function credential(expiresAtMs: number): Credential {
  const none = { entitlements: undefined, issuedAtMs: undefined, jti: undefined, apiKeyId: undefined };
  return { sub: 'u', tier: 'retail', roles: [], expiresAtMs, ...none };
}

describe('R21 TokenCache', () => {
  it('forgets a token when the token ends, tolerance included', () => {
    const cache = new TokenCache(5);
    cache.set('t', credential(100), 0);
    expect(cache.get('t', 104, 4)).toBeDefined();
    expect(cache.get('t', 105, 5)).toBeUndefined();
    expect(cache.size).toBe(0);
  });

  it('forgets a token that lives long after five minutes', () => {
    const cache = new TokenCache(5);
    cache.set('t', credential(Number.MAX_SAFE_INTEGER), 1_000);
    expect(cache.get('t', 0, 1_000 + TOKEN_CACHE_AGE_MAX_MS - 1)).toBeDefined();
    expect(cache.get('t', 0, 1_000 + TOKEN_CACHE_AGE_MAX_MS)).toBeUndefined();
  });

  it('never holds more than its bound, and forgets the least recently used first', () => {
    const cache = new TokenCache(0);
    for (let i = 0; i < TOKEN_CACHE_ENTRIES_MAX; i++) cache.set(`t${i}`, credential(1_000), 0);
    expect(cache.get('t0', 1, 1)).toBeDefined();
    cache.set('one more', credential(1_000), 1);
    expect(cache.size).toBe(TOKEN_CACHE_ENTRIES_MAX);
    expect(cache.get('t0', 2, 2)).toBeDefined();
    expect(cache.get('t1', 2, 2)).toBeUndefined();
  });
});
