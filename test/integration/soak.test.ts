/**
 * A short soak; `npm run soak -- --minutes 60` is the long one. The trend test itself: test/bench/trend.test.ts.
 * @module-tag slow
 */
import { expect, it } from 'vitest';
import { soak } from '../../bench/soak/soak.js';

const MINUTES = Number(process.env.MILLRACE_SOAK_MINUTES ?? 3);
/** Of the thousand a second that are asked for: a machine that does other things as well may manage fewer. */
const CHURN_SHARE_MIN = 0.1;
const CHURN_PER_SECOND = 1_000;

it(
  `R49 ${MINUTES} minutes of load, churn and faults: nothing grows, no chain breaks, nobody is left behind`,
  async () => {
    const lines: string[] = [];
    const result = await soak({
      minutes: MINUTES,
      churnPerSecond: CHURN_PER_SECOND,
      updatesPerSecond: 200,
      clients: 20,
      signal: new AbortController().signal,
      say: line => lines.push(line),
    });
    expect(result.problems, lines.join('\n')).toEqual([]);
    expect(result.churn.accepted).toBeGreaterThan(CHURN_SHARE_MIN * CHURN_PER_SECOND * MINUTES * 60);
    expect(result.faults.length).toBeGreaterThanOrEqual(4);
    expect(result.received).toBeGreaterThan(1_000);
    expect(result.gaps).toBeGreaterThan(0);
  },
  MINUTES * 60_000 + 120_000,
);
