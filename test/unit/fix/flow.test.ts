/** R73 R5 the ladder of FIX clients that read more slowly than they are sent. */
import { expect, it } from 'vitest';
import { readConfig } from '../../../src/config/environment.js';
import { Flow } from '../../../src/fix/flow.js';

const MAX = 1_000;

function newFlow(): { flow: Flow; told: string[] } {
  const told: string[] = [];
  const flow = new Flow({
    backpressureBytesMax: MAX,
    circuit: readConfig({}, 2).circuit,
    pause: () => told.push('pause'),
    resume: level => told.push(`resume ${level}`),
    restore: level => told.push(`restore ${level}`),
    tooSlow: reason => told.push(reason),
  });
  return { flow, told };
}

it('R73 R5 pauses a client above half of the limit, and resumes it once it has drained', () => {
  const { flow, told } = newFlow();
  flow.check(MAX / 2, 0);
  flow.check(MAX / 2 + 1, 1);
  flow.check(MAX / 4, 2);
  flow.check(MAX / 8, 3);
  expect(told).toEqual(['pause', 'resume 1']);
});

it('R73 R5 logs out a paused client that asks for more and more, and reads nothing', () => {
  const { flow, told } = newFlow();
  // One turn may send a client more than the limit.
  flow.check(5 * MAX, 0);
  flow.check(6 * MAX, 1);
  expect(told).toEqual(['pause']);
  flow.check(6 * MAX + 1, 2);
  expect(told).toEqual(['pause', 'slow consumer: does not read the answers to its messages']);
});
