/**
 * What a client's messages cost the gateway, by the meter of `npm run bench -- cost`, in CPU time and not by the clock.
 * @module-tag slow
 */
import { expect, it } from 'vitest';
import { measureCosts, unchargedAndDear } from '../../bench/cost/suite.js';

const SETTINGS = { rounds: 1, seconds: 0.3, secondsMax: 5, market: { topics: 256, trades: 19_000 } };
const TIMEOUT_MS = 300_000;

const measure = (rounds: number, only: readonly string[] | undefined) =>
  measureCosts({ ...SETTINGS, rounds, only }, { progress: () => undefined, signal: new AbortController().signal });

it(
  'J1 to J6 R40a: no message without a charge costs more than 2 ms of any thread per kB sent, or returns more than 50 bytes a byte',
  async () => {
    const costs = await measure(1, undefined);
    expect(costs.size).toBeGreaterThan(20);
    for (const [name, [cost]] of costs) {
      expect(cost?.bytesIn, name).toBeGreaterThan(0);
      expect(cost?.isCharged || (cost?.busiestMicros ?? 0) > 0, `${name} is measured`).toBe(true);
    }
    const suspects = [...costs.keys()].filter(
      name => unchargedAndDear(new Map([[name, costs.get(name) ?? []]])).length > 0,
    );
    // Once more: a thread may have compiled or collected for others just then.
    const confirmed = suspects.length === 0 ? [] : unchargedAndDear(await measure(2, suspects));
    expect(confirmed).toEqual([]);
  },
  TIMEOUT_MS,
);
