import { expect, test } from 'vitest';
import { CRASH_LOOP_DELAY_MS, RestartPace } from '../../../src/observe/restart-pace.js';

test('R45 a thread that keeps dying is started ever more slowly, and counts as a crash loop until one has stood', () => {
  let nowMs = 0;
  const pace = new RestartPace(1000, () => nowMs);
  pace.started();
  const delays = Array.from({ length: 4 }, () => {
    nowMs += 999;
    const delay = pace.died();
    pace.started();
    return delay;
  });
  expect([delays, pace.isCrashLoop]).toEqual([[100, 200, 400, 800], false]);
  expect([pace.died(), pace.isCrashLoop]).toEqual([CRASH_LOOP_DELAY_MS, true]);
  pace.started();
  nowMs += 999;
  expect(pace.isCrashLoop).toBe(true);
  nowMs += 1;
  expect(pace.isCrashLoop).toBe(false);
  expect(pace.died()).toBe(100);
});
