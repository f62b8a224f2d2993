import { describe, expect, it } from 'vitest';
import { PublishedBytes } from '../../../../src/gateway/limits/published-bytes.js';
import { createSharedRates } from '../../../../src/gateway/limits/shared-rates.js';

const LIMIT = 1000;
const T0 = 5_000_000;

function workers(count: number, slots = 64): PublishedBytes[] {
  const buffer = createSharedRates(count, [7, 11], slots);
  return Array.from({ length: count }, (_, worker) => new PublishedBytes(buffer, worker, LIMIT));
}

describe('J6 bytes that a user publishes in a second', () => {
  it('J6 are counted over all threads, those that are refused not at all', () => {
    const [first, second] = workers(2) as [PublishedBytes, PublishedBytes];
    expect(first.take('alice', 600, T0)).toBe(0);
    expect(second.take('alice', 600, T0 + 1)).toBeGreaterThan(0);
    expect(second.take('alice', 400, T0 + 2)).toBe(0);
    expect(first.take('alice', 1, T0 + 3)).toBeGreaterThan(0);
    expect(first.take('bob', LIMIT, T0 + 3)).toBe(0);
  });

  it('J6 may be as many again after the time that a refusal names, however often it was refused', () => {
    const [rate] = workers(1) as [PublishedBytes];
    let nowMs = T0;
    for (let round = 0; round < 50; round++) {
      const bytes = 1 + ((round * 313) % LIMIT);
      const waitMs = rate.take('alice', bytes, nowMs);
      expect(waitMs).toBeLessThanOrEqual(2000);
      for (let again = 0; again < 5 && waitMs > 0; again++) rate.take('alice', bytes, nowMs);
      if (waitMs > 0) expect(rate.take('alice', bytes, nowMs + waitMs)).toBe(0);
      nowMs += waitMs + 37;
    }
  });

  it('J6 are no more than the limit in any second, to within what the estimate allows, at a steady rate', () => {
    const [rate] = workers(1) as [PublishedBytes];
    let taken = 0;
    for (let ms = 0; ms < 10_000; ms += 10) if (rate.take('alice', 50, T0 + ms) === 0) taken += 50;
    // The first second lets its own through, then as much in each.
    expect(taken).toBeGreaterThan(9 * LIMIT);
    expect(taken).toBeLessThanOrEqual(11 * LIMIT);
  });

  it('J6 of more users than a table holds are refused, not uncounted', () => {
    const [rate] = workers(1, 8) as [PublishedBytes];
    const taken = Array.from({ length: 50 }, (_, n) => rate.take(`user ${n}`, 10, T0));
    expect(taken.filter(waitMs => waitMs === 0)).toHaveLength(8);
    expect(rate.take('later', 10, T0 + 2000)).toBe(0);
  });

  it('J6 of a worker that has ended are forgotten', () => {
    const [first, second] = workers(2) as [PublishedBytes, PublishedBytes];
    first.take('alice', LIMIT, T0);
    second.clear(0);
    expect(second.take('alice', LIMIT, T0 + 1)).toBe(0);
  });
});
