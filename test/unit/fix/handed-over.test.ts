/** R70 R73 what a client that asks for a number is known to have received. */
import { expect, it } from 'vitest';
import { HandedOver } from '../../../src/fix/handed-over.js';

const STEP_MICROS = 100_000;

it('R70 R73 is what was handed over by the last time at which all numbers were below it', () => {
  const handedOver = new HandedOver();
  expect(handedOver.before(5)).toBeUndefined();
  for (let i = 1; i <= 5; i++) handedOver.note(10 * i, i * STEP_MICROS);
  expect([9, 10, 29, 30, 1_000].map(next => handedOver.before(next))).toEqual([
    undefined,
    STEP_MICROS,
    2 * STEP_MICROS,
    3 * STEP_MICROS,
    5 * STEP_MICROS,
  ]);
});

it('R70 R73 is the earliest such time, and unknown of what is long ago', () => {
  const handedOver = new HandedOver();
  for (let i = 1; i <= 200; i++) handedOver.note(i, i * STEP_MICROS);
  handedOver.note(200, 300 * STEP_MICROS);
  expect(handedOver.before(200)).toBe(200 * STEP_MICROS);
  expect(handedOver.before(20)).toBeUndefined();
});

it('R73 forgets the numbers before they started over', () => {
  const handedOver = new HandedOver();
  handedOver.note(40, STEP_MICROS);
  handedOver.note(3, 2 * STEP_MICROS);
  expect(handedOver.before(2)).toBeUndefined();
  expect(handedOver.before(50)).toBe(2 * STEP_MICROS);
});
