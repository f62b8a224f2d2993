import { expect, it } from 'vitest';
import { BoundedMap } from '../../../src/protocol/bounded-map.js';

it('a bounded map forgets what was set longest ago, and setting an entry again keeps it', () => {
  const map = new BoundedMap<string, number>(2);
  map.set('a', 1).set('b', 2).set('a', 3).set('c', 4);
  expect([...map]).toEqual([
    ['a', 3],
    ['c', 4],
  ]);
});

it('a bounded map forgets its oldest entry on demand, and says whether it had one', () => {
  const map = new BoundedMap<string, number>(2);
  map.set('a', 1).set('b', 2);
  expect([map.forgetOldest(), map.forgetOldest(), map.forgetOldest()]).toEqual([1, 1, 0]);
});
