/**
 * `npm run bench -- regions`, run small: the regions are joined by the long ways alone, and every client has every trade.
 *
 * @module-tag slow
 * @module-tag bulk
 */
import { expect, it } from 'vitest';
import { type RegionsRound, WAYS, waysTo } from '../../bench/regions/round.js';
import { regions } from '../../bench/regions/suite.js';
import { SITES } from '../../bench/regions/world.js';
import { OPTIONS } from '../support/bench-options.js';

const DELAY_MS = 40;
/** Clocks of two processes. */
const TOLERANCE_MS = 1;

it('R68: messages take every way between regions that they must, and lose nothing on it', async () => {
  const { signal } = new AbortController();
  const report = await regions.run({ options: { ...OPTIONS, seconds: 1 }, progress: () => undefined, signal });
  const rounds = report.rounds as RegionsRound[];
  expect(rounds.map(({ way }) => way)).toEqual(WAYS.map(({ name }) => name));
  for (const [i, way] of WAYS.entries()) {
    const { trades = 0, readers = [] } = rounds[i] ?? {};
    expect(trades).toBeGreaterThan(30);
    expect(readers).toHaveLength(SITES.length);
    for (const [at, site] of SITES.entries()) {
      expect(readers[at]).toMatchObject({ missing: 0, outOfOrder: 0, brokenChains: 0 });
      expect(readers[at]?.closed).toBeUndefined();
      expect(readers[at]?.latency.min, `${way.name}: ${site}`).toBeGreaterThan(
        (waysTo(site, way) * DELAY_MS - TOLERANCE_MS) * 1000,
      );
    }
  }
  expect(report.goals.map(({ row }) => row)).toEqual(['R68', 'R68', 'R68']);
});
