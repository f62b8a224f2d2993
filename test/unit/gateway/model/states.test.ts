/** The states of views and subscriptions: each transition that the tables at their heads name, and no other. */
import { describe, expect, it } from 'vitest';
import { Subscription, type SubscriptionState, TRANSITIONS } from '../../../../src/gateway/model/session.js';
import { ViewOf } from '../../../../src/gateway/model/view.js';
import { REALTIME } from '../../../../src/protocol/view-options.js';
import { laneOf } from '../../../../src/threads/lanes.js';
import { newSession } from '../../../support/new-session.js';

const LANE = laneOf(REALTIME, 0, 'json', false);
const STATES = Object.keys(TRANSITIONS) as SubscriptionState[];
const PAIRS = STATES.flatMap(from => STATES.map(to => [from, to] as const));

function newView(stream: 'quotes' | 'trades' = 'quotes'): ViewOf<Subscription> {
  const named = { stream, symbol: 'AAPL', lane: LANE, tier: 'retail', owner: 1 } as const;
  return new ViewOf<Subscription>(named, 't', 1, () => ({ messages: 0, bytes: 0 }));
}

/** A subscription in that state. */
function subscriptionIn(state: SubscriptionState): Subscription {
  const session = newSession({ id: 1, sub: 'u', format: 'json', tier: 'retail' });
  const subscription = new Subscription(session, LANE, newView());
  if (state !== 'waiting') subscription.moveTo(state);
  return subscription;
}

describe('R6 a subscription', () => {
  it.each(PAIRS.filter(([from, to]) => TRANSITIONS[from].includes(to)))('goes from %s to %s', (from, to) => {
    const subscription = subscriptionIn(from);
    subscription.moveTo(to);
    expect(subscription.state).toBe(to);
  });

  it.each(PAIRS.filter(([from, to]) => !TRANSITIONS[from].includes(to)))('never goes from %s to %s', (from, to) => {
    const subscription = subscriptionIn(from);
    expect(() => subscription.moveTo(to)).toThrow(`from ${from} to ${to}`);
    expect(subscription.state).toBe(from);
  });

  it('may still lose what was published in the turn in which uWS ceased to deliver it', () => {
    const subscription = subscriptionIn('live');
    subscription.setNative(true, 3);
    expect(subscription.wasNativeIn(0)).toBe(true);
    subscription.setNative(false, 7);
    expect([subscription.wasNativeIn(7), subscription.wasNativeIn(8), subscription.wasNativeIn(0)]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

describe('R6 a view', () => {
  it('is bound once, by its first answer', () => {
    const view = newView();
    expect([view.source, view.isAwaited]).toEqual([-1, true]);
    view.bind(4, 0);
    expect([view.source, view.ring, view.isAwaited]).toEqual([4, 0, false]);
    expect(() => view.bind(5, 0)).toThrow('bound once');
  });

  it('breaks when frames of its ring are missed, and is whole again with the answer', () => {
    const view = newView('trades');
    view.bind(4, 0);
    view.seqs.at(4, 9, 1).note(9, 1);
    view.break();
    expect([view.isBroken, view.isAwaited, view.part]).toEqual([true, true, undefined]);
    const { sentBeforeBreak } = view;
    expect(sentBeforeBreak?.get(4)?.seq).toBe(9);
    // What is missed while it is broken changes nothing of what was sent before.
    view.seqs.at(4, 12, 2).note(12, 2);
    view.break();
    expect(view.sentBeforeBreak).toBe(sentBeforeBreak);
    view.repair();
    expect([view.isBroken, view.sentBeforeBreak]).toEqual([false, undefined]);
    expect(() => view.repair()).toThrow('only a broken');
  });

  it('is not broken before it is bound: its first answer is still to come', () => {
    const view = newView();
    view.break();
    expect(view.isBroken).toBe(false);
  });

  it('is unpinned as often as it is pinned, and left as often as it is joined', () => {
    const view = newView();
    view.pin();
    view.pin();
    expect([view.unpin(), view.unpin()]).toEqual([true, false]);
    expect(() => view.unpin()).toThrow('unpinned no more often');
    view.countSubscriber(true);
    view.countSubscriber(false);
    expect(() => view.countSubscriber(false)).toThrow('that it is in');
  });

  it('awaits one answer of each encoder', () => {
    const view = newView('trades');
    view.ask(7, 3);
    expect([view.countAnswer(), view.countAnswer(), view.countAnswer()]).toEqual([false, false, true]);
  });

  it('tells those who wait for it once whether it became live', async () => {
    const view = newView();
    const [first, second] = [view.live(), view.live()];
    view.becameLive(true);
    expect(await Promise.all([first, second])).toEqual(['live', 'live']);
    const third = view.live();
    view.becameLive(false, 'share');
    expect(await third).toBe('share');
  });
});
