/** How properties run generated scripts: what a search by hand may change, the seed, and the clock of the models. */
import fc from 'fast-check';
import { afterEach, beforeEach, vi } from 'vitest';
import type { MarketModel } from './market-model.js';

/** To look into a failure: how long to search for a smaller script. */
const SHRINK_MS = Number(process.env.MILLRACE_PROPERTY_SHRINK_MS ?? 0);

/** Scripts of each property. @param usual unless a search by hand says otherwise */
export const runsOf = (usual: number): number => Number(process.env.MILLRACE_PROPERTY_RUNS ?? usual);

/** Scripts of so many steps; shorter ones only in the search for a smaller script. */
export function scriptsOf<Step>(step: fc.Arbitrary<Step>, stepsMin: number, stepsMax: number): fc.Arbitrary<Step[]> {
  return fc.array(step, { minLength: SHRINK_MS > 0 ? 1 : stepsMin, maxLength: stepsMax, size: 'max' });
}

/** @param usualSeed the suite tries the same scripts each time; `random`, and others are searched by hand */
export async function assertRuns<Values>(
  property: fc.IAsyncPropertyWithHooks<Values>,
  numRuns: number,
  usualSeed = 'random',
): Promise<void> {
  const shrinking = SHRINK_MS > 0 ? { interruptAfterTimeLimit: SHRINK_MS } : { endOnFailure: true };
  const asked = process.env.MILLRACE_PROPERTY_SEED ?? usualSeed;
  const seed = asked === 'random' ? {} : { seed: Number(asked) };
  await fc.assert(property, { numRuns, ...seed, ...shrinking });
}

/** Models wait by timers that their steps advance. */
export function useModelTime(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
}

/** One client of each kind. */
export function connectFour(model: MarketModel): void {
  for (let i = 0; i < 4; i++) {
    model.connect({ isMsgpack: i % 2 === 0, isRetail: i >= 2, isStamped: i === 1, isFull: i === 2 });
  }
}
