import { describe, expect, it } from 'vitest';
import { Draining, RECONNECT_JITTER_MS } from '../../../../src/gateway/edge/draining.js';
import type { Session } from '../../../../src/gateway/model/session.js';

const WITHIN_MS = 30_000;

function drainingOf({ workers = 1, attemptsPerSecondMax = 200 } = {}) {
  let nowMs = 1_000;
  let draws = 0;
  const left: { id: number; atMs: number; reconnectAfterMs: number }[] = [];
  const draining = new Draining({
    withinMs: WITHIN_MS,
    attemptsPerSecondMax,
    workers,
    nowMs: () => nowMs,
    // Evenly, and the same each time.
    random: () => (++draws * 0.618_033_988_75) % 1,
    redirect: (session, reconnectAfterMs) => left.push({ id: session.id, atMs: nowMs - 1_000, reconnectAfterMs }),
  });
  const pass = (ms: number, stepMs = 20) => {
    for (const end = nowMs + ms; nowMs < end; ) {
      nowMs += stepMs;
      draining.redirectDue();
    }
  };
  return { draining, left, pass };
}

const sessions = (count: number, from = 0) => Array.from({ length: count }, (_, i) => ({ id: from + i }) as Session);

describe('draining', () => {
  it('R46 are a hundred a second, each exactly once, in another order, and each comes back at a time of its own', () => {
    const { draining, left, pass } = drainingOf();
    draining.begin(sessions(500));
    pass(2_500);
    expect(left.length).toBe(250);
    pass(2_500);
    expect(draining.isOver).toBe(true);
    expect(left.map(({ id }) => id).sort((a, b) => a - b)).toEqual(sessions(500).map(({ id }) => id));
    expect(left.map(({ id }) => id)).not.toEqual(sessions(500).map(({ id }) => id));
    const times = left.map(({ reconnectAfterMs }) => reconnectAfterMs);
    expect(Math.max(...times)).toBeLessThan(RECONNECT_JITTER_MS);
    expect(new Set(times).size).toBeGreaterThan(300);
    for (let ms = 0; ms < 5_000; ms += 500) {
      expect(left.filter(({ atMs }) => atMs > ms && atMs <= ms + 500).length).toBeLessThanOrEqual(52);
    }
  });

  it('R46 of a worker are its share of that, and fewer where fewer may connect from one address', () => {
    for (const options of [{ workers: 4 }, { attemptsPerSecondMax: 50 }]) {
      const { draining, left, pass } = drainingOf(options);
      draining.begin(sessions(100));
      pass(2_000);
      expect(left.length).toBe(50);
    }
  });

  it('R46 are over within DRAIN_TIMEOUT, however many there are', () => {
    const { draining, left, pass } = drainingOf();
    draining.begin(sessions(10_000));
    pass(WITHIN_MS - 20);
    expect(draining.isOver).toBe(false);
    pass(20);
    expect([draining.isOver, left.length]).toEqual([true, 10_000]);
  });

  it('R46 take in who comes later, last; without anybody they are over at once', () => {
    const { draining, left, pass } = drainingOf();
    draining.begin([]);
    expect(draining.isOver).toBe(true);
    draining.add({ id: 7 } as Session);
    expect(draining.isOver).toBe(false);
    pass(20);
    expect([draining.isOver, left.map(({ id }) => id)]).toEqual([true, [7]]);
  });

  it('R46 of all at once spreads the times to come back over DRAIN_TIMEOUT instead', () => {
    const { draining, left, pass } = drainingOf();
    draining.begin(sessions(500));
    pass(1_000);
    draining.redirectAll();
    expect([draining.isOver, left.length]).toEqual([true, 500]);
    const times = left.slice(100).map(({ reconnectAfterMs }) => reconnectAfterMs);
    expect(Math.max(...times)).toBeGreaterThan(WITHIN_MS * 0.9);
    expect(Math.min(...times)).toBeLessThan(WITHIN_MS * 0.1);
  });
});
