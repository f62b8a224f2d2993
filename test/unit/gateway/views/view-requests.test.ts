/** What the hub is told of lanes, while it answers when the test says so. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { View } from '../../../../src/gateway/model/session.js';
import { REQUEST_LIMITS } from '../../../../src/gateway/views/view-requests.js';
import { UNUSED_MS, Views } from '../../../../src/gateway/views/views.js';
import { REALTIME } from '../../../../src/protocol/view-options.js';
import { depthDetail, laneOf } from '../../../../src/threads/lanes.js';
import type { InterestChange } from '../../../../src/threads/thread-messages.js';

const LANE = laneOf(REALTIME, 0, 'json', false);
const DEEP = laneOf(REALTIME, depthDetail(100) ?? 0, 'json', false);
const MAX = REQUEST_LIMITS.requestsCostMax;
const desk = { tier: 'institutional' } as const;

let told: InterestChange[];
let views: Views;

beforeEach(() => open(1));

function open(encoders: number): void {
  told = [];
  const sentCell = () => ({ messages: 0, bytes: 0 });
  views = new Views(encoders, change => told.push(change), sentCell, { replaysAtOnceMax: 2 });
}

const quote = (symbol: string, asker: { readonly tier: 'institutional' | 'retail' } = desk) =>
  views.acquire('quotes', symbol, LANE, asker);
/** As many lanes as may be under way. */
const fill = () => Array.from({ length: MAX }, (_, i) => quote(`F${i}`));
const answer = (view: View) => views.answered(view, 1, 0);
const toldOf = (symbol: string) => told.filter(({ source }) => source.endsWith(`:${symbol}`)).map(({ op }) => op);

describe('J2 J4 the trades of all symbols', () => {
  const all = () => views.acquire('trades', '*', LANE, desk);
  const opsOfAll = () => told.filter(({ source }) => source === 'trades:*').map(({ op }) => op);
  const live = () => {
    const view = all();
    views.answered(view, 0, 0);
    return view;
  };

  it('are asked for once, however often a client leaves them and comes back', () => {
    const view = live();
    for (let i = 0; i < 100; i++) {
      views.release(view);
      views.expire(i);
      expect(all()).toBe(view);
    }
    expect(opsOfAll()).toEqual(['want']);
    views.expire(100 * UNUSED_MS);
    expect(opsOfAll()).toEqual(['want']);
  });

  it('end a while after the last client has left', () => {
    views.release(live());
    views.expire(1_000);
    views.expire(1_000 + UNUSED_MS - 1);
    expect([opsOfAll(), views.size]).toEqual([['want'], 1]);
    views.expire(1_000 + UNUSED_MS);
    expect([opsOfAll(), views.size]).toEqual([['want', 'unwant'], 0]);
    expect(views.allTrades('institutional', LANE)).toBeUndefined();
    all();
    expect(opsOfAll()).toEqual(['want', 'unwant', 'want']);
  });

  it('end at once where they are not whole, and are not asked for again', () => {
    const view = live();
    views.release(view);
    expect(views.endUnused(view)).toBe(true);
    expect(views.endUnused(view)).toBe(false);
    views.release(all());
    expect(opsOfAll()).toEqual(['want', 'unwant', 'want', 'unwant']);
  });
});

describe('J2 R40a what a worker asks for', () => {
  it('is a bounded number of documents, the deeper ones fewer', () => {
    for (let i = 0; i < 1000; i++) quote(`S${i}`);
    expect(told).toHaveLength(MAX);
    open(1);
    for (let i = 0; i < 1000; i++) views.acquire('depth', `S${i}`, DEEP, desk);
    expect(told).toHaveLength(MAX / 8);
  });

  it('is not told of a lane that nobody wants any more before its turn, neither that it is wanted nor that it is not', () => {
    const filling = fill();
    const view = quote('A');
    views.release(view);
    for (const each of filling) answer(each);
    expect(toldOf('A')).toEqual([]);
    expect(views.requests.waiting).toBe(0);
  });

  it('never has an end of interest overtake its beginning', () => {
    const filling = fill();
    views.release(quote('A'));
    const again = quote('A');
    answer(filling[0] as View);
    expect(toldOf('A')).toEqual(['want']);
    views.release(again);
    expect(toldOf('A')).toEqual(['want', 'unwant']);
    // It takes its room until it is answered, whoever waits for it.
    quote('B');
    expect(toldOf('B')).toEqual([]);
    views.requests.settled(
      told.flatMap(change => ('request' in change && change.source.endsWith(':A') ? change.request : []))[0] ?? 0,
    );
    expect(toldOf('B')).toEqual(['want']);
  });

  it('ends with the last of the tiers that share a lane', () => {
    const [ours, theirs] = [quote('A'), quote('A', { tier: 'retail' })];
    expect(toldOf('A')).toEqual(['want', 'want']);
    views.release(ours);
    expect(toldOf('A')).toEqual(['want', 'want']);
    views.release(theirs);
    expect(toldOf('A')).toEqual(['want', 'want', 'unwant']);
  });

  it('is in the first turn of all who wait for it', () => {
    const filling = fill();
    const [greedy, modest] = [{ ...desk }, { ...desk }];
    for (let i = 0; i < 10; i++) quote(`G${i}`, greedy);
    quote('G9', modest);
    for (const view of filling.slice(0, 2)) answer(view);
    expect([toldOf('G0'), toldOf('G9'), toldOf('G1')]).toEqual([['want'], ['want'], []]);
  });

  it('is no fresh document of a live lane that nobody waits for any more', () => {
    const [view, other] = [quote('A'), quote('A', { ...desk })];
    answer(view);
    const filling = fill();
    expect(views.ask(view, desk)).toBe(true);
    views.release(other);
    for (const each of filling) answer(each);
    expect(toldOf('A')).toEqual(['want']);
    expect(view.request).toBe(0);
  });

  it('of one encoder does not wait for another that stands still', () => {
    open(2);
    for (let i = 0; i < 1000; i++) quote(`S${i}`);
    expect(told).toHaveLength(2 * MAX);
    const ofFirst = () => [...views.all()].filter(({ shard, isWanted }) => shard === 0 && isWanted);
    for (const view of ofFirst()) answer(view);
    expect(ofFirst()).toHaveLength(2 * MAX);
    expect(told).toHaveLength(MAX + ofFirst().length);
  });

  it('is what was missed of a lane only behind the lane itself', () => {
    fill();
    const view = views.acquire('trades', 'A', LANE, desk);
    expect(toldOf('A')).toEqual([]);
    views.requests.replay(view, desk, { epoch: 'e', seq: 1 });
    expect(toldOf('A')).toEqual(['want', 'replay']);
  });
});
