import { describe, expect, it } from 'vitest';
import type { Session } from '../../../../src/gateway/model/session.js';
import { Deliveries, type Delivery } from '../../../../src/gateway/sending/deliveries.js';
import { SHARE_OF_RANK } from '../../../../src/threads/fair-queue.js';
import { newSession } from '../../../support/new-session.js';

const TURN_BYTES = 100;

function open() {
  const sent: string[] = [];
  let wakes = 0;
  const deliveries = new Deliveries(() => wakes++, TURN_BYTES);
  /** Sends so many pieces of so many bytes, one at a time. */
  const delivery = (session: Session, name: string, bytes: number, pieces = 1): Delivery => {
    const each: Delivery = {
      session,
      deliver: () => {
        sent.push(name);
        deliveries.spend(bytes);
        if (--pieces > 0) deliveries.addBehind(each);
      },
    };
    return each;
  };
  return { deliveries, delivery, sent, wakes: () => wakes };
}

const session = (id: number, tier: 'institutional' | 'retail' = 'institutional') =>
  newSession({ id, sub: `u${id}`, format: 'json', tier });

describe('J2 J4 R40a snapshots and missed messages', () => {
  it('leave at once while their turn has room', () => {
    const { deliveries, delivery, sent, wakes } = open();
    deliveries.add(delivery(session(1), 'a', 60));
    deliveries.add(delivery(session(2), 'b', 60));
    expect(sent).toEqual(['a', 'b']);
    expect([deliveries.hasMore, wakes()]).toEqual([false, 0]);
  });

  it('take no more than their share of a turn, and ask for the next one', () => {
    const { deliveries, delivery, sent, wakes } = open();
    deliveries.add(delivery(session(1), 'a', 60, 5));
    expect(sent).toEqual(['a']);
    deliveries.turn();
    expect(sent).toHaveLength(3);
    expect([deliveries.hasMore, wakes()]).toEqual([true, 3]);
    deliveries.turn();
    deliveries.turn();
    expect(sent).toHaveLength(5);
    expect(deliveries.hasMore).toBe(false);
  });

  it('take turns over sessions, institutional ones first', () => {
    const { deliveries, delivery, sent } = open();
    deliveries.add(delivery(session(1, 'retail'), 'busy', TURN_BYTES));
    deliveries.add(delivery(session(2, 'retail'), 'greedy', 10, 3));
    deliveries.add(delivery(session(3, 'retail'), 'modest', 10));
    deliveries.add(delivery(session(4), 'desk', 10, 2));
    expect(sent).toEqual(['busy']);
    deliveries.turn();
    expect(sent).toEqual(['busy', 'desk', 'desk', 'greedy', 'modest', 'greedy', 'greedy']);
  });

  it('of retail sessions leave within a bounded number of others, under an endless institutional load', () => {
    const { deliveries, delivery, sent } = open();
    for (let id = 1; id <= 3; id++) deliveries.add(delivery(session(id), 'desk', TURN_BYTES, 1e6));
    deliveries.add(delivery(session(4, 'retail'), 'retail', TURN_BYTES, 2));
    const first = sent.length;
    for (let turn = 0; turn < 2 * SHARE_OF_RANK; turn++) deliveries.turn();
    const turns = sent.slice(first);
    expect(turns.indexOf('retail')).toBe(SHARE_OF_RANK - 1);
    expect(turns.lastIndexOf('retail')).toBe(2 * SHARE_OF_RANK - 1);
  });

  it('that are cancelled are not sent', () => {
    const { deliveries, delivery, sent } = open();
    deliveries.add(delivery(session(1), 'a', TURN_BYTES));
    const late = delivery(session(2), 'b', 10);
    deliveries.add(late);
    deliveries.cancel(late);
    deliveries.turn();
    expect(sent).toEqual(['a']);
  });
});
