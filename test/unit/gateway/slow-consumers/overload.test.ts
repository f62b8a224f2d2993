import { beforeEach, describe, expect, it } from 'vitest';
import { CHECK_INTERVAL_MS, Overload } from '../../../../src/gateway/slow-consumers/overload.js';
import { Loads } from '../../../../src/hub/shards/loads.js';
import { loadOf, SHEDDING_LEVEL, stretchOf } from '../../../../src/protocol/load.js';

const LATENCY_MS = 100;
const AFTER_MS = 1000;
const RECOVERY_MS = 5000;

let nowMs: number;
let levels: number[];
let published: { youngestMicros: number; overruns: number };
let overload: Overload;

beforeEach(() => {
  nowMs = 50;
  levels = [];
  published = { youngestMicros: Number.POSITIVE_INFINITY, overruns: 0 };
  overload = new Overload({
    latencyMs: LATENCY_MS,
    afterMs: AFTER_MS,
    recoveryMs: RECOVERY_MS,
    nowMs: () => nowMs,
    onLevel: level => levels.push(level),
  });
});

/** Looks for so long, each time with this to be seen. */
function pass(ms: number, seen: { ageMs?: number; lateMs?: number; overruns?: number } = {}): void {
  const { ageMs, lateMs = 0, overruns = 0 } = seen;
  for (let past = 0; past < ms; past += CHECK_INTERVAL_MS + lateMs) {
    nowMs += CHECK_INTERVAL_MS + lateMs;
    if (ageMs !== undefined) published.youngestMicros = ageMs * 1000;
    published.overruns += overruns;
    overload.check(published);
  }
}

describe('R10 a worker', () => {
  it.each([
    ['frames that are all old', { ageMs: 101 }],
    ['an event loop that is late', { lateMs: 101 }],
    ['being overrun', { overruns: 1 }],
  ])('R10 rises one level after another for %s, and takes its time for the last', (_, seen) => {
    pass(AFTER_MS - CHECK_INTERVAL_MS - 101, seen);
    expect(levels).toEqual([]);
    pass(3.5 * AFTER_MS, seen);
    expect(levels).toEqual([1, 2, 3]);
    pass(3 * AFTER_MS, seen);
    expect(levels).toEqual([1, 2, 3]);
    pass(3 * AFTER_MS, seen);
    expect(levels).toEqual([1, 2, 3, SHEDDING_LEVEL]);
    pass(100 * AFTER_MS, seen);
    expect(overload.level).toBe(SHEDDING_LEVEL);
  });

  it('R10 does not mind bursts: one check within the limit, and it is all forgotten', () => {
    for (let burst = 0; burst < 50; burst++) {
      pass(AFTER_MS - CHECK_INTERVAL_MS, { ageMs: 1000 });
      pass(CHECK_INTERVAL_MS, { ageMs: 99 });
    }
    expect(levels).toEqual([]);
  });

  it('R10 recovers level by level once it has been calm for long, and between the marks stays where it is', () => {
    pass(4 * AFTER_MS, { ageMs: 500 });
    expect(overload.level).toBe(3);
    pass(20 * RECOVERY_MS, { ageMs: 80 });
    expect(overload.level).toBe(3);
    pass(RECOVERY_MS - CHECK_INTERVAL_MS, { ageMs: 49 });
    expect(overload.level).toBe(3);
    pass(CHECK_INTERVAL_MS, { ageMs: 49 });
    expect(overload.level).toBe(2);
    // A frame that is late again begins the wait anew.
    pass(RECOVERY_MS - CHECK_INTERVAL_MS);
    pass(CHECK_INTERVAL_MS, { ageMs: 60 });
    pass(RECOVERY_MS - CHECK_INTERVAL_MS);
    expect(overload.level).toBe(2);
    pass(3 * RECOVERY_MS);
    expect(levels).toEqual([1, 2, 3, 2, 1, 0]);
  });

  it('R10 says what it saw at its last check', () => {
    pass(CHECK_INTERVAL_MS, { ageMs: 7 });
    expect([overload.loopDelayMs, overload.frameAgeMs]).toEqual([0, 7]);
    pass(CHECK_INTERVAL_MS, { lateMs: 30 });
    expect([overload.loopDelayMs, overload.frameAgeMs]).toEqual([30, 0]);
  });
});

describe('R10 a gateway', () => {
  it('R10 is as loaded as its most loaded worker, and one that died no longer counts', () => {
    const seen: number[] = [];
    const loads = new Loads(level => seen.push(level));
    loads.set(0, 1);
    loads.set(1, 3);
    loads.set(0, 2);
    expect([loads.level, loads.load]).toEqual([3, 'stretched']);
    loads.forgetWorker(1);
    loads.set(0, 0);
    expect(seen).toEqual([1, 3, 2, 0]);
    expect(loads.changes).toEqual({ up: 2, down: 2 });
  });

  it('R10 stretches retail to 200, 400 and 800 ms, and no further when it sheds', () => {
    expect([0, 1, 2, 3, 4].map(level => 100 * stretchOf(level))).toEqual([100, 200, 400, 800, 800]);
    expect([0, 1, 3, 4].map(loadOf)).toEqual(['normal', 'stretched', 'stretched', 'shedding']);
  });
});
