import { expect, it } from 'vitest';
import { percentileOf, percentilesOf } from '../../../src/admin/percentiles.js';

it('R61 reads percentiles from buckets by powers of two', () => {
  expect(percentilesOf([])).toBeNull();
  expect(percentilesOf([0, 0, 0])).toBeNull();
  // 100 took from 512 to 1024 µs.
  const buckets = new Array<number>(11).fill(0);
  buckets[10] = 100;
  expect(percentilesOf(buckets)).toEqual({ p50: 0.768, p95: 0.998, p99: 1.019 });
  // And 100 took below 1 µs.
  buckets[0] = 100;
  expect(percentileOf(buckets, 0.5)).toBe(0.001);
  expect(percentileOf(buckets, 0.75)).toBe(0.768);
});
