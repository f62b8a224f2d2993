/** What is kept of missed messages for clients that do not read. */
import { describe, expect, it } from 'vitest';
import { newRecovery, type Recovery } from '../../../../src/gateway/events/missed-events.js';
import {
  QUEUE_BYTES_MAX,
  Resending,
  SESSION_BYTES_MAX,
  WAITING_BYTES_MAX,
} from '../../../../src/gateway/events/resending.js';
import { KEPT_MS_MAX, type SharedReplay, SharedReplays } from '../../../../src/gateway/events/shared-replays.js';
import { type Session, type Socket, Subscription } from '../../../../src/gateway/model/session.js';
import { Deliveries } from '../../../../src/gateway/sending/deliveries.js';
import { Outbox } from '../../../../src/gateway/sending/outbox.js';
import { Views } from '../../../../src/gateway/views/views.js';
import { REALTIME } from '../../../../src/protocol/view-options.js';
import { laneOf } from '../../../../src/threads/lanes.js';
import { newSession } from '../../../support/new-session.js';

const LANE = laneOf(REALTIME, 0, 'json', false);
const MIB = 1024 * 1024;
const SINCE = { epoch: 'e', seq: 0 };

function open() {
  const sentCell = () => ({ messages: 0, bytes: 0 });
  const views = new Views(1, () => {}, sentCell);
  const outbox = new Outbox(
    () => true,
    () => 0,
    sentCell,
    false,
  );
  const replays = new SharedReplays(views.requests, { charge: () => {}, reserve: () => {}, paid: () => {} });
  const ended: Subscription[] = [];
  const recoveries = new Map<Subscription, Recovery>();
  const resending = new Resending({
    replays,
    outbox,
    deliveries: new Deliveries(() => {}),
    bufferedBytesMax: 1024,
    recoveryOf: subscription => recoveries.get(subscription),
    onSent: (subscription, recovery) => {
      ended.push(subscription);
      resending.end(subscription, recovery);
      recoveries.delete(subscription);
    },
  });
  /** A client of a topic whose socket takes nothing. */
  const client = (symbol: string, tier: 'institutional' | 'retail', session = sessionOf(tier)) => {
    const view = views.acquire('rooms', symbol, LANE, session);
    const subscription = new Subscription(session, LANE, view);
    const resumption = { session, since: SINCE, subscriptions: new Set([subscription]), missing: 0 };
    const recovery = newRecovery({ ...resumption, isFailed: false, isDone: true, answer: () => {}, onHeld: () => {} });
    recoveries.set(subscription, recovery);
    return { subscription, recovery };
  };
  /** What the client missed: so many messages of a MiB each. */
  const replay = ({ subscription }: { subscription: Subscription }, messages: number): SharedReplay => {
    const asked = replays.join(subscription, SINCE);
    for (let seq = 1; seq <= messages; seq++)
      replays.append(asked, new Uint8Array(MIB), { seq, prevSeq: seq - 1, eventMicrosOrReason: 0 });
    return asked;
  };
  const begin = (who: { subscription: Subscription; recovery: Recovery }, messages: number): boolean => {
    const asked = replay(who, messages);
    const log = asked.log;
    const isTaken = log !== undefined && resending.attach(who.subscription, who.recovery, log, 0);
    replays.end(asked, messages);
    if (isTaken) resending.begin(who.subscription, who.recovery);
    return isTaken;
  };
  return { replays, resending, client, begin, ended };
}

let sessions = 0;
function sessionOf(tier: 'institutional' | 'retail'): Session {
  const session = newSession({ id: ++sessions, sub: `u${sessions}`, format: 'json', tier });
  session.open({ getBufferedAmount: () => MIB, send: () => 0 } as unknown as Socket);
  return session;
}

describe('J4 R40a what clients that do not read missed', () => {
  it('is no more than a session’s share, whatever it asks for', () => {
    const { client, begin, resending } = open();
    const session = sessionOf('retail');
    const share = SESSION_BYTES_MAX / MIB;
    expect(begin(client('a', 'retail', session), share - 2)).toBe(true);
    expect(begin(client('b', 'retail', session), 3)).toBe(false);
    expect(begin(client('c', 'retail', session), 1)).toBe(true);
    expect(begin(client('d', 'retail'), 3)).toBe(true);
    expect(resending.waitingBytes).toBeLessThan(WAITING_BYTES_MAX);
  });

  it('is one copy for all who missed the same', () => {
    const { client, begin, resending, replays } = open();
    const first = client('a', 'retail');
    begin(first, 4);
    const before = resending.waitingBytes;
    for (let i = 0; i < 50; i++) {
      const { subscription, recovery } = client('a', 'retail');
      const asked = replays.join(subscription, SINCE);
      resending.attach(subscription, recovery, asked.log as never, 0);
      replays.end(asked, 4);
    }
    expect(resending.waitingBytes).toBe(before);
    expect(replays.counters).toEqual({ asked: 51, shared: 50 });
  });

  it('ends for the slowest, retail first, when it would be too much in all; nobody else loses anything', () => {
    const { client, begin, resending, ended } = open();
    const [desk, retail] = [client('a', 'institutional'), client('b', 'retail')];
    begin(desk, 15);
    begin(retail, 15);
    expect(resending.hasRoomFor(WAITING_BYTES_MAX - 20 * MIB)).toBe(true);
    expect(ended).toEqual([retail.subscription]);
    expect(retail.recovery.isCut).toBe(true);
    expect(desk.recovery.log?.length).toBe(15);
    expect(resending.hasRoomFor(WAITING_BYTES_MAX + 1)).toBe(false);
    expect(ended).toEqual([retail.subscription, desk.subscription]);
  });

  it('is kept a little longer for others, who lose it first', () => {
    const { client, begin, resending, replays, ended } = open();
    const [gone, reader] = [client('a', 'retail'), client('b', 'retail')];
    begin(gone, 10);
    begin(reader, 10);
    resending.end(gone.subscription, gone.recovery);
    const before = resending.waitingBytes;
    expect(before).toBeGreaterThan(20 * MIB);
    expect(resending.hasRoomFor(WAITING_BYTES_MAX - 15 * MIB)).toBe(true);
    expect(ended).toEqual([]);
    expect(resending.waitingBytes).toBeLessThan(before - 9 * MIB);
    resending.end(reader.subscription, reader.recovery);
    for (const nowMs of [1, KEPT_MS_MAX]) replays.expire(nowMs);
    expect(resending.waitingBytes).toBeGreaterThan(10 * MIB);
    replays.expire(KEPT_MS_MAX + 1);
    expect(resending.waitingBytes).toBe(0);
  });

  it('is followed by a bounded number of live messages', () => {
    const { client, begin, resending } = open();
    const who = client('a', 'retail');
    begin(who, 1);
    const message = new Uint8Array(MIB / 4);
    let queued = 0;
    while (resending.queue(who.subscription, who.recovery, { bytes: message, seq: ++queued, tag: 1 }))
      if (queued > 100) break;
    expect(queued * message.length).toBeLessThanOrEqual(QUEUE_BYTES_MAX + message.length);
    resending.end(who.subscription, who.recovery);
    expect(who.recovery.queued).toEqual([]);
  });
});
