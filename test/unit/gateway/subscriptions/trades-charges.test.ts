import { beforeEach, describe, expect, it } from 'vitest';
import { type Session, Subscription } from '../../../../src/gateway/model/session.js';
import { TradesCharges } from '../../../../src/gateway/subscriptions/trades-charges.js';
import { Views } from '../../../../src/gateway/views/views.js';
import { allTradesUnits, handOverUnits } from '../../../../src/protocol/costs.js';
import { REALTIME } from '../../../../src/protocol/view-options.js';
import { laneOf } from '../../../../src/threads/lanes.js';
import { newSession } from '../../../support/new-session.js';

const LANE = laneOf(REALTIME, 0, 'json', false);
const SYMBOLS = 5_000;

let views: Views;
let charges: TradesCharges;
let charged: number[];
let sessions = 0;

beforeEach(() => {
  const sentCell = () => ({ messages: 0, bytes: 0 });
  views = new Views(1, () => {}, sentCell);
  charged = [];
  charges = new TradesCharges(
    (_, units) => charged.push(units),
    () => SYMBOLS,
  );
});

function sessionWith(topics: number): Session {
  const session = newSession({ id: ++sessions, sub: `u${sessions}`, format: 'json', tier: 'retail' });
  for (let n = 0; n < topics; n++) {
    const view = views.acquire('trades', `S${n}`, LANE, session);
    session.subscriptions.add(new Subscription(session, LANE, view));
  }
  return session;
}

/** The session subscribes to the trades of all symbols. */
function begin(session: Session) {
  const view = views.acquire('trades', '*', LANE, session);
  charges.begin(session, view);
  return view;
}

describe('J2 R41 the trades of all symbols', () => {
  it('cost an answer for each symbol where they are asked for, and nothing like it where another client has them', () => {
    const view = begin(sessionWith(0));
    begin(sessionWith(0));
    views.answered(view, 0, 0);
    begin(sessionWith(0));
    expect(charged).toEqual([allTradesUnits(SYMBOLS), 0, 0]);
    expect(allTradesUnits(SYMBOLS)).toBeGreaterThanOrEqual(SYMBOLS);
  });

  it('cost what is handed over to them, and back', () => {
    const view = begin(sessionWith(0));
    views.answered(view, 0, 0);
    const session = sessionWith(100);
    begin(session);
    charges.end(session);
    expect(charged.slice(1)).toEqual([handOverUnits(100), handOverUnits(100)]);
  });
});
