/** @module-tag slow */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Pacer } from '../../bench/pacing/pacer.js';

const PACE = { windowUpdates: 100, batchUpdates: 10, fanout: [5, 5], stallMs: 1000 };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('R50: the closed loop', () => {
  it('fills the window at once and then waits', () => {
    const pacer = new Pacer(PACE, () => undefined);
    pacer.start();
    expect(pacer.updates).toBe(100);
    expect(pacer.owed).toBe(500);
  });

  it('publishes a further batch when so much has been received', () => {
    const published: [number, number][] = [];
    const pacer = new Pacer(PACE, (from, count) => void published.push([from, count]));
    pacer.start();
    pacer.progress(49);
    expect(pacer.updates).toBe(100);
    pacer.progress(50);
    expect(pacer.updates).toBe(110);
    expect(published.at(-1)).toEqual([100, 10]);
  });

  it('counts what each symbol owes', () => {
    const pacer = new Pacer({ windowUpdates: 3, batchUpdates: 3, fanout: [1, 2], stallMs: 1000 }, () => undefined);
    pacer.start();
    expect(pacer.owed).toBe(1 + 2 + 1);
    pacer.progress(4);
    expect(pacer.owed).toBe(4 + 2 + 1 + 2);
  });

  it('gives up what never comes, so that a lossy server is measured rather than waited for', () => {
    const pacer = new Pacer(PACE, () => undefined);
    pacer.start();
    pacer.progress(100);
    expect(pacer.updates).toBe(120);
    vi.advanceTimersByTime(1001);
    expect(pacer.givenUp).toBe(500);
    expect(pacer.updates).toBe(220);
  });

  it('gives up nothing when a report came in the very turn in which it would', () => {
    const pacer = new Pacer(PACE, () => undefined);
    pacer.start();
    vi.advanceTimersByTime(1000);
    pacer.progress(100);
    vi.advanceTimersByTime(999);
    expect(pacer.givenUp).toBe(0);
  });

  it('publishes nothing after it was stopped', () => {
    const pacer = new Pacer(PACE, () => undefined);
    pacer.start();
    pacer.stop();
    pacer.progress(500);
    vi.advanceTimersByTime(10_000);
    expect(pacer.updates).toBe(100);
  });

  it('refuses a batch larger than the window, and symbols that nobody wants', () => {
    expect(() => new Pacer({ ...PACE, batchUpdates: 101 }, () => undefined)).toThrow(RangeError);
    expect(() => new Pacer({ ...PACE, fanout: [0] }, () => undefined)).toThrow(RangeError);
  });
});
