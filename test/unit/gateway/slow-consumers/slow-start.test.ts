import { beforeEach, describe, expect, it } from 'vitest';
import type { Session, Socket, Subscription } from '../../../../src/gateway/model/session.js';
import { SlowStart } from '../../../../src/gateway/slow-consumers/slow-start.js';
import { newSession } from '../../../support/new-session.js';

const MAX_AGE_MS = 1_600;
const FIRST_FLIGHT_BYTES = 64 * 1024;
/** So many tell the rate. */
const RATED_BYTES = 16 * 1024;
const BUSY_MS = 10;
const SECONDS_5_MS = 5_000;

let nowMs: number;
let lateMs: number;
let probed: Session[];
let slowStart: SlowStart;

beforeEach(() => {
  nowMs = 1;
  lateMs = 0;
  probed = [];
  slowStart = new SlowStart({
    receipts: { probe: session => probed.push(session) > 0, ageMs: () => lateMs },
    maxAgeMs: MAX_AGE_MS,
    nowMs: () => nowMs,
  });
});

/** A session with topics to which as much as `publish` says is published. */
function begun(id: number, topics = 1) {
  const session = newSession({ id, sub: 'alice', format: 'json', tier: 'retail' });
  session.open({ getBufferedAmount: () => 0 } as unknown as Socket);
  const subscriptions = Array.from({ length: topics }, (_, i) => ({ topic: `quotes:${i}`, publishedBytes: 0 }));
  for (const subscription of subscriptions) session.subscriptions.add(subscription as unknown as Subscription);
  const publish = (bytes: number) => {
    (subscriptions[0] as { publishedBytes: number }).publishedBytes += bytes;
  };
  slowStart.begin(session);
  slowStart.glance();
  return { session, publish };
}

describe('S1 R16 a client that has just begun', () => {
  it('S1 is asked how far it has received whenever something was published to it', () => {
    const { session, publish } = begun(1);
    slowStart.glance();
    expect(probed).toEqual([]);
    publish(100);
    slowStart.glance();
    slowStart.glance();
    expect(probed).toEqual([session]);
    expect(session.receipt.flightBytes).toBe(100);
  });

  it('S1 falls behind once more than 64 KiB is on its way for an eighth of WS_MAX_AGE', () => {
    const { session, publish } = begun(1);
    lateMs = MAX_AGE_MS / 8;
    publish(FIRST_FLIGHT_BYTES);
    expect(slowStart.glance()).toEqual([]);
    publish(1);
    expect(slowStart.glance()).toEqual([session]);
    publish(1);
    lateMs--;
    expect(slowStart.glance()).toEqual([]);
  });

  it('S1 does so, once its rate is known, with more on its way than it takes in half of WS_MAX_AGE, however late', () => {
    const { session, publish } = begun(1);
    session.receipt.answer(session.receipt.probe(nowMs), nowMs, BUSY_MS);
    session.receipt.sent(RATED_BYTES);
    session.receipt.answer(session.receipt.probe(nowMs), nowMs + 400, BUSY_MS);
    publish((RATED_BYTES / 400) * (MAX_AGE_MS / 2));
    lateMs = MAX_AGE_MS - 1;
    expect(slowStart.glance()).toEqual([]);
    lateMs = 0;
    publish(1);
    expect(slowStart.glance()).toEqual([session]);
  });

  it('S1 falls behind when it takes twice as long as its rate says', () => {
    const { session, publish } = begun(1);
    session.receipt.answer(session.receipt.probe(nowMs), nowMs, BUSY_MS);
    session.receipt.sent(RATED_BYTES);
    session.receipt.answer(session.receipt.probe(nowMs), nowMs + 20, BUSY_MS);
    publish(16 * RATED_BYTES);
    lateMs = 16 * 20 * 1.9;
    expect(slowStart.glance()).toEqual([]);
    publish(1);
    lateMs = 16 * 20 * 2.1;
    expect(slowStart.glance()).toEqual([session]);
  });

  it('S1 does not fall behind by snapshots, which come as fast as it takes them', () => {
    const { session } = begun(1);
    session.receipt.sent(10 * FIRST_FLIGHT_BYTES);
    lateMs = MAX_AGE_MS;
    expect(slowStart.glance()).toEqual([]);
  });

  it('S1 has shown how fast it reads after five seconds and 2 MiB, since it began or began again', () => {
    const [a, b, quiet, closed] = [begun(1), begun(2), begun(3), begun(4)];
    for (const { publish } of [a, b, closed]) publish(2 * 1024 * 1024);
    slowStart.glance();
    slowStart.closed(closed.session);
    nowMs += SECONDS_5_MS / 2;
    slowStart.begin(b.session);
    nowMs += SECONDS_5_MS / 2;
    for (let glances = 0; glances < 2; glances++) slowStart.glance();
    probed = [];
    for (const { publish } of [a, b, quiet, closed]) publish(1);
    slowStart.glance();
    expect(probed).toEqual([b.session, quiet.session]);
  });

  it('S1 R59 costs a thread little: of many, some are asked at each glance, all in turn, new ones first', () => {
    const old = Array.from({ length: 60 }, (_, i) => begun(i + 1));
    nowMs += SECONDS_5_MS;
    for (let glances = 0; glances < 4; glances++) slowStart.glance();
    const clients = Array.from({ length: 60 }, (_, i) => begun(100 + i));
    const large = [begun(200, 1_000)];
    for (let glances = 0; glances < 4; glances++) slowStart.glance();
    for (const { publish } of [...old, ...clients, ...large]) publish(1);
    const asked: number[] = [];
    for (let glances = 0; glances < 8; glances++) {
      const before = probed.length;
      slowStart.glance();
      asked.push(probed.length - before);
    }
    expect(Math.max(...asked)).toBeLessThanOrEqual(25);
    expect(new Set(probed).size).toBe(121);
    expect(probed).toHaveLength(121);
    const first = probed.slice(0, 61);
    expect(first.filter(({ id }) => id < 100)).toEqual([]);
  });
});
