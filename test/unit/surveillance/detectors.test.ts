import { describe, expect, it } from 'vitest';
import { WatchedMarket } from '../../../bench/surveillance/watched-market.js';
import { EPISODE_KINDS } from '../../../src/feed/simulator/orders/episodes.js';

describe('surveillance (R72)', () => {
  it('reports nothing in an hour of ordinary flow', () => {
    const market = new WatchedMarket(7);
    market.run(3600);
    expect(market.trades).toBeGreaterThan(2000);
    expect(market.orders).toBeGreaterThan(10_000);
    expect(market.alerts).toEqual([]);
  });

  it.each(EPISODE_KINDS)('finds %s, and names the users and the evidence', kind => {
    const market = new WatchedMarket(11);
    market.run(600);
    market.plant(kind, 5);
    market.run(400);
    const [label] = market.labels;
    expect(market.alerts.map(({ detector, users }) => ({ detector, users }))).toEqual([
      { detector: kind, users: label?.users },
    ]);
    const [alert] = market.alerts;
    expect(alert?.evidence.length).toBeGreaterThan(0);
    expect(alert?.atMicros).toBeGreaterThanOrEqual(label?.fromMicros ?? Number.NaN);
    expect(alert?.atMicros).toBeLessThanOrEqual((label?.toMicros ?? Number.NaN) + 5_000_000);
  });
});
