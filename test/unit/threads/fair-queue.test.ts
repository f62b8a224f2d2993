import { describe, expect, it } from 'vitest';
import { FairQueue, SHARE_OF_RANK } from '../../../src/threads/fair-queue.js';

/** Everything that waits, in the order in which it is served. */
function served(queue: FairQueue<string, string>, rankMax?: number): string[] {
  const items: string[] = [];
  for (let item = queue.take(rankMax); item !== undefined; item = queue.take(rankMax)) items.push(item);
  return items;
}

describe('J2 R40a a fair queue', () => {
  it('lets owners take turns, however much each asks for', () => {
    const queue = new FairQueue<string, string>(1);
    for (let i = 0; i < 4; i++) queue.add(0, 'greedy', `g${i}`);
    queue.add(0, 'modest', 'm0');
    queue.add(0, 'modest', 'm1');
    expect(served(queue)).toEqual(['g0', 'm0', 'g1', 'm1', 'g2', 'g3']);
    expect(queue.size).toBe(0);
  });

  it('serves lower ranks first, and no higher one than asked for', () => {
    const queue = new FairQueue<string, string>(2);
    queue.add(1, 'retail', 'r');
    queue.add(0, 'institutional', 'i');
    expect(served(queue, 0)).toEqual(['i']);
    expect(served(queue)).toEqual(['r']);
  });

  it('J4 serves each rank within a bounded number of turns, under an endless load of those before it', () => {
    const ranks = 4;
    const queue = new FairQueue<string, string>(ranks);
    let made = 0;
    const add = (rank: number) => queue.add(rank, `owner ${rank}`, `${rank} ${made++}`);
    for (let rank = 0; rank < ranks; rank++) for (let i = 0; i < 100; i++) add(rank);
    const turns = Array.from({ length: ranks * 100 }, () => {
      const rank = Number(queue.take()?.[0]);
      add(rank);
      return rank;
    });
    for (let rank = 1; rank < ranks; rank++) {
      const waits = turns
        .flatMap((served, turn) => (served === rank ? [turn] : []))
        .map((turn, i, all) => turn - (all[i - 1] ?? -1));
      // Of several whose share is due at once, one comes after the other.
      expect(Math.max(...waits)).toBeLessThanOrEqual(SHARE_OF_RANK + ranks - 2);
      expect(Math.min(...waits)).toBeGreaterThan(SHARE_OF_RANK / 2);
    }
    expect(turns.slice(0, SHARE_OF_RANK - 1).every(rank => rank === 0)).toBe(true);
  });

  it('J4 serves a rank whose share is due also where only those before it are asked for', () => {
    const queue = new FairQueue<string, number>(2);
    queue.add(1, 'retail', -1);
    for (let i = 0; i < 3 * SHARE_OF_RANK; i++) queue.add(0, 'desk', i);
    const turns = Array.from({ length: SHARE_OF_RANK }, () => queue.take(0));
    expect(turns.indexOf(-1)).toBe(SHARE_OF_RANK - 1);
    queue.add(1, 'retail', -2);
    // The one that follows it waits as long again: its share is not due at once.
    expect(queue.take(0)).toBe(SHARE_OF_RANK - 1);
  });

  it('leaves out what was deleted, wherever it stood', () => {
    const queue = new FairQueue<string, string>(1);
    for (const item of ['a', 'b', 'c']) queue.add(0, 'one', item);
    expect(queue.take()).toBe('a');
    expect([queue.delete('b'), queue.delete('b')]).toEqual([true, false]);
    queue.add(0, 'one', 'd');
    expect(served(queue)).toEqual(['c', 'd']);
  });

  it('serves an item that two owners wait for once, at the better of its places', () => {
    const queue = new FairQueue<string, string>(1);
    for (const item of ['a0', 'a1', 'shared']) queue.add(0, 'a', item);
    queue.add(0, 'b', 'shared');
    expect(served(queue)).toEqual(['a0', 'shared', 'a1']);
    queue.add(0, 'b', 'x');
    expect(served(queue)).toEqual(['x']);
  });

  it('serves whoever joins a round while it lasts', () => {
    const queue = new FairQueue<string, string>(1);
    for (let i = 0; i < 3; i++) queue.add(0, 'a', `a${i}`);
    expect(queue.take()).toBe('a0');
    queue.add(0, 'b', 'b0');
    expect(served(queue)).toEqual(['b0', 'a1', 'a2']);
  });

  it('takes a long line from its front without walking it each time', () => {
    const queue = new FairQueue<string, number>(1);
    const items = 100_000;
    for (let i = 0; i < items; i++) queue.add(0, 'one', i);
    let inOrder = 0;
    // With the square of it, this would take minutes.
    for (let i = 0; i < items; i++) if (queue.take() === i) inOrder++;
    expect(inOrder).toBe(items);
  });
});
