/** Latencies from the hub and from the publisher, by class. */
import { expect, it } from 'vitest';
import { FrameLatencies } from '../../../../src/gateway/delivery/frame-latencies.js';
import type { LatencyCounts } from '../../../../src/threads/latencies.js';

const HOUR_MICROS = 3_600_000_000;
const countOf = ({ buckets }: LatencyCounts) => buckets.reduce((sum, count) => sum + count, 0);

it('R60 counts each class by itself: a slower class waits by design', () => {
  const latencies = new FrameLatencies();
  latencies.published(0, 200);
  latencies.published(3, 900_000);
  expect(latencies.hubToPublish.realtime.sumMicros).toBe(200);
  expect(latencies.hubToPublish['1000ms'].sumMicros).toBe(900_000);
  expect(countOf(latencies.hubToPublish['16ms'])).toBe(0);
});

it('R60 leaves out event times that two clocks cannot explain, and says how many', () => {
  const latencies = new FrameLatencies();
  for (const age of [0, 5_000, -1_000, HOUR_MICROS]) latencies.sent(0, age);
  expect(latencies.implausible).toBe(0);
  for (const age of [-1_001, -HOUR_MICROS, HOUR_MICROS + 1]) latencies.sent(0, age);
  expect(latencies.implausible).toBe(3);
  expect(countOf(latencies.publisherToSend.realtime)).toBe(4);
  expect(latencies.publisherToSend.realtime.sumMicros).toBe(5_000 + HOUR_MICROS);
});
