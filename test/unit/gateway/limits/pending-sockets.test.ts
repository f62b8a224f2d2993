import { describe, expect, it } from 'vitest';
import { PendingSockets, PRESSED_PER_ADDRESS } from '../../../../src/gateway/limits/pending-sockets.js';
import { createSharedCounts, SharedCounts } from '../../../../src/gateway/limits/shared-counts.js';

const SEED = [1, 2] as const;

/** Those of so many threads. */
function threads(count: number, { perAddressMax, max }: { perAddressMax: number; max: number }, slots = 1024) {
  const buffer = createSharedCounts(count, slots, SEED);
  return Array.from({ length: count }, (_, worker) => {
    return new PendingSockets({ counts: new SharedCounts(buffer, worker), perAddressMax, perProxyMax: max, max });
  });
}

/** How many of so many are let in. */
function enter(pending: PendingSockets, address: string, count: number): number {
  let entered = 0;
  for (let n = 0; n < count; n++) if (pending.enter(address)) entered++;
  return entered;
}

describe('J8 R41 sockets without a request', () => {
  it('J8 R41 one address has its share over all threads, and gets it back', () => {
    const [first, second] = threads(2, { perAddressMax: 10, max: 100 }) as [PendingSockets, PendingSockets];
    expect(enter(first, 'a', 6) + enter(second, 'a', 6)).toBe(10);
    expect(enter(second, 'b', 12)).toBe(10);
    first.leave('a');
    expect(enter(second, 'a', 2)).toBe(1);
    expect(first).toMatchObject({ size: 5, refused: 0 });
    expect(second).toMatchObject({ size: 15, refused: 5 });
  });

  it('J8 R41 beyond the thread’s number an address has a few, so that others still get in', () => {
    const [pending] = threads(1, { perAddressMax: 50, max: 60 }) as [PendingSockets];
    expect(enter(pending, 'a', 60)).toBe(50);
    expect(enter(pending, 'b', 60)).toBe(10);
    expect(enter(pending, 'c', 60)).toBe(PRESSED_PER_ADDRESS);
    expect(enter(pending, 'a', 1)).toBe(0);
    for (let n = 0; n < 50; n++) pending.leave('a');
    expect(enter(pending, 'd', 60)).toBe(42);
  });

  it('R41 no address has more than its share then, where that is less', () => {
    const [pending] = threads(1, { perAddressMax: 2, max: 1 }) as [PendingSockets];
    expect(enter(pending, 'a', 3)).toBe(2);
    expect(enter(pending, 'b', 3)).toBe(2);
  });

  it('J8 R41 more addresses than can be counted are refused, not let in uncounted', () => {
    const [pending] = threads(1, { perAddressMax: 10, max: 1000 }, 2) as [PendingSockets];
    const entered = ['a', 'b', 'c', 'd'].filter(address => pending.enter(address));
    expect(entered).toHaveLength(2);
    expect(pending).toMatchObject({ size: 2, refused: 2 });
  });

  it('R41 one that was not counted is not given back', () => {
    const [pending] = threads(1, { perAddressMax: 10, max: 1000 }) as [PendingSockets];
    pending.leave('a');
    expect(pending.size).toBe(0);
  });

  it('P1 J8 a trusted proxy, whose sockets belong to many clients, may have as many as all, also under pressure', () => {
    const [pending] = threads(1, { perAddressMax: 5, max: 60 }) as [PendingSockets];
    for (let n = 0; n < 55; n++) expect(pending.enter('proxy', true)).toBe(true);
    expect(enter(pending, 'a', 60)).toBe(5);
    // One address has its few places now; the proxy has the rest of its own.
    expect(pending.enter('proxy', true)).toBe(true);
    for (let n = 0; n < 4; n++) expect(pending.enter('proxy', true)).toBe(true);
    expect(pending.enter('proxy', true)).toBe(false);
    expect(pending).toMatchObject({ size: 65, refused: 56 });
    for (let n = 0; n < 60; n++) pending.leave('proxy');
    expect(pending.size).toBe(5);
  });
});
