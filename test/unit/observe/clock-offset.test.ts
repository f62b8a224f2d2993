/** How far the clock is off, as chrony tells. */
import { expect, it } from 'vitest';
import { ClockOffset, readingOf } from '../../../src/observe/clock-offset.js';

const BEHIND =
  'C0A80001,192.168.0.1,3,1796015043.168401,0.000250000,0.000012,0.00003,-10.125,0.001,0.012,0.004000000,0.000500000,64.2,Normal\n';

it('R60 reads offset and error of a line of chronyc: what chrony still corrects is what the clock lacks', () => {
  expect(readingOf(BEHIND)?.offsetSeconds).toBe(-0.00025);
  expect(readingOf(BEHIND)?.errorSeconds).toBeCloseTo(0.00275, 9);
  expect(readingOf(BEHIND.replace('0.000250000', '-0.000250000'))).toMatchObject({ offsetSeconds: 0.00025 });
});

it.each([
  ['no clock is followed', BEHIND.replace('Normal', 'Not synchronised')],
  ['the line is another one', '506 Cannot talk to daemon\n'],
  ['there is none', ''],
  ['a number is none', BEHIND.replace('0.000250000', 'x')],
])('R60 knows nothing when %s', (_why, line) => {
  expect(readingOf(line)).toBeUndefined();
});

it('R60 follows chrony, and forgets what it knew when chrony no longer answers', async () => {
  const answers = [async () => BEHIND, async () => Promise.reject(new Error('ENOENT'))];
  const asked: string[] = [];
  const clock = new ClockOffset((file, args) => {
    asked.push([file, ...args].join(' '));
    return (answers.shift() as () => Promise<string>)();
  });
  expect(clock.current).toBeUndefined();
  await clock.check();
  expect(clock.current?.offsetSeconds).toBe(-0.00025);
  await clock.check();
  expect(clock.current).toBeUndefined();
  expect(asked).toEqual(['chronyc -c tracking', 'chronyc -c tracking']);
});

it('R60 does without chrony on a machine that has none', async () => {
  const clock = new ClockOffset(async () => Promise.reject(Object.assign(new Error('spawn'), { code: 'ENOENT' })));
  clock.start();
  await clock.check();
  clock.stop();
  expect(clock.current).toBeUndefined();
});
