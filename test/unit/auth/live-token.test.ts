import { expect, it } from 'vitest';
import { LiveTokens, withLiveTokens } from '../../../src/auth/live-token.js';
import { createTokenVerifier, mintToken } from '../../../src/auth/token.js';
import { readConfig } from '../../../src/config/environment.js';

const SECRET = 'a-secret-of-the-run-0123456789abcdef';
const ORIGIN = 'http://127.0.0.1:9090';

it('R61 is a credential of its own: public topics, for minutes, for one page', () => {
  let nowMs = 1_000_000;
  const live = new LiveTokens(SECRET, () => nowMs);
  const { token, expiresAtMs } = live.mint(ORIGIN);
  expect(live.originOf(token)).toBe(ORIGIN);
  expect(live.verify(token)).toMatchObject({ ok: true, credential: { roles: [], expiresAtMs } });
  const verified = live.verify(token);
  const entitlements = verified?.ok === true ? verified.credential.entitlements : [];
  expect(entitlements?.some(text => text.startsWith('orders') || text.startsWith('rooms'))).toBe(false);
  nowMs = expiresAtMs;
  expect(live.verify(token)).toMatchObject({ ok: false, reason: 'expired' });
});

it('R61 is no token of another run, and none that was changed', () => {
  const live = new LiveTokens(SECRET);
  const { token } = live.mint(undefined);
  const [prefix, body, signature] = token.split('.');
  const other = Buffer.from(JSON.stringify({ user: 'x', expiresAtMs: 9e15, origin: ORIGIN })).toString('base64url');
  for (const wrong of [
    new LiveTokens('another').mint(ORIGIN).token,
    `${prefix}.${other}.${signature}`,
    `${prefix}.${body}.`,
    `${prefix}.${body}`,
    `${prefix}.${'A'.repeat(5_000)}.${signature}`,
  ]) {
    expect([live.verify(wrong)?.ok, live.originOf(wrong)]).toEqual([false, undefined]);
  }
});

it('R61 stands beside the tokens of clients', async () => {
  const secret = 's'.repeat(32);
  const tokens = await createTokenVerifier(readConfig({ AUTH_JWT_SECRET: secret }).auth);
  const live = new LiveTokens(SECRET);
  const both = withLiveTokens(tokens, live);
  expect(both.verify(live.mint(undefined).token)).toMatchObject({ ok: true });
  expect(both.verify(await mintToken({ secret, sub: 'alice', ttlMs: 60_000 }))).toMatchObject({ ok: true });
  expect(both.verify('nonsense')).toMatchObject({ ok: false });
});
