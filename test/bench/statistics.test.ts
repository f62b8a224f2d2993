/** @module-tag slow */
import { describe, expect, it } from 'vitest';
import { cpuShare, sampleCpu } from '../../bench/harness/cpu.js';
import { median, spreadOf } from '../../bench/report/statistics.js';

describe('R56: figures of a report', () => {
  it('takes the middle, or the mean of the two in the middle', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBeNaN();
    expect(median([1, Number.NaN])).toBeNaN();
    expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
  });

  it.runIf(process.platform === 'linux')('sees the CPU that a process uses, and its busiest thread', () => {
    const before = sampleCpu(process.pid);
    const until = performance.now() + 300;
    while (performance.now() < until);
    const share = cpuShare(before, sampleCpu(process.pid));
    expect(share.process).toBeGreaterThan(0.05);
    expect(share.busiestThread).toBeGreaterThan(0.05);
    expect(share.busiestThreadDemand).toBeGreaterThanOrEqual(share.busiestThread);
  });

  it('has no figure for a process that is gone', () => {
    expect(sampleCpu(2 ** 22 + 1).seconds).toBeNaN();
  });
});
