import { expect, test } from 'vitest';
import { MessageRate, type MessageVerdict, type TokenBucket } from '../../../../src/gateway/limits/message-rate.js';

/** How many messages in a row, all at one time, get this verdict. */
function run(rate: MessageRate, bucket: TokenBucket, nowMs: number, verdict: MessageVerdict): number {
  let count = 0;
  for (;;) {
    const before = { ...bucket };
    if (rate.take(bucket, nowMs) !== verdict) {
      Object.assign(bucket, before);
      return count;
    }
    count++;
  }
}

test('R42 a second’s messages are accepted at once, and the next one is refused', () => {
  const rate = new MessageRate(1000);
  const bucket = rate.fill(5000);
  expect(run(rate, bucket, 5000, 'accepted')).toBe(1000);
  expect(rate.take(bucket, 5000)).toBe('refused');
});

test('R42 tokens come back with the time, never more than a second’s worth', () => {
  const rate = new MessageRate(1000);
  const bucket = rate.fill(0);
  run(rate, bucket, 0, 'accepted');
  expect(rate.take(bucket, 0.5)).toBe('refused');
  expect(run(rate, bucket, 1, 'accepted')).toBe(1);
  expect(run(rate, bucket, 251, 'accepted')).toBe(250);
  expect(run(rate, bucket, 3_600_000, 'accepted')).toBe(1000);
});

test('R42 a steady client at the rate is never refused, one at twice the rate every second time', () => {
  const rate = new MessageRate(100);
  const steady = rate.fill(0);
  const eager = rate.fill(0);
  run(rate, eager, 0, 'accepted');
  const verdicts = { steady: new Set<MessageVerdict>(), accepted: 0, refused: 0, abusive: 0 };
  for (let i = 1; i <= 1000; i++) {
    verdicts.steady.add(rate.take(steady, i * 10));
    verdicts[rate.take(eager, i * 10 - 5)]++;
    verdicts[rate.take(eager, i * 10)]++;
  }
  expect([...verdicts.steady]).toEqual(['accepted']);
  expect(verdicts.abusive).toBe(0);
  expect(Math.abs(verdicts.accepted - verdicts.refused)).toBeLessThanOrEqual(1);
});

test('R42 a client that goes on after ten seconds’ worth of refusals is abusive', () => {
  const rate = new MessageRate(1000);
  const bucket = rate.fill(0);
  run(rate, bucket, 0, 'accepted');
  expect(run(rate, bucket, 0, 'refused')).toBe(10_000);
  expect(rate.take(bucket, 0)).toBe('abusive');
});

test('R42 however low the rate, 1000 refusals come before the close', () => {
  const rate = new MessageRate(1);
  const bucket = rate.fill(0);
  expect(run(rate, bucket, 0, 'accepted')).toBe(1);
  expect(run(rate, bucket, 0, 'refused')).toBe(1000);
  expect(rate.take(bucket, 0)).toBe('abusive');
});

test('R42 refusals come back at the rate too, never more than there were', () => {
  const rate = new MessageRate(1000);
  const bucket = rate.fill(0);
  run(rate, bucket, 0, 'accepted');
  run(rate, bucket, 0, 'refused');
  expect(run(rate, bucket, 100, 'accepted')).toBe(100);
  expect(run(rate, bucket, 100, 'refused')).toBe(100);
  expect(rate.take(bucket, 100)).toBe('abusive');
  run(rate, bucket, 3_600_000, 'accepted');
  expect(run(rate, bucket, 3_600_000, 'refused')).toBe(10_000);
});

test('R42 a clock that stands still or goes back gives no tokens, nor gives any twice, nor takes any', () => {
  const rate = new MessageRate(1000);
  const bucket = rate.fill(10_000);
  for (let i = 0; i < 400; i++) rate.take(bucket, 10_000);
  expect(rate.take(bucket, 9_000)).toBe('accepted');
  expect(bucket.tokens).toBe(599);
  expect(run(rate, bucket, 9_500, 'accepted')).toBe(599);
  expect(rate.take(bucket, 10_000)).toBe('refused');
  expect(run(rate, bucket, 10_003, 'accepted')).toBe(3);
});
