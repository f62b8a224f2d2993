import { beforeEach, describe, expect, it } from 'vitest';
import { type Session, type Socket, Subscription, type View } from '../../../../src/gateway/model/session.js';
import type { Outbox } from '../../../../src/gateway/sending/outbox.js';
import { Ladder } from '../../../../src/gateway/slow-consumers/ladder.js';
import type { Subscriptions } from '../../../../src/gateway/subscriptions/subscriptions.js';
import { laneOf, RETAIL_100MS, servedLane } from '../../../../src/threads/lanes.js';
import { newSession } from '../../../support/new-session.js';

const LIMIT_BYTES = 1000;
const RESTORE_AFTER_MS = 5000;
const CHECK_MS = 100;

let nowMs: number;
let waitingBytes: number;
let calls: string[];
let told: string[];
let steps: string[];
let session: Session;
let buffered: Set<Session>;
let slow: Ladder;

function follow(stream: 'quotes' | 'trades', rateClass: number): void {
  const lane = laneOf(rateClass, 0, 'json', false);
  const topic = `${stream}:A`;
  const view = { isState: stream === 'quotes', stream, symbol: 'A', topic, lane } as View;
  session.subscriptions.add(new Subscription(session, lane, view));
}

beforeEach(() => {
  nowMs = 1;
  waitingBytes = 0;
  calls = [];
  told = [];
  steps = [];
  session = newSession({ id: 1, sub: 'alice', format: 'json', tier: 'institutional' });
  session.open({ getBufferedAmount: () => waitingBytes } as unknown as Socket);
  buffered = new Set();
  // What the ladder asks of them, and no more.
  const subscriptions = {
    pausing: {
      pauseAll: () => calls.push('pause all'),
      pauseStates: () => calls.push('pause states'),
      takeNext: () => ({ next: [], isLast: true }),
    },
    resume: () => calls.push('resume'),
    changeViews: () => {
      calls.push('change views');
      return true;
    },
    recoveries: { expire() {}, drained: () => {} },
  };
  const outbox = {
    buffered,
    send: (_: Session, { code, class: name, steps }: Record<string, unknown>) =>
      told.push(`${code} ${name} ${steps}`) > 0,
  };
  slow = new Ladder({
    subscriptions: subscriptions as unknown as Subscriptions,
    outbox: outbox as unknown as Outbox,
    backpressureBytesMax: LIMIT_BYTES,
    circuit: { opensMax: 5, recoveryMs: 30_000, probes: 3, restoreAfterMs: RESTORE_AFTER_MS },
    nowMs: () => nowMs,
    close: () => calls.push('close'),
    onStep: ({ conflation }, isSlower) => steps.push(`${isSlower ? 'down' : 'up'} to ${conflation.level}`),
  });
});

/** Checks, with so much waiting at each. */
function check(...waiting: number[]): void {
  for (const bytes of waiting) {
    nowMs += CHECK_MS;
    waitingBytes = bytes;
    // As uWS says by `drain`, or the answer to a send.
    if (bytes > 0) buffered.add(session);
    slow.sample();
  }
}

/** The client reads all that waits for it. */
function drain(): void {
  waitingBytes = 0;
  slow.drained(session);
}

const calmChecks = (ms: number) => check(...Array.from({ length: ms / CHECK_MS }, () => 0));

describe('R40 a client over the high-water mark', () => {
  it('R40 leaves its state topics for the next slower class, told so when it has drained, and its events go on', () => {
    follow('quotes', 0);
    follow('trades', 0);
    check(501, 600);
    expect(calls).toEqual(['pause states']);
    expect(session.isSuspended).toBe(false);
    check(300, 126);
    expect(told).toEqual([]);
    drain();
    expect(calls).toEqual(['pause states', 'resume']);
    expect(told).toEqual(['conflated 16ms 1']);
    expect(slow.conflation.counters).toEqual({ overHighWater: 1, suspended: 0, restores: 0 });
    expect(slow.counters.stalls).toBe(0);
  });

  it('O2 is reported for the log at each step down and up', () => {
    follow('quotes', 0);
    check(501, 600);
    drain();
    expect(steps).toEqual(['down to 1']);
    calmChecks(RESTORE_AFTER_MS + CHECK_MS);
    expect(steps).toEqual(['down to 1', 'up to 0']);
  });

  it('R40 is left alone while what waits gets less, as with a large snapshot', () => {
    follow('quotes', 0);
    check(900, 800, 700, 600, 550, 501);
    expect(calls).toEqual([]);
  });

  it('R40 is suspended when it goes on falling behind, or reads nothing for a while', () => {
    follow('quotes', 0);
    check(501, 600, 751);
    expect(calls).toEqual(['pause states', 'pause all']);
    drain();
    // It was on its way to that class already.
    expect(told).toEqual(['conflated 16ms 1']);

    check(501, 501);
    expect(calls.at(-1)).toBe('pause states');
    check(...Array.from({ length: 9 }, () => 501));
    expect(calls.at(-1)).toBe('pause states');
    check(501);
    expect(calls.at(-1)).toBe('pause all');
  });

  it('R40 without a state topic that could be slower is suspended, not before the next mark', () => {
    follow('trades', 0);
    follow('quotes', 3);
    check(501, 600, 700);
    expect(calls).toEqual([]);
    check(751);
    expect(calls).toEqual(['pause all']);
    drain();
    expect(told).toEqual([]);
  });

  it('R40 that was suspended comes back a class slower', () => {
    follow('quotes', 0);
    slow.dropped(session, 1);
    waitingBytes = LIMIT_BYTES;
    slow.settle();
    drain();
    expect(told).toEqual(['conflated 16ms 1']);
    expect(slow.conflation.counters).toEqual({ overHighWater: 0, suspended: 1, restores: 0 });
  });
});

describe('R40 a client in a slower class', () => {
  beforeEach(() => {
    follow('quotes', 0);
    for (let step = 1; step <= 3; step++) {
      check(501, 501);
      drain();
    }
    expect(told.splice(0)).toEqual(['conflated 16ms 1', 'conflated 100ms 2', 'conflated 1000ms 3']);
    calls.length = 0;
  });

  it('R40 is given back one class after another while it keeps up', () => {
    calmChecks(RESTORE_AFTER_MS - CHECK_MS);
    expect(told).toEqual([]);
    check(0);
    expect(told).toEqual(['restored 100ms 2']);
    expect(calls).toEqual(['change views']);
    expect(slow.conflation.slowed).toBe(1);
    calmChecks(2 * RESTORE_AFTER_MS);
    expect(told).toEqual(['restored 100ms 2', 'restored 16ms 1', 'restored realtime 0']);
    expect(slow.conflation.slowed).toBe(0);
    calmChecks(2 * RESTORE_AFTER_MS);
    expect(told).toHaveLength(3);
  });

  it('R40 has to keep up all the time, and for longer after each relapse', () => {
    calmChecks(RESTORE_AFTER_MS - CHECK_MS);
    check(126);
    calmChecks(RESTORE_AFTER_MS - CHECK_MS);
    expect(told).toEqual([]);
    check(0);
    expect(told.splice(0)).toEqual(['restored 100ms 2']);
    check(501, 501);
    drain();
    expect(told.splice(0)).toEqual(['conflated 1000ms 3']);
    calmChecks(2 * RESTORE_AFTER_MS - CHECK_MS);
    expect(told).toEqual([]);
    check(0, 0);
    expect(told).toEqual(['restored 100ms 2']);
  });

  it('R40 that has gone is forgotten', () => {
    slow.closed(session);
    expect([slow.conflation.slowed, slow.buffered]).toEqual([0, 0]);
  });
});

describe('R10 R40 the lane that serves a state topic', () => {
  const classOf = (asked: number, tier: 'institutional' | 'retail', steps: number) =>
    servedLane(laneOf(asked, 2, 'msgpack', true), tier, steps) - laneOf(0, 2, 'msgpack', true);

  it('R10 is one of its own for the 100ms of retail clients, and no other', () => {
    expect([0, 1, 2, 3].map(asked => classOf(asked, 'institutional', 0))).toEqual([0, 1, 2, 3]);
    expect([2, 3].map(asked => classOf(asked, 'retail', 0))).toEqual([RETAIL_100MS, 3]);
  });

  it('R40 is slower by so many classes, up to the slowest', () => {
    expect([1, 2, 3, 4].map(steps => classOf(0, 'institutional', steps))).toEqual([1, 2, 3, 3]);
    expect([1, 2].map(steps => classOf(2, 'retail', steps))).toEqual([3, 3]);
  });
});
