/** Totals over all gateway threads, those that were replaced included. */
import { describe, expect, it } from 'vitest';
import { sumOfCounters } from '../../../../src/gateway/supervision/sum-of-counters.js';
import { ThreadStats } from '../../../../src/gateway/supervision/thread-stats.js';
import type { WorkerStats } from '../../../../src/threads/worker-stats.js';

/** Some members of each shape that there is. */
const counted = (n: number) =>
  ({
    opened: n,
    open: n,
    refused: [
      [401, n],
      [400 + n, 1],
    ],
    sent: [
      { key: 'quotes|json|realtime', messages: n, bytes: 10 * n },
      { key: `trades|json|${n}`, messages: 1, bytes: 1 },
    ],
    control: { messages: n, bytes: 2 * n },
    latencyBuckets: [n, 0, n],
    closes: [],
    circuits: { open: n, halfOpen: n },
  }) as unknown as WorkerStats;

describe('O7 the counters of replaced threads', () => {
  it('O7 are added: numbers, members, lists by place and lists by key', () => {
    expect(sumOfCounters(counted(1), counted(2))).toEqual({
      opened: 3,
      open: 3,
      refused: [
        [401, 4],
        [402, 1],
      ],
      sent: [
        { key: 'quotes|json|realtime', messages: 3, bytes: 30 },
        { key: 'trades|json|1', messages: 1, bytes: 1 },
        { key: 'trades|json|2', messages: 1, bytes: 1 },
      ],
      control: { messages: 3, bytes: 6 },
      latencyBuckets: [3, 0, 3],
      closes: [],
      circuits: { open: 3, halfOpen: 3 },
    });
  });

  it('O7 never fall, however many threads are replaced, and take no more room', async () => {
    const stats = new ThreadStats(1, () => {});
    let before = 0;
    for (let thread = 1; thread <= 1_100; thread++) {
      stats.take(0, counted(2));
      stats.ended(0);
      const all = await stats.all(() => false);
      const opened = all.reduce((sum, one) => sum + one.opened, 0);
      expect(opened).toBeGreaterThan(before);
      expect(all.length).toBe(1);
      before = opened;
    }
    expect(before).toBe(2_200);
    expect((await stats.all(() => false))[0]).toMatchObject({ open: 0, circuits: { open: 0, halfOpen: 0 } });
  });
});
