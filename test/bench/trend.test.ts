/** @module-tag slow */
import { describe, expect, it } from 'vitest';
import { FIGURE_NAMES, judge, sampleOf } from '../../bench/soak/samples.js';
import { isGrowing, type Point, trendOf } from '../../bench/soak/trend.js';
import { SeededRandom } from '../../src/feed/simulator/seeded-random.js';

const TOLERANCE = { floor: 5, share: 0 };

/** Normally distributed, about. */
function noise(random: SeededRandom, spread: number): number {
  let sum = 0;
  for (let i = 0; i < 12; i++) sum += random.fraction();
  return (sum - 6) * spread;
}

function series(count: number, value: (i: number) => number): Point[] {
  return Array.from({ length: count }, (_, i) => ({ atS: i, value: value(i) }));
}

describe('R49 the test for a growing trend', () => {
  it('finds a slow leak under noise that is ten times as large', () => {
    const random = new SeededRandom(1);
    const trend = trendOf(series(600, i => 100 + i * 0.03 + noise(random, 20)));
    expect(trend.growth).toBeGreaterThan(8);
    expect(isGrowing(trend, TOLERANCE)).toBe(true);
  });

  it('finds a leak in a sawtooth, as garbage collections draw it', () => {
    const trend = trendOf(series(600, i => 100 + i * 0.05 + (i % 30)));
    expect(isGrowing(trend, TOLERANCE)).toBe(true);
  });

  it.each([
    ['noise', (random: SeededRandom) => 100 + noise(random, 20)],
    ['nothing at all', () => 100],
  ])('sees no leak in %s, in a hundred runs', (_what, value) => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = new SeededRandom(seed);
      expect(isGrowing(trendOf(series(180, () => value(random))), TOLERANCE), `seed ${seed}`).toBe(false);
    }
  });

  it('sees no leak in a sawtooth, wherever it begins and ends', () => {
    for (let phase = 0; phase < 40; phase++) {
      expect(isGrowing(trendOf(series(180, i => 100 + ((i + phase) % 40))), TOLERANCE), `phase ${phase}`).toBe(false);
    }
  });

  it('sees no leak where each value hangs together with the one before it', () => {
    let wrong = 0;
    for (let seed = 1; seed <= 100; seed++) {
      const random = new SeededRandom(seed);
      let drift = 0;
      const points = series(180, () => {
        drift = 0.8 * drift + noise(random, 5);
        return 100 + drift;
      });
      if (isGrowing(trendOf(points), TOLERANCE)) wrong++;
    }
    expect(wrong).toBeLessThanOrEqual(2);
  });

  it('sees no leak in what falls, in one high value at the end, and in growth that is tolerated', () => {
    expect(isGrowing(trendOf(series(180, i => 200 - i)), TOLERANCE)).toBe(false);
    expect(isGrowing(trendOf(series(180, i => (i === 179 ? 150 : 100))), TOLERANCE)).toBe(false);
    expect(isGrowing(trendOf(series(180, i => 100 + i / 60)), TOLERANCE)).toBe(false);
    expect(isGrowing(trendOf(series(180, i => 100 + i / 10)), { floor: 5, share: 0.2 })).toBe(false);
  });

  it('is not sure of anything with few samples, and leaves out those without a value', () => {
    expect(trendOf(series(5, i => i * 100)).growthAtLeast).toBe(Number.NEGATIVE_INFINITY);
    const holes = series(100, i => (i % 2 === 0 ? Number.NaN : 100 + i));
    expect(trendOf(holes)).toMatchObject({ points: 50 });
    expect(isGrowing(trendOf(holes), TOLERANCE)).toBe(true);
  });

  it('gives the line that the points lie on', () => {
    const trend = trendOf(series(101, i => 50 + 2 * i));
    expect(trend.mean).toBeCloseTo(150);
    expect(trend.growth).toBeCloseTo(200);
    expect(trend.growthAtLeast).toBeCloseTo(200);
  });
});

describe('R49 the verdict on a run', () => {
  const MIB = 1024 ** 2;
  const metrics = (rss: number, fds: number) =>
    `process_resident_memory_bytes ${rss * MIB}\nprocess_open_fds ${fds}\nmillrace_views 20\n`;

  it('names the figure that grows, and no other', () => {
    const samples = Array.from({ length: 120 }, (_, i) =>
      sampleOf(i, metrics(150 + i, 100 + (i % 7)), { p50: 1, p99: 5 + (i % 3) }),
    );
    const growing = judge(samples, 30).filter(({ isGrowing: grows }) => grows);
    expect(growing.map(({ name }) => name)).toEqual(['rss']);
  });

  it('leaves the warm-up out', () => {
    const samples = Array.from({ length: 120 }, (_, i) =>
      sampleOf(i, metrics(Math.min(300, 90 + i * 7), 90), { p50: 1, p99: 5 }),
    );
    const rss = judge(samples, 30).find(({ name }) => name === 'rss');
    expect(rss?.trend).toMatchObject({ points: 90, mean: 300, growth: 0 });
    expect(rss?.isGrowing).toBe(false);
  });

  it('reads every figure, and knows when one is not there', () => {
    const sample = sampleOf(7, metrics(150, 90), { p50: 1, p99: 5 });
    expect(sample).toMatchObject({ atS: 7, rss: 150, fds: 90, views: 20, p50: 1, p99: 5, sources: Number.NaN });
    expect(judge([sample], 0).map(({ name }) => name)).toEqual(FIGURE_NAMES);
  });
});
