import { expect, it } from 'vitest';
import { AttemptLimiter, FREE_FAILURES } from '../../../src/admin/attempt-limiter.js';
import { clientAddressOf } from '../../../src/gateway/edge/client-address.js';

function limiterAt(clock: { nowMs: number }) {
  const wrong: string[] = [];
  const limiter = new AttemptLimiter({ nowMs: () => clock.nowMs, onWrong: address => wrong.push(address) });
  return { limiter, wrong };
}

it('J11: counts wrong tokens, and tells of them', () => {
  const { limiter, wrong } = limiterAt({ nowMs: 0 });
  expect(limiter.failed('192.0.2.1')).toBeUndefined();
  expect(limiter.failed('::ffff:192.0.2.1')).toBeUndefined();
  expect(wrong).toEqual(['192.0.2.1', '192.0.2.1']);
});

it('J11: lets an address that guesses wait longer each time, and no other', () => {
  const clock = { nowMs: 0 };
  const { limiter } = limiterAt(clock);
  for (let i = 0; i < FREE_FAILURES; i++) expect(limiter.failed('192.0.2.1')).toBeUndefined();
  const waits: number[] = [];
  for (let i = 0; i < 4; i++) {
    expect(limiter.failed('192.0.2.1')).toBeUndefined();
    const waitMs = limiter.failed('192.0.2.1') ?? 0;
    waits.push(waitMs);
    clock.nowMs += waitMs;
  }
  expect(waits.map(Math.round)).toEqual([1_000, 2_000, 4_000, 8_000]);
  expect(limiter.failed('192.0.2.2')).toBeUndefined();
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
