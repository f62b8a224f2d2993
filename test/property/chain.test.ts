/**
 * @module-tag slow
 * @module-tag bulk
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MarketModel, type ModelSetup } from './market-model.js';
import { assertRuns, connectFour, runsOf, scriptsOf, useModelTime } from './scripts.js';
import {
  anySetup,
  anything,
  calmSetup,
  eventsOnly,
  eventsWithoutTrouble,
  run,
  type Step,
  slowAndFast,
  slowSetup,
} from './steps.js';

const RUNS = runsOf(40);
const SEED = '20261121';
const TIMEOUT_MS = 300_000;
const STEPS_MIN = 60;
const STEPS_MAX = 400;

const totals = () => ({
  steps: 0,
  overruns: 0,
  stalls: 0,
  events: 0,
  gaps: 0,
  recovered: 0,
  unrecovered: 0,
  slowed: 0,
  restores: 0,
});

/** Runs generated scripts; everything that clients are promised is checked all the time, and at the end. */
async function assertScripts(
  step: fc.Arbitrary<Step>,
  made: fc.Arbitrary<ModelSetup>,
): Promise<ReturnType<typeof totals>> {
  const sums = totals();
  const property = fc.asyncProperty(made, scriptsOf(step, STEPS_MIN, STEPS_MAX), async (of, script) => {
    const model = new MarketModel(of);
    connectFour(model);
    for (const s of script) {
      await run(model, s);
      model.checkSoFar();
    }
    await model.settle();
    model.check();
    sums.steps += script.length;
    sums.overruns += model.gateway.overruns;
    sums.stalls += model.gateway.stalls;
    sums.slowed += model.gateway.conflation.overHighWater + model.gateway.conflation.late;
    sums.restores += model.gateway.conflation.restores;
    for (const { checker } of model.clients) {
      sums.events += checker.events.events;
      sums.gaps += checker.events.gaps;
      sums.recovered += checker.events.recovered;
      sums.unrecovered += checker.events.unrecovered;
    }
    await model.gateway.hub.close();
  });
  await assertRuns(property, RUNS, SEED);
  return sums;
}

useModelTime();

/**
 * Invariant 1: under any interleaving of updates, subscribes, unsubscribes, class and format changes, stalled and drained
 * sockets, overrun rings and dying encoders, a client that follows the chain holds the publishers' document.
 */
test(
  'R6 invariant 1: every client holds the publishers’ documents, on unbroken chains, whatever happens in between',
  async () => {
    const { steps, overruns, stalls, slowed, restores } = await assertScripts(anything, anySetup);
    // The property is only worth something when the hard cases were really met.
    expect(steps).toBeGreaterThan(RUNS * STEPS_MIN);
    expect(overruns).toBeGreaterThan(0);
    expect(stalls).toBeGreaterThan(0);
    expect(slowed).toBeGreaterThan(0);
    expect(restores).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);

test(
  'R40 R6 invariant 1 where clients are sent their state topics in slower classes, and in faster ones again',
  async () => {
    const { stalls, slowed, restores } = await assertScripts(slowAndFast, slowSetup);
    expect(stalls).toBeGreaterThan(RUNS);
    expect(slowed).toBeGreaterThan(RUNS);
    expect(restores).toBeGreaterThan(RUNS);
  },
  TIMEOUT_MS,
);

test(
  'R29 invariant 5: who comes back gets all that he missed once and in order, or is told that he begins anew; nothing is lost without a gap',
  async () => {
    const { overruns, stalls, gaps, recovered, unrecovered } = await assertScripts(eventsOnly, anySetup);
    for (const met of [overruns, stalls, gaps, recovered, unrecovered]) expect(met).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);

test(
  'R29 without trouble, who comes back gets all that he missed, wherever he stood, and nobody is told of a gap',
  async () => {
    const { events, recovered } = await assertScripts(eventsWithoutTrouble, calmSetup);
    for (const met of [events, recovered]) expect(met).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);
