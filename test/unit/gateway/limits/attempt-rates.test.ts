import { describe, expect, test } from 'vitest';
import { AttemptRates, createAttemptRates } from '../../../../src/gateway/limits/attempt-rates.js';

const SEED = [7, 11] as const;
const LIMIT = 200;
/** Some Date.now(), in the second half of a second of the calendar. */
const T0 = 1_700_000_000_650;

function ratesOf(workers: number, slots = 64): AttemptRates[] {
  const buffer = createAttemptRates(workers, SEED, slots);
  return Array.from({ length: workers }, (_, worker) => new AttemptRates(buffer, worker, LIMIT));
}

const one = (slots?: number): AttemptRates => ratesOf(1, slots)[0] as AttemptRates;

/** Of `count` attempts at one time, how many are allowed. */
function burst(rates: AttemptRates, key: string, nowMs: number, count: number): number {
  let allowed = 0;
  for (let i = 0; i < count; i++) if (rates.attempt(key, nowMs)) allowed++;
  return allowed;
}

describe('attempts of one address', () => {
  test('R41 200 at once are allowed, and the 201st is refused', () => {
    const rates = one();
    for (let i = 0; i < LIMIT; i++) expect(rates.attempt('a', T0)).toBe(true);
    expect(rates.attempt('a', T0)).toBe(false);
  });

  test('R41 200 are allowed and more refused in the first second, wherever in a second of the clock it begins', () => {
    for (let offset = 0; offset < 1000; offset += 50) {
      const rates = one();
      let allowed = 0;
      for (let i = 0; i < 400; i++) if (rates.attempt('a', T0 + offset + i * 2.49)) allowed++;
      expect(allowed).toBe(LIMIT);
    }
  });

  test('R41 the previous second counts for as much as the last second overlaps it', () => {
    const rates = one();
    burst(rates, 'a', T0, LIMIT);
    expect(burst(rates, 'a', T0 + 1000, 10)).toBe(1);
    // A quarter into the next one: just under 150 of the 200, and all ten that came since.
    expect(burst(rates, 'a', T0 + 1250, 100)).toBe(41);
  });

  test('R41 a steady rate at the limit is allowed for ever, and one of half as much again refused for ever', () => {
    const rates = one();
    let allowed = 0;
    for (let i = 0; i < 2000; i++) if (rates.attempt('steady', T0 + i * 5)) allowed++;
    expect(allowed).toBe(2000);
    // The first second lets its 200 through; then attempts count although they are refused.
    for (let i = 0; i < 300; i++) rates.attempt('eager', T0 + (i * 10) / 3);
    allowed = 0;
    for (let i = 300; i < 3000; i++) if (rates.attempt('eager', T0 + (i * 10) / 3)) allowed++;
    expect(allowed).toBe(0);
  });

  test('R41 after the pause that a refusal names, the whole rate is there again', () => {
    const rates = one();
    burst(rates, 'a', T0, 10 * LIMIT);
    burst(rates, 'a', T0 + 1100, 10 * LIMIT);
    expect(rates.retryAfterSeconds).toBe(2);
    expect(rates.attempt('a', T0 + 2500)).toBe(false);
    expect(burst(rates, 'a', T0 + 4500, LIMIT + 1)).toBe(LIMIT);
  });

  test('R41 a clock set back gives no attempts for a moment, and takes none for long', () => {
    const rates = one();
    burst(rates, 'a', T0, LIMIT);
    expect(rates.attempt('a', T0 - 5)).toBe(false);
    for (let i = 0; i < 11; i++) burst(rates, 'b', T0 + i * 100, 10);
    // Of b's 110 the 100 of the previous second count once, not more.
    expect(burst(rates, 'b', T0 + 100, LIMIT)).toBe(91);
    expect(burst(rates, 'a', T0 - 3_600_000, LIMIT + 1)).toBe(LIMIT);
  });
});

describe('attempts over workers and addresses', () => {
  test('R41 workers count together, each beginning its window when it will', () => {
    const [first, second, third] = ratesOf(3) as [AttemptRates, AttemptRates, AttemptRates];
    expect(burst(first, 'a', T0, 80)).toBe(80);
    expect(burst(second, 'a', T0 + 300, 80)).toBe(80);
    expect(burst(third, 'a', T0 + 600, 80)).toBe(40);
    expect(first.attempt('a', T0 + 900)).toBe(false);
    expect(first.attempt('b', T0 + 900)).toBe(true);
  });

  test('R41 what one worker counted fades for the others too while no more attempts come to it', () => {
    const [first, second] = ratesOf(2) as [AttemptRates, AttemptRates];
    burst(first, 'a', T0, LIMIT);
    expect(burst(second, 'a', T0 + 1500, LIMIT)).toBe(101);
    expect(burst(second, 'b', T0 + 1500, LIMIT)).toBe(LIMIT);
    burst(first, 'c', T0, LIMIT);
    expect(burst(second, 'c', T0 + 2100, LIMIT)).toBe(LIMIT);
  });

  test('R41 the attempts of a worker that died are forgotten', () => {
    const [first, second] = ratesOf(2) as [AttemptRates, AttemptRates];
    burst(first, 'a', T0, LIMIT);
    expect(second.attempt('a', T0)).toBe(false);
    second.clear(0);
    expect(burst(second, 'a', T0, LIMIT)).toBe(LIMIT - 1);
  });

  test('R41 when the table is full new addresses are allowed and counted as overflow; known ones are still limited', () => {
    const rates = one(4);
    for (const key of ['a', 'b', 'c', 'd']) burst(rates, key, T0, LIMIT);
    expect(rates.counters.overflow).toBe(0);
    expect(burst(rates, 'e', T0, 2 * LIMIT)).toBe(2 * LIMIT);
    expect(rates.counters.overflow).toBe(2 * LIMIT);
    expect(rates.attempt('c', T0)).toBe(false);
  });

  test('R41 addresses that have paused make place for new ones', () => {
    const rates = one(4);
    for (const key of ['a', 'b', 'c', 'd']) burst(rates, key, T0, LIMIT);
    burst(rates, 'b', T0 + 1500, 100);
    expect(burst(rates, 'e', T0 + 2000, LIMIT + 1)).toBe(LIMIT);
    expect(rates.counters.overflow).toBe(0);
    // b has not paused: its 100 of half a second ago still count.
    expect(burst(rates, 'b', T0 + 2000, LIMIT)).toBe(101);
  });

  test('R41 a flood of addresses locks nobody out, and is forgotten after two seconds', () => {
    const rates = one(1024);
    for (let i = 0; i < 50_000; i++) rates.attempt(`flood-${i}`, T0 + (i >> 10));
    expect(rates.counters.overflow).toBeGreaterThan(0);
    const before = rates.counters.overflow;
    expect(rates.attempt('honest', T0 + 1000)).toBe(true);
    expect(burst(rates, 'honest', T0 + 4000, LIMIT + 1)).toBe(LIMIT);
    expect(rates.counters.overflow).toBeLessThanOrEqual(before + 1);
  });
});
