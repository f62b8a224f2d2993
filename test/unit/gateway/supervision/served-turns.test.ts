import { afterEach, describe, expect, it, vi } from 'vitest';
import { ConnectionIds } from '../../../../src/gateway/model/connection-ids.js';
import type { Session } from '../../../../src/gateway/model/session.js';
import { ClientLog } from '../../../../src/gateway/supervision/client-log.js';
import { type LongTurn, longWorkOf, ServedTurns } from '../../../../src/gateway/supervision/served-turns.js';
import { Cell, createTurnRows, turnRow } from '../../../../src/gateway/supervision/watchdog.js';
import { until } from '../../../support/until.js';

const sessionOf = (id: number, sub = 'alice') => ({ id, address: '192.0.2.1', credential: { sub } }) as Session;

function turns() {
  const row = turnRow(createTurnRows(1), 0);
  const long: LongTurn[] = [];
  const clock = { ms: 0 };
  const indebted = new Set<Session>();
  const served = new ServedTurns({
    row,
    onLong: turn => long.push(turn),
    isIndebted: session => indebted.has(session),
    nowMs: () => clock.ms,
  });
  /** What the main thread does once the present work is too long. */
  const blame = () => {
    row[Cell.blamed] = row[Cell.work] as number;
  };
  return { row, long, clock, indebted, served, blame };
}

afterEach(() => vi.useRealTimers());

describe('J1 R47 what a gateway thread says of its work', () => {
  it('J1 names the session while it works for it, each work by another number', () => {
    const { row, served } = turns();
    const numbers = [4, 9].map(id => {
      served.begin(sessionOf(id), 'message');
      expect(row[Cell.session]).toBe(id);
      const number = row[Cell.work];
      served.end();
      expect(row[Cell.work]).toBe(0);
      return number;
    });
    expect(new Set([0, ...numbers]).size).toBe(3);
  });

  it('J1 R47 reports work that was blamed when it comes to its end, with the session, what it was and how long it took', () => {
    const { long, clock, served, blame } = turns();
    const session = sessionOf(4);
    served.begin(session, 'message');
    blame();
    served.action = 'unsubscribe';
    clock.ms = 1234.4;
    served.end();
    expect(long).toEqual([{ session, action: 'unsubscribe', ms: 1234, isStopped: false }]);
    served.begin(sessionOf(5), 'message');
    served.end();
    expect(long).toHaveLength(1);
  });

  it('takes work within other work for a part of it', () => {
    const { row, long, served, blame } = turns();
    const session = sessionOf(4);
    served.begin(undefined, 'upgrade', false);
    const work = row[Cell.work];
    served.begin(session, 'open', false);
    expect(row[Cell.work]).toBe(work);
    blame();
    served.end();
    expect(long).toEqual([]);
    served.end();
    expect(long).toMatchObject([{ session, action: 'upgrade' }]);
  });

  it('R47 does not take an order where there is no such work, or where it must come to its end', () => {
    const { row, long, served, blame } = turns();
    const ask = () => {
      row[Cell.interruption] = 1;
      served.interrupt();
      // Refused: else it would wait for the order.
      expect(row[Cell.interruption]).toBe(0);
    };
    ask();
    served.begin(sessionOf(4), 'message');
    ask();
    blame();
    served.begin(sessionOf(4), 'close', false);
    ask();
    served.end();
    served.end();
    ask();
    expect(long).toMatchObject([{ action: 'message', isStopped: false }]);
  });

  it('R40a serves commands that wait one a turn, in order, with others between them', async () => {
    const { row, served } = turns();
    const order: string[] = [];
    const [a, b] = [sessionOf(1), sessionOf(2)];
    const serve = (session: Session) => {
      expect(row[Cell.session]).toBe(session.id);
      order.push(`${session.id}`);
      setImmediate(() => order.push('turn'));
      if (order.filter(view => view === `${session.id}`).length < 3) served.later(session, serve);
    };
    served.later(a, serve);
    served.later(b, serve);
    await until(() => order.length === 12);
    expect(order.filter(view => view !== 'turn')).toEqual(['1', '2', '1', '2', '1', '2']);
    expect(order.indexOf('turn')).toBeLessThan(order.lastIndexOf('1'));
  });

  it('R40a serves sessions that owe much in spare turns, while others go on', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const { indebted, served } = turns();
    const order: string[] = [];
    const [heavy, light] = [sessionOf(1), sessionOf(2)];
    indebted.add(heavy);
    const serve = (session: Session) => {
      order.push(session === heavy ? 'heavy' : 'light');
      if (order.filter(name => name === order.at(-1)).length < 3) served.later(session, serve);
    };
    served.later(heavy, serve);
    served.later(light, serve);
    await until(() => order.length === 3);
    expect(order).toEqual(['light', 'light', 'light']);
    for (const length of [4, 5, 6]) {
      vi.advanceTimersToNextTimer();
      await until(() => order.length === length);
    }
    expect(order).toEqual(['light', 'light', 'light', 'heavy', 'heavy', 'heavy']);
  });

  it('R40a serves all of many that owe much, and those that paid meanwhile as well', async () => {
    const { indebted, served } = turns();
    const sessions = Array.from({ length: 200 }, (_, at) => sessionOf(at + 1));
    const done: number[] = [];
    for (const session of sessions) {
      indebted.add(session);
      served.later(session, ({ id }) => done.push(id));
    }
    indebted.clear();
    await until(() => done.length === sessions.length);
    expect(done).toEqual(sessions.map(({ id }) => id));
  });

  it('is logged with a pseudonym of the user, and none for an anonymous connection', () => {
    const turn = { action: 'message', ms: 5, isStopped: true };
    const log = new ClientLog({
      ids: new ConnectionIds(),
      settings: { logClients: 'off', logUsers: 'pseudonym' },
      post: () => {},
      nowMs: () => 0,
    });
    const known = longWorkOf({ ...turn, session: sessionOf(4) }, log);
    expect(known).toMatchObject({
      connection: log.ids.text(4),
      address: '192.0.2.1',
      action: 'message',
      ms: 5,
      isStopped: true,
    });
    expect(known.user).toMatch(/^[\w-]{16}$/);
    expect(longWorkOf({ ...turn, session: sessionOf(4, '') }, log).user).toBeUndefined();
    expect(longWorkOf({ ...turn, session: undefined }, log).connection).toBeUndefined();
  });
});
