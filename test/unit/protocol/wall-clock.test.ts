/** @module-tag slow */
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ANCHOR_INTERVAL_MS, monotonicMicros, timeOfDayAt, WallClock } from '../../../src/protocol/wall-clock.js';

/** Machine time: a monotonic clock and a system clock that tells whole milliseconds and that somebody may set. */
class Machine {
  monotonicMs = 1_000;
  /** System time less monotonic time, ms. */
  offsetMs: number;
  readonly originMs: number;
  /** Each reading of a clock takes this long. */
  readingMs = 0;

  constructor(offsetMs = 1_700_000_000_000.3) {
    this.offsetMs = offsetMs;
    this.originMs = offsetMs;
  }

  get systemMs(): number {
    return this.monotonicMs + this.offsetMs;
  }

  readonly source = () => ({
    originMs: this.originMs,
    monotonicMs: () => {
      this.monotonicMs += this.readingMs;
      return this.monotonicMs;
    },
    systemMs: () => {
      this.monotonicMs += this.readingMs;
      return Math.floor(this.systemMs);
    },
  });
}

const start = (machine = new Machine()) => ({ machine, clock: new WallClock(machine.source()) });

describe('D10: the time of day of one thread', () => {
  it('is exact below the millisecond while nobody sets the clock', () => {
    const { machine, clock } = start();
    for (let read = 0; read < 1_000; read++) {
      machine.monotonicMs += 17.123;
      expect(Math.abs(clock.nowMicros() / 1000 - machine.systemMs)).toBeLessThan(0.01);
    }
  });

  it.each([5_000, -5_000, 3_600_000, -86_400_000, 2, -2.5])('follows a step of %d ms, within 1 ms', stepMs => {
    const { machine, clock } = start();
    clock.nowMicros();
    machine.monotonicMs += 10;
    machine.offsetMs += stepMs;
    machine.monotonicMs += ANCHOR_INTERVAL_MS;
    expect(Math.abs(clock.nowMicros() / 1000 - machine.systemMs)).toBeLessThanOrEqual(1);
  });

  it('asks the system clock when read, however long nobody read it', () => {
    const { machine, clock } = start();
    clock.nowMicros();
    machine.monotonicMs += 3_600_000;
    machine.offsetMs -= 5_000;
    expect(Math.abs(clock.nowMicros() / 1000 - machine.systemMs)).toBeLessThanOrEqual(1);
  });

  it('does not ask the system clock at each reading', () => {
    const machine = new Machine();
    let asked = 0;
    const source = machine.source();
    const systemMs = () => {
      asked++;
      return source.systemMs();
    };
    const clock = new WallClock({ ...source, systemMs });
    for (let read = 0; read < 1_000; read++) {
      clock.nowMicros();
      machine.monotonicMs += 1;
    }
    expect(asked).toBe(1_000 / ANCHOR_INTERVAL_MS);
  });

  it('takes an interruption between two readings for no step', () => {
    const { machine, clock } = start();
    clock.nowMicros();
    machine.readingMs = 40;
    machine.monotonicMs += ANCHOR_INTERVAL_MS;
    clock.nowMicros();
    machine.readingMs = 0;
    expect(Math.abs(clock.nowMicros() / 1000 - machine.systemMs)).toBeLessThan(0.01);
  });

  it('never runs back, and stays within 1 ms, while the system clock only drifts', () => {
    const drift = fc.double({ min: -0.9, max: 0.9, noNaN: true });
    const pause = fc.double({ min: 0, max: 1_500, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(pause, drift), { maxLength: 100 }), moves => {
        const { machine, clock } = start();
        let last = clock.nowMicros();
        for (const [pauseMs, driftMs] of moves) {
          machine.monotonicMs += pauseMs;
          machine.offsetMs += (driftMs * pauseMs) / 1_500;
          const now = clock.nowMicros();
          expect(now).toBeGreaterThanOrEqual(last);
          // Up to an anchor it may drift by the share of its interval.
          if (pauseMs >= ANCHOR_INTERVAL_MS) expect(Math.abs(now / 1000 - machine.systemMs)).toBeLessThanOrEqual(1.001);
          last = now;
        }
      }),
    );
  });

  it('agrees with other threads within 1 ms after any steps', () => {
    const step = fc.integer({ min: -10_000_000, max: 10_000_000 }).map(micros => micros / 1000);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 10 }), steps => {
        const machine = new Machine();
        const threads = Array.from({ length: 3 }, () => new WallClock(machine.source()));
        for (const stepMs of steps) {
          machine.offsetMs += stepMs;
          for (const thread of threads) {
            machine.monotonicMs += 0.37;
            thread.nowMicros();
          }
        }
        machine.monotonicMs += ANCHOR_INTERVAL_MS;
        const times = threads.map(thread => thread.nowMicros() / 1000);
        expect(Math.max(...times) - Math.min(...times)).toBeLessThanOrEqual(1.001);
        for (const time of times) expect(Math.abs(time - machine.systemMs)).toBeLessThanOrEqual(1.001);
      }),
    );
  });

  it('is within 1 ms of the real system clock', () => {
    const clock = new WallClock();
    const before = Date.now();
    const micros = clock.nowMicros();
    const after = Date.now();
    expect(micros / 1000).toBeGreaterThan(before - 1);
    expect(micros / 1000).toBeLessThan(after + 2);
  });
});

describe('D10: the time of day of a moment on the monotonic clock', () => {
  afterEach(() => vi.restoreAllMocks());

  it('is that moment while nobody sets the clock', () => {
    const moment = monotonicMicros();
    expect(timeOfDayAt(moment)).toBe(moment);
  });

  it.each([5_000, -5_000])('is told by the system clock as it is set now, here by %d ms', stepMs => {
    const moment = monotonicMicros();
    const realNow = Date.now;
    vi.spyOn(Date, 'now').mockImplementation(() => realNow() + stepMs);
    expect(Math.abs(timeOfDayAt(moment) / 1000 - (moment / 1000 + stepMs))).toBeLessThan(2);
  });
});
