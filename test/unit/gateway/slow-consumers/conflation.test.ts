import { beforeEach, describe, expect, it } from 'vitest';
import { type Session, type Socket, Subscription, type View } from '../../../../src/gateway/model/session.js';
import type { Outbox } from '../../../../src/gateway/sending/outbox.js';
import { Ladder } from '../../../../src/gateway/slow-consumers/ladder.js';
import type { Subscriptions } from '../../../../src/gateway/subscriptions/subscriptions.js';
import { laneOf, RETAIL_100MS, servedLane } from '../../../../src/threads/lanes.js';
import { MAX_AGE_MS, newAges } from '../../../support/ages.js';
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
let ladder: Ladder;
/** Payloads of the gateway's pings that the client has not answered. */
let pings: ArrayBuffer[];

const ping = (_: Session, payload: Uint8Array) => {
  pings.push(payload.slice().buffer as ArrayBuffer);
};

function follow(stream: 'quotes' | 'trades', rateClass: number): void {
  const lane = laneOf(rateClass, 0, 'json', false);
  const topic = `${stream}:A`;
  const view = { isState: stream === 'quotes', stream, symbol: 'A', topic, lane } as View;
  session.subscriptions.add(new Subscription(session, lane, view));
}

beforeEach(() => build(undefined));

/** @param ping how the client is asked what it has received; undefined: it is not */
function build(ping: ((session: Session, payload: Uint8Array) => void) | undefined): void {
  nowMs = 1;
  waitingBytes = 0;
  calls = [];
  told = [];
  steps = [];
  pings = [];
  session = newSession({ id: 1, sub: 'alice', format: 'json', tier: 'institutional' });
  session.open({ getBufferedAmount: () => waitingBytes } as unknown as Socket);
  buffered = new Set();
  // What the ladder asks of them, and no more.
  const subscriptions = {
    pausing: {
      pauseAll: () => {
        calls.push('pause all');
        session.flow.endPauseOfStates();
      },
      pauseStates: () => {
        calls.push('pause states');
        session.flow.pauseStates(nowMs);
        for (const subscription of session.subscriptions.values()) {
          if (!subscription.view.isState) continue;
          subscription.recordSentUpTo({ epoch: 'e', seq: 1 });
          subscription.moveTo('paused');
        }
      },
      takeNext: () => {
        session.flow.endPauseOfStates();
        for (const subscription of session.subscriptions.values()) {
          if (subscription.state === 'paused') subscription.moveTo('waiting');
        }
        return { next: [], isLast: true };
      },
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
    send: (_: Session, { type, code, class: name, steps, age_ms, topics }: Record<string, unknown>) =>
      told.push(type === 'warning' ? `${code} ${name} ${steps}` : [type, age_ms, topics].join(' ').trim()) > 0,
  };
  ladder = new Ladder({
    ...newAges({
      backpressureBytesMax: LIMIT_BYTES,
      outbox: outbox as unknown as Outbox,
      nowMs: () => nowMs,
      sessions: new Set([session]),
      ...(ping === undefined ? {} : { ping }),
    }),
    subscriptions: subscriptions as unknown as Subscriptions,
    outbox: outbox as unknown as Outbox,
    backpressureBytesMax: LIMIT_BYTES,
    circuit: { opensMax: 5, recoveryMs: 30_000, probes: 3, restoreAfterMs: RESTORE_AFTER_MS },
    nowMs: () => nowMs,
    close: () => calls.push('close'),
    onStep: ({ conflation }, isSlower) => steps.push(`${isSlower ? 'down' : 'up'} to ${conflation.level}`),
  });
}

/** Checks, with so much waiting at each. */
function check(...waiting: number[]): void {
  for (const bytes of waiting) {
    nowMs += CHECK_MS;
    waitingBytes = bytes;
    // As uWS says by `drain`, or the answer to a send.
    if (bytes > 0) buffered.add(session);
    ladder.sample();
  }
}

/** The client reads all that waits for it. */
function drain(): void {
  waitingBytes = 0;
  ladder.drained(session);
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
    expect(ladder.conflation.counters).toEqual({ overHighWater: 1, late: 0, suspended: 0, restores: 0 });
    expect(ladder.counters.stalls).toBe(0);
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

  it('R40 without a state topic that could be slower waits until it has drained, and is suspended at the next mark', () => {
    follow('trades', 0);
    follow('quotes', 3);
    check(501, 600, 700);
    expect(calls).toEqual(['pause states']);
    check(751);
    expect(calls).toEqual(['pause states', 'pause all']);
    drain();
    expect(told).toEqual([]);
  });

  it('R40 without a state topic is suspended, not before the next mark', () => {
    follow('trades', 0);
    check(501, 600, 700);
    expect(calls).toEqual([]);
    check(751);
    expect(calls).toEqual(['pause all']);
  });

  it('R40 that was suspended comes back a class slower', () => {
    follow('quotes', 0);
    ladder.dropped(session, 1);
    waitingBytes = LIMIT_BYTES;
    ladder.settle();
    drain();
    expect(told).toEqual(['conflated 16ms 1']);
    expect(ladder.conflation.counters).toEqual({ overHighWater: 0, late: 0, suspended: 1, restores: 0 });
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
    expect(ladder.conflation.slowed).toBe(1);
    calmChecks(2 * RESTORE_AFTER_MS);
    expect(told).toEqual(['restored 100ms 2', 'restored 16ms 1', 'restored realtime 0']);
    expect(ladder.conflation.slowed).toBe(0);
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
    ladder.closed(session);
    expect([ladder.conflation.slowed, ladder.buffered]).toEqual([0, 0]);
  });
});

describe('S1 R16 a client that answers pings', () => {
  beforeEach(() => {
    build(ping);
    follow('quotes', 0);
    // It answers pings, and at once.
    check(1);
    answer();
  });

  /** The client answers the oldest pings; all of them if no number is given. */
  function answer(count = pings.length): void {
    for (const payload of pings.splice(0, count)) ladder.ponged(session, payload);
  }
  /** Nothing waits in user space: all of it is on the link, or with the client. */
  const wait = (ms: number) => check(...Array.from({ length: ms / CHECK_MS }, () => 0));

  it('S1 R16 late by half of WS_MAX_AGE waits with its state topics, and resumes slower when it has read everything', () => {
    check(1);
    expect(pings).toHaveLength(1);
    wait(MAX_AGE_MS / 2 - CHECK_MS);
    expect(calls).toEqual([]);
    wait(CHECK_MS);
    expect(calls).toEqual(['pause states']);
    expect(ladder.conflation.counters.late).toBe(1);
    answer(1);
    expect(calls).toEqual(['pause states']);
    answer();
    expect(calls).toEqual(['pause states', 'resume']);
    expect(told).toEqual(['conflated 16ms 1']);
  });

  it('S1 R16 a little late waits only while more piles up, and stays in its class unless it happens again soon', () => {
    check(1);
    check(...Array.from({ length: 3 }, () => 0));
    expect(calls).toEqual([]);
    answer();
    check(100, 110, 120, 130);
    expect(calls).toEqual(['pause states']);
    drain();
    answer();
    expect(calls).toEqual(['pause states', 'resume']);
    expect(told).toEqual([]);
    check(100, 110, 120, 130);
    drain();
    answer();
    expect(calls).toEqual(['pause states', 'resume', 'pause states', 'resume']);
    expect(told).toEqual(['conflated 16ms 1']);
  });

  it('S1 R16 is told each second how old its topics are, and once when they are fresh', () => {
    check(1);
    wait(MAX_AGE_MS);
    expect(told).toEqual([]);
    wait(CHECK_MS);
    expect(told).toEqual([`lagging ${MAX_AGE_MS + CHECK_MS} 1`]);
    wait(900);
    expect(told).toHaveLength(1);
    wait(CHECK_MS);
    expect(told).toEqual([`lagging ${MAX_AGE_MS + CHECK_MS} 1`, `lagging ${MAX_AGE_MS + CHECK_MS + 1_000} 1`]);
    expect(ladder.ages.lagging).toBe(1);
    answer();
    for (const subscription of session.subscriptions.values()) subscription.moveTo('live');
    wait(2_000);
    // It took longer than WS_MAX_AGE to read what was sent: more than one class slower.
    expect(told.slice(2)).toEqual(['conflated 100ms 2', 'fresh']);
    expect(ladder.ages.lagging).toBe(0);
  });

  it('S1 R16 over a long way is not late', () => {
    const wayMs = 600;
    for (let i = 0; i < 50; i++) {
      check(1);
      wait(wayMs);
      answer();
    }
    expect([calls, told]).toEqual([[], []]);
  });

  it('S1 R16 is not taken for late when the gateway itself was busy', () => {
    check(1);
    nowMs += 10 * MAX_AGE_MS;
    ladder.ages.check();
    expect(told).toEqual([]);
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
