import { expect, it } from 'vitest';
import { AttemptLimiter, FREE_FAILURES } from '../../../src/admin/attempt-limiter.js';
import { clientAddressOf } from '../../../src/gateway/edge/client-address.js';

const TOKEN = 'a-token-of-at-least-thirty-two-bytes';

function limiterAt(clock: { nowMs: number }) {
  const wrong: string[] = [];
  const limiter = new AttemptLimiter({
    token: TOKEN,
    nowMs: () => clock.nowMs,
    onWrong: address => wrong.push(address),
  });
  return { limiter, wrong };
}

it('J11: takes the token, refuses others and none, and tells of wrong ones', () => {
  const { limiter, wrong } = limiterAt({ nowMs: 0 });
  expect(limiter.check(`Bearer ${TOKEN}`, '192.0.2.1')).toBe('accepted');
  for (const authorization of [undefined, '', TOKEN, `Bearer ${TOKEN} `, `Bearer ${TOKEN.toUpperCase()}`, 'Bearer '])
    expect(limiter.check(authorization, '192.0.2.1')).toBe('refused');
  expect(wrong).toEqual(Array(5).fill('192.0.2.1'));
});

it('J11: lets what an address guesses wait longer each time, but not the right token', () => {
  const clock = { nowMs: 0 };
  const { limiter } = limiterAt(clock);
  for (let i = 0; i < FREE_FAILURES; i++) expect(limiter.check('Bearer guess', '192.0.2.1')).toBe('refused');
  expect(limiter.check(`Bearer ${TOKEN}`, '192.0.2.1')).toBe('accepted');
  const waits: unknown[] = [];
  for (let i = 0; i < 4; i++) {
    expect(limiter.check('Bearer guess', '192.0.2.1')).toBe('refused');
    expect(limiter.check(`Bearer ${TOKEN}`, '192.0.2.1')).toBe('accepted');
    const verdict = limiter.check('Bearer guess', '192.0.2.1');
    waits.push(verdict);
    clock.nowMs += (verdict as { retryAfterSeconds: number }).retryAfterSeconds * 1000;
  }
  expect(waits).toEqual([1, 2, 4, 8].map(retryAfterSeconds => ({ retryAfterSeconds })));
  expect(limiter.check(undefined, '192.0.2.1')).toBe('refused');
  expect(limiter.check(`Bearer ${TOKEN}`, '192.0.2.2')).toBe('accepted');
  expect(limiter.check(`Bearer ${TOKEN}`, '192.0.2.1')).toBe('accepted');
});

it('J11: does not count requests without a token as guesses', () => {
  const { limiter, wrong } = limiterAt({ nowMs: 0 });
  for (let i = 0; i < 100; i++) expect(limiter.check(undefined, '192.0.2.1')).toBe('refused');
  expect(limiter.check(`Bearer ${TOKEN}`, '192.0.2.1')).toBe('accepted');
  expect(wrong).toEqual([]);
});

it.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::ffff:c000:201', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['', ''],
  ['nonsense', ''],
])('J11: counts %s as %j', (text, address) => {
  expect(clientAddressOf(text)).toBe(address);
});
