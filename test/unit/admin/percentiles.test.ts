import { expect, it } from 'vitest';
import { percentileOf, percentilesOf } from '../../../src/admin/percentiles.js';
import { Latencies } from '../../../src/threads/latencies.js';

it('R61 reads percentiles from what the gateway threads count', () => {
  const latencies = new Latencies();
  expect(percentilesOf(latencies.counts.buckets)).toBeNull();
  // Between the bounds 10 and 16 ms.
  for (let i = 0; i < 100; i++) latencies.observe(12_000);
  expect(percentilesOf(latencies.counts.buckets)).toEqual({ p50: 13, p95: 15.7, p99: 15.94 });
  for (let i = 0; i < 100; i++) latencies.observe(10);
  expect(percentileOf(latencies.counts.buckets, 0.5)).toBe(0.05);
  for (let i = 0; i < 1_000; i++) latencies.observe(1e9);
  expect(percentileOf(latencies.counts.buckets, 0.99)).toBe(60_000);
});
