import { beforeEach, describe, expect, it } from 'vitest';
import type { Session, Socket } from '../../../../src/gateway/model/session.js';
import type { Outbox } from '../../../../src/gateway/sending/outbox.js';
import { Ladder } from '../../../../src/gateway/slow-consumers/ladder.js';
import type { Subscriptions } from '../../../../src/gateway/subscriptions/subscriptions.js';
import { newAges } from '../../../support/ages.js';
import { newSession } from '../../../support/new-session.js';

const LIMIT_BYTES = 1000;
const CIRCUIT = { opensMax: 5, recoveryMs: 30_000, probes: 3, restoreAfterMs: 5000 };

let nowMs: number;
let waitingBytes: number;
let closed: Session[];
let session: Session;
let ladder: Ladder;
let buffered: Set<Session>;

beforeEach(() => build());

/** @param burstBytes beyond the limit, while the client reads */
function build(burstBytes = 0): void {
  nowMs = 1;
  waitingBytes = 0;
  closed = [];
  session = newSession({ id: 1, sub: 'alice', format: 'json', tier: 'retail' });
  session.open({ getBufferedAmount: () => waitingBytes } as unknown as Socket);
  // What the circuit asks of them, and no more.
  const subscriptions = {
    pausing: { pauseAll: () => {}, takeNext: () => ({ next: [], isLast: true }) },
    resume: () => {},
    recoveries: { expire() {}, drained: () => {} },
  };
  buffered = new Set();
  const outbox = { buffered } as unknown as Outbox;
  ladder = new Ladder({
    ...newAges({ backpressureBytesMax: LIMIT_BYTES, outbox, nowMs: () => nowMs }),
    subscriptions: subscriptions as unknown as Subscriptions,
    outbox,
    backpressureBytesMax: LIMIT_BYTES,
    burstBytes,
    circuit: CIRCUIT,
    nowMs: () => nowMs,
    close: ended => {
      closed.push(ended);
      ended.close();
      ladder.closed(ended);
    },
  });
}

/** uWS drops something for the socket, which has this much waiting. */
function drop(bytes = LIMIT_BYTES): void {
  waitingBytes = bytes;
  ladder.dropped(session, 1);
  ladder.settle();
}

function drain(): void {
  waitingBytes = 0;
  ladder.drained(session);
}

describe('R40 the circuit of a client', () => {
  it('R40 opens with a drop, is half open once it has drained, and closed after three looks that it stands', () => {
    drop();
    expect([ladder.open, ladder.halfOpen, session.isSuspended]).toEqual([1, 0, true]);
    drain();
    expect([ladder.open, ladder.halfOpen, session.isSuspended]).toEqual([0, 1, false]);
    for (let check = 1; check <= CIRCUIT.probes; check++) {
      expect(ladder.halfOpen).toBe(1);
      ladder.sample();
    }
    expect([ladder.open, ladder.halfOpen, session.flow.circuit.opens]).toEqual([0, 0, 0]);
  });

  it('R40 R41 that opens for the fifth time without having been closed ends the connection once it can be told', () => {
    for (let opens = 1; opens < CIRCUIT.opensMax; opens++) {
      drop();
      drain();
    }
    drop();
    // Over the limit, the close frame would be dropped too.
    expect(closed).toEqual([]);
    drain();
    expect(closed).toEqual([session]);
    expect([ladder.open, ladder.halfOpen]).toEqual([0, 0]);
  });

  it('R40 R41 that was closed in between starts counting again', () => {
    for (let opens = 1; opens < 3 * CIRCUIT.opensMax; opens++) {
      drop();
      drain();
      for (let check = 0; check < CIRCUIT.probes; check++) ladder.sample();
    }
    expect(closed).toEqual([]);
  });

  it('R40 R41 that stays open for the recovery time ends the connection, and not a moment earlier', () => {
    drop();
    nowMs += CIRCUIT.recoveryMs - 1;
    ladder.sample();
    expect(closed).toEqual([]);
    nowMs++;
    ladder.sample();
    expect(closed).toEqual([session]);
  });

  it('S2 R40 R41 that stays open while the client receives something does not end the connection', () => {
    drop(LIMIT_BYTES);
    for (let waiting = LIMIT_BYTES - 1; waiting > LIMIT_BYTES / 2; waiting -= 100) {
      nowMs += CIRCUIT.recoveryMs - 1;
      waitingBytes = waiting;
      ladder.sample();
    }
    expect(closed).toEqual([]);
    nowMs += CIRCUIT.recoveryMs;
    ladder.sample();
    expect(closed).toEqual([session]);
  });

  it('R40 R41 does not count further drops while it is open, nor looks at which much waits', () => {
    drop();
    for (let n = 0; n < 10; n++) drop();
    expect([session.flow.circuit.opens, closed]).toEqual([1, []]);
    drain();
    waitingBytes = LIMIT_BYTES / 2;
    for (let check = 0; check < 10; check++) ladder.sample();
    expect(ladder.halfOpen).toBe(1);
  });
});

describe('R5 K1 a burst beyond the limit', () => {
  const sampled = (bytes: number): boolean => {
    waitingBytes = bytes;
    nowMs += 100;
    buffered.add(session);
    ladder.sample();
    return session.isSuspended;
  };

  /** @returns samples until it is suspended, with so much buffered at each */
  const samplesUntilSuspended = (bytes: number): number => {
    for (let n = 1; n <= 100; n++) if (sampled(bytes)) return n;
    return Number.POSITIVE_INFINITY;
  };

  it('R5 K1 suspends no client that reads it, and one that does not for a second', () => {
    build(10 * LIMIT_BYTES);
    for (let n = 0; n < 50; n++) expect(sampled(5_000 - n)).toBe(false);
    expect(samplesUntilSuspended(4_900)).toBeGreaterThanOrEqual(10);
    expect(session.isSuspended).toBe(true);
  });

  it('R5 suspends at once where even that is exceeded, and where there is no room for bursts', () => {
    build(10 * LIMIT_BYTES);
    expect(samplesUntilSuspended(10_800)).toBeLessThanOrEqual(3);
    build();
    expect(samplesUntilSuspended(800)).toBeLessThanOrEqual(3);
  });
});
