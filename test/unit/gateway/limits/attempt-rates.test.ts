import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../../src/feed/simulator/seeded-random.js';
import { AttemptRates, createSharedAttempts } from '../../../../src/gateway/limits/attempt-rates.js';

const SEED = [7, 11] as const;
const LIMIT = 200;
/** Some Date.now(), in the second half of a second of the calendar. */
const T0 = 1_700_000_000_650;

function ratesOf(workers: number, slots = 64, random?: () => number): AttemptRates[] {
  const shared = createSharedAttempts(workers, SEED, slots);
  return Array.from({ length: workers }, (_, worker) => new AttemptRates(shared, worker, LIMIT, random));
}

const one = (slots?: number, random?: () => number): AttemptRates => ratesOf(1, slots, random)[0] as AttemptRates;

/** Of `count` attempts at one time, how many are admitted. */
function burst(rates: AttemptRates, key: string, nowMs: number, count: number): number {
  let admitted = 0;
  for (let i = 0; i < count; i++) if (rates.attempt(key, nowMs) === 0) admitted++;
  return admitted;
}

describe('attempts of one address', () => {
  test('R41 200 at once are admitted, and the 201st is refused', () => {
    const rates = one();
    for (let i = 0; i < LIMIT; i++) expect(rates.attempt('a', T0)).toBe(0);
    expect(rates.attempt('a', T0)).toBeGreaterThan(0);
  });

  test('R41 200 are admitted and more refused in the first second, wherever in a second of the clock it begins', () => {
    for (let offset = 0; offset < 1000; offset += 50) {
      const rates = one();
      let admitted = 0;
      for (let i = 0; i < 400; i++) if (rates.attempt('a', T0 + offset + i * 2.49) === 0) admitted++;
      expect(admitted).toBe(LIMIT);
    }
  });

  test('R41 a burst counts for a second, then less by the tenth of a second that still overlaps it', () => {
    const rates = one();
    burst(rates, 'a', T0, LIMIT);
    expect(burst(rates, 'a', T0 + 999, 10)).toBe(0);
    expect(burst(rates, 'a', T0 + 1000, 10)).toBe(2);
    // A quarter into the tenth: just under 150 of the 200, and the two that came since.
    expect(burst(rates, 'a', T0 + 1025, 100)).toBe(50);
    expect(burst(rates, 'a', T0 + 1100, LIMIT)).toBe(LIMIT - 52);
  });

  test('R41 a steady rate at the limit is admitted for ever', () => {
    const rates = one();
    let admitted = 0;
    for (let i = 0; i < 2000; i++) if (rates.attempt('steady', T0 + i * 5) === 0) admitted++;
    expect(admitted).toBe(2000);
  });

  test.each([1.5, 3, 10])('P3 R41 of %d times the limit, the limit is admitted for ever, and never more', times => {
    const rates = one();
    const admittedAt: number[] = [];
    for (let ms = 0; ms < 10_000; ms += 1000 / LIMIT / times) {
      if (rates.attempt('eager', T0 + Math.floor(ms)) === 0) admittedAt.push(ms);
    }
    expect(admittedAt.length).toBeGreaterThan(10 * LIMIT * 0.95);
    for (let first = 0; first + LIMIT < admittedAt.length; first++) {
      const [from = 0, to = 0] = [admittedAt[first], admittedAt[first + LIMIT]];
      // Times are whole milliseconds, and the oldest tenth of a second is an estimate.
      expect(to - from).toBeGreaterThanOrEqual(990);
    }
  });

  test('P3 R41 after the pause that a refusal names, there is a place', () => {
    const rates = one();
    burst(rates, 'a', T0, LIMIT);
    const waitMs = rates.attempt('a', T0);
    expect(waitMs).toBeGreaterThanOrEqual(1000);
    expect(waitMs).toBeLessThanOrEqual(1100);
    expect(rates.attempt('a', T0 + waitMs)).toBe(0);
  });

  test('R41 a clock set back gives no attempts for a moment, and takes none for long', () => {
    const rates = one();
    burst(rates, 'a', T0, LIMIT);
    expect(rates.attempt('a', T0 - 5)).toBeGreaterThan(0);
    for (let i = 0; i < 11; i++) burst(rates, 'b', T0 + i * 100, 10);
    // All of b's 110 may be of the last second.
    expect(burst(rates, 'b', T0 + 100, LIMIT)).toBeGreaterThanOrEqual(90);
    expect(burst(rates, 'a', T0 - 3_600_000, LIMIT + 1)).toBe(LIMIT);
  });
});

describe('attempts over workers and addresses', () => {
  test('R41 workers count together, each beginning its window when it will', () => {
    const [first, second, third] = ratesOf(3) as [AttemptRates, AttemptRates, AttemptRates];
    expect(burst(first, 'a', T0, 80)).toBe(80);
    expect(burst(second, 'a', T0 + 300, 80)).toBe(80);
    expect(burst(third, 'a', T0 + 600, 80)).toBe(40);
    expect(first.attempt('a', T0 + 900)).toBeGreaterThan(0);
    expect(first.attempt('b', T0 + 900)).toBe(0);
  });

  test('R41 what one worker counted fades for the others too while no more attempts come to it', () => {
    const [first, second] = ratesOf(2) as [AttemptRates, AttemptRates];
    burst(first, 'a', T0, LIMIT);
    expect(burst(second, 'a', T0 + 1050, LIMIT)).toBe(102);
    burst(first, 'c', T0, LIMIT);
    expect(burst(second, 'c', T0 + 1100, LIMIT)).toBe(LIMIT);
  });

  test('P3 workers share the queue of those refused', () => {
    const [first, second] = ratesOf(2) as [AttemptRates, AttemptRates];
    burst(first, 'a', T0, LIMIT);
    const early = first.attempt('a', T0);
    burst(first, 'a', T0, 10 * LIMIT);
    expect(second.attempt('a', T0) - early).toBeGreaterThan(10_000);
    expect(second.attempt('b', T0)).toBe(0);
  });

  test('R41 the attempts of a worker that died are forgotten', () => {
    const [first, second] = ratesOf(2) as [AttemptRates, AttemptRates];
    burst(first, 'a', T0, LIMIT);
    expect(second.attempt('a', T0)).toBeGreaterThan(0);
    second.clear(0);
    expect(burst(second, 'a', T0, LIMIT + 1)).toBe(LIMIT);
  });

  test('R41 when the table is full new addresses are allowed and counted as overflow; known ones are still limited', () => {
    const rates = one(4);
    for (const key of ['a', 'b', 'c', 'd']) burst(rates, key, T0, LIMIT);
    expect(rates.counters.overflow).toBe(0);
    expect(burst(rates, 'e', T0, 2 * LIMIT)).toBe(2 * LIMIT);
    expect(rates.counters.overflow).toBe(2 * LIMIT);
    expect(rates.attempt('c', T0)).toBeGreaterThan(0);
  });

  test('R41 addresses that have paused make place for new ones', () => {
    const rates = one(4);
    for (const key of ['a', 'b', 'c', 'd']) burst(rates, key, T0, LIMIT);
    burst(rates, 'b', T0 + 1050, 100);
    expect(burst(rates, 'e', T0 + 1100, LIMIT + 1)).toBe(LIMIT);
    expect(rates.counters.overflow).toBe(0);
    // b has not paused: its 100 of a moment ago still count.
    expect(burst(rates, 'b', T0 + 1100, LIMIT)).toBe(LIMIT - 100);
  });

  test('R41 a flood of addresses locks nobody out, and is forgotten after two seconds', () => {
    const rates = one(1024);
    for (let i = 0; i < 50_000; i++) rates.attempt(`flood-${i}`, T0 + (i >> 10));
    expect(rates.counters.overflow).toBeGreaterThan(0);
    const before = rates.counters.overflow;
    expect(rates.attempt('honest', T0 + 1000)).toBe(0);
    expect(burst(rates, 'honest', T0 + 4000, LIMIT + 1)).toBe(LIMIT);
    expect(rates.counters.overflow).toBeLessThanOrEqual(before + 1);
  });
});

/** When each of `clients` that come at the same time is in, ms after that; they retry until then. */
function arrivals(clients: number, retryMs: (waitMs: number) => number, rates = one()): number[] {
  const admittedMs: number[] = [];
  /** How many come in each millisecond; at first, as many as a gateway answers in one. */
  const coming = new Map<number, number>();
  const come = (ms: number) => coming.set(ms, (coming.get(ms) ?? 0) + 1);
  for (let client = 0; client < clients; client++) come(Math.floor(client * 0.2));
  for (let ms = 0; admittedMs.length < clients && ms < 600_000; ms++) {
    for (let n = coming.get(ms) ?? 0; n > 0; n--) {
      const waitMs = rates.attempt('shared', T0 + ms);
      if (waitMs === 0) admittedMs.push(ms);
      else come(ms + Math.max(1, Math.ceil(retryMs(waitMs))));
    }
    coming.delete(ms);
  }
  return admittedMs;
}

describe('P3 clients of one address that reconnect together', () => {
  const CLIENTS = 600;
  const IDEAL_MS = (1000 * CLIENTS) / LIMIT;
  const random = new SeededRandom(3);

  test.each<[string, (waitMs: number) => number]>([
    ['each every second', () => 1000],
    ['each every second or so', () => 900 + random.fraction() * 200],
    ['each ten times a second', () => 100],
    ['each when it was told, in whole seconds', waitMs => 1000 * Math.ceil(waitMs / 1000)],
    ['each when it was told, exactly', waitMs => waitMs],
  ])('P3 R39 R41 %s, are all in within twice the ideal time', (_what, retryMs) => {
    const admittedMs = arrivals(CLIENTS, retryMs);
    expect(admittedMs).toHaveLength(CLIENTS);
    expect(Math.max(...admittedMs)).toBeLessThanOrEqual(2 * IDEAL_MS);
  });

  test('P3 that obey are refused twice at most on average, and many of them take no longer than they must', () => {
    const many = 6000;
    let attempts = 0;
    const admittedMs = arrivals(many, waitMs => {
      attempts++;
      return 1000 * Math.ceil(waitMs / 1000);
    });
    expect(attempts / many).toBeLessThan(2);
    expect(Math.max(...admittedMs)).toBeLessThanOrEqual((1.5 * 1000 * many) / LIMIT);
  });

  test('P3 half of whom obey, are all in within twice the ideal time', () => {
    let turn = 0;
    const admittedMs = arrivals(CLIENTS, waitMs => (turn++ % 2 === 0 ? waitMs : 1000));
    expect(Math.max(...admittedMs)).toBeLessThanOrEqual(2 * IDEAL_MS);
  });

  test('P3 too many to be told their places are spread over half a minute to a minute', () => {
    const rates = one();
    burst(rates, 'a', T0, 65 * LIMIT);
    const waits = Array.from({ length: 1000 }, () => rates.attempt('a', T0));
    expect(Math.min(...waits)).toBeGreaterThan(30_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(60_000);
    expect(new Set(waits).size).toBeGreaterThan(900);
    // The queue was no longer than a minute, so a minute after a flood it is empty.
    expect(burst(rates, 'a', T0 + 61_000, LIMIT)).toBe(LIMIT);
    expect(rates.attempt('a', T0 + 61_000)).toBeLessThanOrEqual(1500);
  });
});
