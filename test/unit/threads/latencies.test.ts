/** Buckets by value, found without a search. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LATENCY_BOUNDS_MICROS, Latencies } from '../../../src/threads/latencies.js';

it('R60 has bounds at the limits that operators are asked about, each above the one before', () => {
  for (const ms of [1, 2, 5, 10, 16, 25, 50, 100, 250]) expect(LATENCY_BOUNDS_MICROS).toContain(ms * 1_000);
  expect([...LATENCY_BOUNDS_MICROS].sort((a, b) => a - b)).toEqual(LATENCY_BOUNDS_MICROS);
});

it('R60 puts each time into the first bucket whose bound it does not exceed', () => {
  const times = fc.oneof(
    fc.double({ min: 0, max: 1e5, noNaN: true }),
    fc.double({ min: 0, max: 1e13, noNaN: true }),
    fc.constantFrom(...LATENCY_BOUNDS_MICROS.flatMap(bound => [bound - 0.5, bound, bound + 0.5, bound + 1])),
  );
  fc.assert(
    fc.property(times, micros => {
      const latencies = new Latencies();
      latencies.observe(micros);
      const { buckets, sumMicros } = latencies.counts;
      const first = LATENCY_BOUNDS_MICROS.findIndex(bound => micros <= bound);
      expect(buckets.indexOf(1)).toBe(first < 0 ? LATENCY_BOUNDS_MICROS.length : first);
      expect(sumMicros).toBe(micros);
    }),
    { numRuns: 2_000 },
  );
});
