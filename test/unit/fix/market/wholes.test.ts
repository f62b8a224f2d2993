/** R73 R5 the W of a client, requested as it reads them. */
import { expect, it } from 'vitest';
import { Wholes } from '../../../../src/fix/market/wholes.js';

class Awaiting {
  isUnanswered = true;
  isAsked = false;
  asks = 0;

  ask(): void {
    this.asks++;
    this.isAsked = true;
  }

  answer(): void {
    this.isAsked = false;
    this.isUnanswered = false;
  }
}

function due(count: number): { wholes: Wholes<Awaiting>; all: Awaiting[]; asked: () => number } {
  const wholes = new Wholes<Awaiting>();
  const all = Array.from({ length: count }, () => new Awaiting());
  for (const each of all) wholes.add(each);
  return { wholes, all, asked: () => all.reduce((sum, { asks }) => sum + asks, 0) };
}

it('R73 R5 as many as fit are on their way, and the next ones once those are answered', () => {
  const { wholes, all, asked } = due(5);
  wholes.next(2_500, 1_000);
  wholes.next(2_500, 1_000);
  expect(asked()).toBe(2);
  all[0]?.answer();
  wholes.next(2_500, 1_000);
  expect(asked()).toBe(3);
  for (const each of all) each.answer();
  wholes.next(2_500, 1_000);
  expect(asked()).toBe(3);
});

it('R73 R5 none comes while there is no room, and one that is longer than the room comes alone', () => {
  const { wholes, asked } = due(3);
  wholes.next(0, 1_000);
  expect(asked()).toBe(0);
  wholes.next(10, 1_000);
  wholes.next(10, 1_000);
  expect(asked()).toBe(1);
});

it('R73 R5 one that has come in the meantime, or has left, is not requested', () => {
  const { wholes, all, asked } = due(3);
  all[0]?.answer();
  wholes.delete(all[1] as Awaiting);
  wholes.next(10_000, 1_000);
  expect(asked()).toBe(1);
  wholes.clear();
  wholes.add(all[0] as Awaiting);
  wholes.next(10_000, 1_000);
  expect(asked()).toBe(1);
});
