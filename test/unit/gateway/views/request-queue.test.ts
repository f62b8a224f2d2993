import { describe, expect, it } from 'vitest';
import { type Asker, type Queued, RequestQueue } from '../../../../src/gateway/views/request-queue.js';
import { SHARE_OF_RANK } from '../../../../src/threads/fair-queue.js';

const COST_MAX = 4;
const CHECKS_MAX = 3;

const asker = (tier: Asker['tier']): Asker => ({ tier });
let last = 0;
const request = (cost = 1): Queued => ({ request: ++last, cost });

function open() {
  const told: Queued[] = [];
  const queue = new RequestQueue<Queued>(COST_MAX, CHECKS_MAX, item => told.push(item));
  /** Replies what is under way, until nothing waits. @returns all that was told */
  const finish = () => {
    for (const item of told) queue.settled(item.request);
    return told;
  };
  return { told, queue, finish };
}

describe('J2 R40a requests to one encoder', () => {
  it('are under way up to a limit; the others wait', () => {
    const { told, queue } = open();
    const items = Array.from({ length: 10 }, () => request());
    const desk = asker('institutional');
    for (const item of items) queue.add(desk, item);
    expect(told).toEqual(items.slice(0, COST_MAX));
    expect(queue.waiting).toBe(10 - COST_MAX);
    queue.settled(items[1]?.request ?? 0);
    expect(told).toEqual(items.slice(0, COST_MAX + 1));
    queue.settled(items[1]?.request ?? 0);
    expect(told).toHaveLength(COST_MAX + 1);
  });

  it('count by what they cost', () => {
    const { told, queue } = open();
    const desk = asker('institutional');
    for (let i = 0; i < 4; i++) queue.add(desk, request(3));
    expect(told).toHaveLength(2);
  });

  it('are told round robin over sessions, institutional ones first', () => {
    const { queue, finish } = open();
    const [greedy, modest, desk] = [asker('retail'), asker('retail'), asker('institutional')];
    const first = Array.from({ length: 3 }, () => request());
    const [g, m, d] = [1, 2, 3].map(() => [request(), request()]) as [Queued[], Queued[], Queued[]];
    for (const item of [...first, ...g]) queue.add(greedy, item);
    for (const item of m) queue.add(modest, item);
    for (const item of d) queue.add(desk, item);
    expect(finish().slice(3)).toEqual([d[0], d[1], g[0], m[0], g[1], m[1]]);
  });

  it('of retail sessions leave room for institutional ones', () => {
    const { told, queue } = open();
    const [retail, desk] = [asker('retail'), asker('institutional')];
    for (let i = 0; i < 10; i++) queue.add(retail, request());
    expect(told).toHaveLength(3);
    const urgent = request();
    queue.add(desk, urgent);
    expect(told.at(-1)).toBe(urgent);
  });

  it('J4 of retail sessions are told within a bounded number of others, under an endless institutional load', () => {
    const { told, queue } = open();
    const [desk, retail] = [asker('institutional'), asker('retail')];
    for (let i = 0; i < 2 * COST_MAX; i++) queue.add(desk, request());
    const [asked, repair] = [request(), request()];
    queue.add(retail, asked);
    queue.addRepair('retail', repair);
    const before = told.length;
    // As one is answered, the desk asks for another: there is never room that it would leave.
    for (let answered = 0; answered < 2 * SHARE_OF_RANK; answered++) {
      queue.add(desk, request());
      queue.settled(told[answered]?.request ?? 0);
    }
    const places = [repair, asked].map(item => told.indexOf(item) - before);
    expect(Math.min(...places)).toBeGreaterThan(0);
    expect(Math.max(...places)).toBeLessThanOrEqual(SHARE_OF_RANK + 1);
  });

  it('that repair what clients hold come before what they ask for, tier by tier', () => {
    const { queue, finish } = open();
    const [desk, retail] = [asker('institutional'), asker('retail')];
    const [blockers, asked, repair, retailAsked, retailRepair] = [
      Array.from({ length: COST_MAX }, () => request()),
      request(),
      request(),
      request(),
      request(),
    ];
    for (const item of blockers) queue.add(desk, item);
    queue.add(retail, retailAsked);
    queue.addRepair('retail', retailRepair);
    queue.add(desk, asked);
    queue.addRepair('institutional', repair);
    expect(finish().slice(COST_MAX)).toEqual([repair, asked, retailRepair, retailAsked]);
  });

  it('that are cancelled while they wait are never told', () => {
    const { told, queue, finish } = open();
    const desk = asker('institutional');
    const items = Array.from({ length: COST_MAX + 2 }, () => request());
    for (const item of items) queue.add(desk, item);
    const [told0, waits] = [items[0] as Queued, items[COST_MAX] as Queued];
    expect([queue.cancel(told0), queue.cancel(waits)]).toEqual([false, true]);
    finish();
    expect(told).not.toContain(waits);
    expect(told).toHaveLength(COST_MAX + 1);
  });

  it('that two sessions wait for are told once, at the better place', () => {
    const { queue, finish } = open();
    const [a, b] = [asker('institutional'), asker('institutional')];
    const blockers = Array.from({ length: COST_MAX }, () => request());
    const [a0, a1, shared] = [request(), request(), request()];
    for (const item of [...blockers, a0, a1, shared]) queue.add(a, item);
    queue.add(b, shared);
    const told = finish().slice(COST_MAX);
    expect(told).toHaveLength(3);
    expect(told.indexOf(shared)).toBeLessThan(told.indexOf(a1));
  });

  it('take no room any more when their answers may be lost, or do not come', () => {
    const { told, queue } = open();
    const desk = asker('institutional');
    for (let i = 0; i < 3 * COST_MAX; i++) queue.add(desk, request());
    queue.lost();
    expect(told).toHaveLength(2 * COST_MAX);
    for (let check = 0; check < CHECKS_MAX; check++) queue.expire();
    expect(told).toHaveLength(2 * COST_MAX);
    queue.expire();
    expect(told).toHaveLength(3 * COST_MAX);
  });
});
