/** Totals over all gateway threads, those that were replaced included. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { sumOfCounters } from '../../../../src/gateway/supervision/sum-of-counters.js';
import { ThreadStats } from '../../../../src/gateway/supervision/thread-stats.js';
import type { WorkerStats } from '../../../../src/threads/worker-stats.js';

/** Some members of each shape that there is. */
const counted = (n: number) =>
  ({
    opened: n,
    open: n,
    closes: [
      [4001, n],
      [4000 + n, 1],
    ],
    sent: [
      { key: 'quotes|json|realtime', messages: n, bytes: 10 * n },
      { key: `trades|json|${n}`, messages: 1, bytes: 1 },
    ],
    control: { messages: n, bytes: 2 * n },
    ages: { retail: { buckets: [n, 0, n], sumMicros: n } },
    limited: [],
    requestsWaiting: n,
    replayBytes: n,
    busyMs: n,
    circuits: { open: n, halfOpen: n },
  }) as unknown as WorkerStats;

describe('O7 the counters of replaced threads', () => {
  it('O7 are added: numbers, members, lists by place and lists by key', () => {
    expect(sumOfCounters(counted(1), counted(2))).toEqual({
      opened: 3,
      open: 3,
      closes: [
        [4001, 4],
        [4002, 1],
      ],
      sent: [
        { key: 'quotes|json|realtime', messages: 3, bytes: 30 },
        { key: 'trades|json|1', messages: 1, bytes: 1 },
        { key: 'trades|json|2', messages: 1, bytes: 1 },
      ],
      control: { messages: 3, bytes: 6 },
      ages: { retail: { buckets: [3, 0, 3], sumMicros: 3 } },
      limited: [],
      requestsWaiting: 3,
      replayBytes: 3,
      busyMs: 3,
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

describe('R60 a thread that ends or is silent at a scrape', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Two threads that are asked, and what they were asked with. */
  function twoAsked() {
    const asked: [worker: number, id: number][] = [];
    const stats = new ThreadStats(2, (worker, id) => asked.push([worker, id]));
    const scraped = stats.all(() => true);
    return { stats, asked, scraped };
  }

  it('R60 counts once when it answers and ends while another is still asked', async () => {
    const { stats, scraped } = twoAsked();
    stats.answered(0, 1, counted(5));
    stats.ended(0);
    stats.answered(1, 2, counted(1));
    const opened = (await scraped).map(one => one.opened);
    expect(opened.reduce((sum, one) => sum + one, 0)).toBe(6);
    const again = await stats.all(() => false);
    expect(again.reduce((sum, one) => sum + one.opened, 0)).toBe(6);
  });

  it('R60 takes its gauges with it, and leaves its counters', async () => {
    const { stats, scraped } = twoAsked();
    stats.answered(0, 1, counted(5));
    stats.answered(1, 2, counted(1));
    await scraped;
    stats.ended(0);
    const all = await stats.all(() => false);
    const total = (pick: (one: WorkerStats) => number) => all.reduce((sum, one) => sum + pick(one), 0);
    expect(total(one => one.open)).toBe(1);
    expect(total(one => one.requestsWaiting)).toBe(1);
    expect(total(one => one.replayBytes)).toBe(1);
    expect(total(one => one.opened)).toBe(6);
    expect(stats.threads[0]).toEqual({ last: undefined, isSilent: false, endedBusyMs: 5 });
  });

  it('R60 does not hold up a scrape when it ends unanswered', async () => {
    const { stats, scraped } = twoAsked();
    stats.answered(1, 2, counted(1));
    stats.ended(0);
    expect(await scraped).toEqual([counted(1)]);
  });

  it('R60 keeps its last numbers while it is silent, is not asked again, and is said to be silent', async () => {
    vi.useFakeTimers();
    const { stats, asked, scraped } = twoAsked();
    stats.answered(0, 1, counted(5));
    stats.answered(1, 2, counted(1));
    await scraped;
    const silent = stats.all(() => true);
    stats.answered(1, 4, counted(2));
    await vi.advanceTimersByTimeAsync(1_000);
    expect((await silent).map(one => one.open)).toEqual([5, 2]);
    expect(stats.threads.map(({ isSilent }) => isSilent)).toEqual([true, false]);
    void stats.all(() => true);
    expect(asked.map(([worker]) => worker)).toEqual([0, 1, 0, 1, 1]);
    stats.answered(0, 3, counted(7));
    expect(stats.threads[0]).toMatchObject({ last: { open: 7 }, isSilent: false });
  });
});
