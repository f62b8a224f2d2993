/** Who pays for what is replayed, and what becomes of a replay that its clients leave. */
import { beforeEach, describe, expect, it } from 'vitest';
import { newRecovery, type Recovery } from '../../../../src/gateway/events/missed-events.js';
import { type SharedReplay, SharedReplays } from '../../../../src/gateway/events/shared-replays.js';
import { type Session, Subscription } from '../../../../src/gateway/model/session.js';
import { Views } from '../../../../src/gateway/views/views.js';
import { REPLAY_MESSAGE_UNITS, replayUnits } from '../../../../src/protocol/costs.js';
import { REALTIME } from '../../../../src/protocol/view-options.js';
import { laneOf } from '../../../../src/threads/lanes.js';
import type { InterestChange } from '../../../../src/threads/thread-messages.js';
import { newSession } from '../../../support/new-session.js';

const LANE = laneOf(REALTIME, 0, 'json', false);
const SINCE = { epoch: 'e', seq: 10 };
const FRAME_BYTES = 1000;

let told: InterestChange[];
let views: Views;
let replays: SharedReplays;
/** By session: what is set aside now, and what was charged. */
let reserved: Map<Session, number>;
let charged: Map<Session, number>;
let recoveries: Map<Subscription, Recovery>;
let sessions = 0;

beforeEach(() => {
  told = [];
  reserved = new Map();
  charged = new Map();
  recoveries = new Map();
  const sentCell = () => ({ messages: 0, bytes: 0 });
  views = new Views(1, change => told.push(change), sentCell, { requestsCostMax: 64, replaysAtOnceMax: 1 });
  const noteIn = (sums: Map<Session, number>) => (session: Session, units: number) => {
    sums.set(session, (sums.get(session) ?? 0) + units);
  };
  const paid = (replay: SharedReplay, bytes: number) => {
    const recovery = recoveries.get(replay.payment.payer);
    if (recovery?.replay === replay) recovery.paidBytes += bytes;
  };
  replays = new SharedReplays(views.requests, { charge: noteIn(charged), reserve: noteIn(reserved), paid }, 0);
});

/** A client of a topic that stands at sequence 60. */
function client(symbol = 'A'): Subscription {
  const session = newSession({ id: ++sessions, sub: `u${sessions}`, format: 'json', tier: 'retail' });
  const view = views.acquire('rooms', symbol, LANE, session);
  if (view.source < 0) view.bind(1, 0);
  view.seqs.moveTo(1, 60, 7, 'e');
  const subscription = new Subscription(session, LANE, view);
  const resumption = { session, since: SINCE, subscriptions: new Set([subscription]), missing: 1 };
  recoveries.set(
    subscription,
    newRecovery({ ...resumption, isFailed: false, isDone: false, answer: () => {}, onHeld: () => {} }),
  );
  return subscription;
}

function join(subscription: Subscription): SharedReplay {
  const replay = replays.join(subscription, SINCE);
  const recovery = recoveries.get(subscription);
  if (recovery !== undefined) recovery.replay = replay;
  return replay;
}

/** A frame of the replay comes through the ring. */
function encoded(replay: SharedReplay): void {
  replay.encodedBytes += FRAME_BYTES;
  replays.append(replay, new Uint8Array(FRAME_BYTES), { seq: 11, prevSeq: 10, eventMicrosOrReason: 0 });
}

const cancelled = () => told.flatMap(change => (change.op === 'cancel' ? [change.request] : []));
const asked = () => told.flatMap(change => (change.op === 'replay' ? [change.request] : []));

describe('J4 R41 a replay', () => {
  it('is paid for by an estimate once the hub is told, and by what it has cost at its end', () => {
    const subscription = client();
    const { session } = subscription;
    const replay = join(subscription);
    expect(asked()).toEqual([replay.request.request]);
    expect(reserved.get(session)).toBe(50 * REPLAY_MESSAGE_UNITS);
    encoded(replay);
    replays.end(replay, 60);
    expect(reserved.get(session)).toBe(0);
    expect(charged.get(session)).toBe(replayUnits(FRAME_BYTES));
    // Sending it costs nothing more.
    expect(recoveries.get(subscription)?.paidBytes).toBe(FRAME_BYTES);
  });

  it('that waits for its turn costs nothing when its client leaves', () => {
    const first = client();
    join(first);
    const second = client('B');
    const waiting = join(second);
    expect(reserved.get(second.session)).toBeUndefined();
    replays.leave(waiting, second);
    expect([cancelled(), asked().length]).toEqual([[], 1]);
    expect([reserved.get(second.session), charged.get(second.session)]).toEqual([undefined, undefined]);
  });

  it('that its client leaves is cancelled, and paid for by what it has cost until its mark', () => {
    const subscription = client();
    const { session } = subscription;
    const replay = join(subscription);
    encoded(replay);
    recoveries.delete(subscription);
    replays.leave(replay, subscription);
    expect(cancelled()).toEqual([replay.request.request]);
    expect(reserved.get(session)).toBe(50 * REPLAY_MESSAGE_UNITS);
    encoded(replay);
    replays.end(replay, undefined);
    expect(reserved.get(session)).toBe(0);
    expect(charged.get(session)).toBe(replayUnits(2 * FRAME_BYTES));
    replays.leave(replay, subscription);
    expect(cancelled()).toHaveLength(1);
  });

  it('that is cancelled is none that others take part in', () => {
    const first = client();
    const replay = join(first);
    encoded(replay);
    replays.leave(replay, first);
    const second = client();
    expect(join(second)).not.toBe(replay);
  });

  it('that others wait for stays when the first of them leaves, who has made the gateway do it', () => {
    const [first, second] = [client(), client()];
    const replay = join(first);
    expect(join(second)).toBe(replay);
    recoveries.delete(first);
    replays.leave(replay, first);
    expect(cancelled()).toEqual([]);
    encoded(replay);
    replays.end(replay, 60);
    expect([charged.get(first.session), charged.get(second.session)]).toEqual([replayUnits(FRAME_BYTES), undefined]);
    expect(recoveries.get(second)?.paidBytes).toBe(0);
  });

  it('gives its room to the next once its mark has come, cancelled or not', () => {
    const first = client();
    const replay = join(first);
    const next = join(client('B'));
    replays.leave(replay, first);
    expect(asked()).toEqual([replay.request.request]);
    replays.end(replay, undefined);
    expect(asked()).toEqual([replay.request.request, next.request.request]);
  });
});
