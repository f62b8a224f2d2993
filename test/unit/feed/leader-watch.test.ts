/** A stream that has lost its leader, told from one that has nothing to deliver. */
import { beforeEach, expect, it } from 'vitest';
import { LeaderWatch } from '../../../src/feed/leader-watch.js';
import { FakeClock } from '../../support/fake-clock.js';

const QUIET_MS = 2_500;

let clock: FakeClock;
let delivered: number;
let questions: { readonly answer: () => void; readonly fail: () => void }[];
let lost: string[];
let watch: LeaderWatch;

beforeEach(() => {
  clock = new FakeClock();
  delivered = 0;
  questions = [];
  lost = [];
  watch = new LeaderWatch({
    clock,
    delivered: () => delivered,
    ask: () => new Promise<void>((resolve, reject) => questions.push({ answer: resolve, fail: reject })),
    onLost: reason => lost.push(reason),
  });
});

const settled = () => new Promise(resolve => setImmediate(resolve));

it('N9 is asked for once at first, then not while it delivers', async () => {
  for (let i = 0; i < 4; i++) {
    delivered++;
    clock.advanceMs(QUIET_MS);
    questions[0]?.answer();
    await settled();
  }
  expect([questions.length, lost]).toEqual([1, []]);
});

it('N9 is there as long as it answers, however quiet it is', async () => {
  for (let i = 0; i < 4; i++) {
    clock.advanceMs(QUIET_MS);
    questions.at(-1)?.answer();
    await settled();
  }
  expect([questions.length, lost]).toEqual([4, []]);
});

it('N9 is lost when it leaves two questions in a row without an answer, and is reported once', async () => {
  clock.advanceMs(QUIET_MS);
  questions[0]?.fail();
  await settled();
  expect(lost).toEqual([]);
  questions[1]?.fail();
  await settled();
  clock.advanceMs(10 * QUIET_MS);
  expect([questions.length, lost]).toEqual([2, ['the stream has no leader']]);
});

it('N9 is there when a message comes after a question that was not answered', async () => {
  clock.advanceMs(QUIET_MS);
  delivered++;
  questions[0]?.fail();
  await settled();
  clock.advanceMs(2 * QUIET_MS);
  questions[1]?.fail();
  await settled();
  expect([questions.length, lost]).toEqual([3, []]);
});

it('N9 is not watched after the consumer is closed', async () => {
  clock.advanceMs(QUIET_MS);
  watch.stop();
  questions[0]?.fail();
  await settled();
  clock.advanceMs(10 * QUIET_MS);
  expect([questions.length, lost]).toEqual([1, []]);
});
