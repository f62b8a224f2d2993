import { beforeEach, describe, expect, it } from 'vitest';
import type { Session, Socket } from '../../../../src/gateway/model/session.js';
import { Receipts } from '../../../../src/gateway/sending/receipts.js';
import { newSession } from '../../../support/new-session.js';

const MAX_AGE_MS = 2_000;
const FIRST_WINDOW_BYTES = 64 * 1024;
const LOW_WATER_BYTES = 128 * 1024;

let nowMs: number;
let waitingBytes: number;
let session: Session;
let receipts: Receipts;
let pings: ArrayBuffer[];
let ages: number[];

beforeEach(() => {
  nowMs = 1_000;
  waitingBytes = 0;
  pings = [];
  ages = [];
  session = newSession({ id: 1, sub: 'alice', format: 'json', tier: 'retail' });
  session.open({ getBufferedAmount: () => waitingBytes } as unknown as Socket);
  receipts = new Receipts({
    nowMs: () => nowMs,
    maxAgeMs: MAX_AGE_MS,
    lowWaterBytes: LOW_WATER_BYTES,
    probedBytesMax: 2 * LOW_WATER_BYTES,
    ping: (_, payload) => pings.push(payload.slice().buffer as ArrayBuffer),
    onReceived: (_, ageMs) => ages.push(ageMs),
  });
});

/** The client answers its oldest ping after so long. */
function answer(afterMs: number): boolean {
  nowMs += afterMs;
  return receipts.ponged(session, pings.shift() ?? new ArrayBuffer(0));
}

describe('S1 R16 how old what a client reads is', () => {
  it('S1 R16 is how long its oldest unanswered ping has waited beyond the fastest answer', () => {
    expect(receipts.ageMs(session)).toBe(0);
    receipts.probe(session);
    expect(answer(80)).toBe(true);
    receipts.probe(session);
    nowMs += 80;
    expect(receipts.ageMs(session)).toBe(0);
    nowMs += 500;
    expect(receipts.ageMs(session)).toBe(500);
    receipts.probe(session);
    expect(receipts.ageMs(session)).toBe(500);
    answer(0);
    expect(receipts.ageMs(session)).toBe(0);
    expect(ages).toEqual([0, 500]);
  });

  it('S1 R16 counts an answer to the newest ping for all before it, and no answer twice', () => {
    for (let i = 0; i < 3; i++) receipts.probe(session);
    const [first, , last] = pings;
    expect(receipts.ponged(session, last as ArrayBuffer)).toBe(true);
    expect(receipts.unanswered.size).toBe(0);
    expect(receipts.ponged(session, first as ArrayBuffer)).toBe(false);
    expect(receipts.ponged(session, last as ArrayBuffer)).toBe(false);
  });

  it.each([new ArrayBuffer(0), new ArrayBuffer(8), new ArrayBuffer(125)])(
    'S1 takes no pong of its own making',
    pong => {
      receipts.probe(session);
      expect(receipts.ponged(session, pong)).toBe(false);
    },
  );

  it('S1 is asked ever less often while it does not answer, and never without end', () => {
    const sent: number[] = [];
    for (; nowMs < 601_000; nowMs += 100) if (receipts.probeEvery(session, 100)) sent.push(nowMs);
    expect(sent.length).toBeLessThanOrEqual(48);
    expect(sent.filter(ms => ms < 2_000).length).toBeGreaterThan(8);
  });

  it('S1 is not asked where uWS might drop the ping', () => {
    waitingBytes = 2 * LOW_WATER_BYTES + 1;
    expect(receipts.probe(session)).toBe(false);
    expect(pings).toEqual([]);
  });

  it('S1 R16 is unknown for a client that answers no ping at all', () => {
    receipts.probe(session);
    nowMs += MAX_AGE_MS - 1;
    expect(receipts.ageMs(session)).toBe(MAX_AGE_MS - 1);
    nowMs += 1;
    expect(receipts.ageMs(session)).toBe(0);
    session.receipt.sent(10 * FIRST_WINDOW_BYTES);
    expect(receipts.hasRoom(session)).toBe(true);
    waitingBytes = LOW_WATER_BYTES + 1;
    expect(receipts.hasRoom(session)).toBe(false);
  });
});

describe('S2 the room for snapshots', () => {
  /** Fills the window; the client has received all of it after so long. */
  function useWindow(tookMs: number): void {
    session.receipt.sent(receipts.roomBytes(session));
    expect(receipts.hasRoom(session)).toBe(false);
    expect(pings).toHaveLength(1);
    answer(tookMs);
  }

  beforeEach(() => {
    receipts.begin(session);
    answer(10);
    expect(receipts.roomBytes(session)).toBe(FIRST_WINDOW_BYTES);
  });

  it('S2 is none once a window is on its way, until the client has received it', () => {
    session.receipt.sent(FIRST_WINDOW_BYTES + 1);
    expect([receipts.hasRoom(session), receipts.hasRoom(session)]).toEqual([false, false]);
    // One ping finds out; the next call sends no other.
    expect(pings).toHaveLength(1);
    answer(10);
    expect(receipts.hasRoom(session)).toBe(true);
  });

  it('S2 doubles for a client that takes it at once, up to 512 KiB, and halves for one that does not, down to 16', () => {
    for (let i = 0; i < 6; i++) useWindow(20);
    expect(receipts.roomBytes(session)).toBe(512 * 1024);
    for (let i = 0; i < 3; i++) useWindow(10 + MAX_AGE_MS / 4 + 1);
    expect(receipts.roomBytes(session)).toBe(64 * 1024);
    useWindow(10 + MAX_AGE_MS / 8);
    expect(receipts.roomBytes(session)).toBe(64 * 1024);
    for (let i = 0; i < 6; i++) useWindow(10 + MAX_AGE_MS);
    expect(receipts.roomBytes(session)).toBe(16 * 1024);
  });

  it('S2 is none after `awaitAll` until all that was sent before has been received', () => {
    receipts.probe(session);
    expect(receipts.awaitAll(session)).toBe(true);
    expect(receipts.hasRoom(session)).toBe(false);
    answer(10);
    expect(receipts.hasRoom(session)).toBe(false);
    answer(10);
    expect(receipts.hasRoom(session)).toBe(true);
  });

  it('S2 is none while much waits in user space', () => {
    waitingBytes = LOW_WATER_BYTES + 1;
    expect(receipts.hasRoom(session)).toBe(false);
  });
});

describe('S1 R16 how fast a client takes what it is sent', () => {
  const rate = () => session.receipt.bytesPerMs;
  const sendAndAsk = (bytes: number) => {
    session.receipt.sent(bytes);
    receipts.probe(session);
  };

  beforeEach(() => {
    receipts.probe(session);
    answer(1);
  });

  it('S1 is measured from answer to answer while it has something to read', () => {
    sendAndAsk(20_000);
    sendAndAsk(30_000);
    expect(rate()).toBe(Number.POSITIVE_INFINITY);
    answer(200);
    expect(rate()).toBeCloseTo(100, 0);
    answer(600);
    expect(rate()).toBeCloseTo(50, 0);
  });

  it('S1 is measured from the ping on where it had nothing to read before', () => {
    sendAndAsk(20_000);
    answer(400);
    nowMs += 60_000;
    sendAndAsk(20_000);
    answer(200);
    expect(rate()).toBeCloseTo(100, 0);
  });

  it('S1 is not told by few bytes, until they are enough together', () => {
    for (let i = 0; i < 4; i++) sendAndAsk(5_000);
    for (let i = 0; i < 3; i++) answer(50);
    expect(rate()).toBe(Number.POSITIVE_INFINITY);
    answer(50);
    expect(rate()).toBeCloseTo(100, 0);
  });

  it('S1 is at least what it takes in time, and is not told by how little it is sent', () => {
    for (let i = 0; i < 100; i++) {
      sendAndAsk(1_000);
      answer(50);
    }
    expect(rate()).toBe(Number.POSITIVE_INFINITY);
    sendAndAsk(20_000);
    answer(400);
    expect(rate()).toBeCloseTo(50, 0);
    // The first of these may have been read before it was asked.
    for (const expected of [50, 200]) {
      sendAndAsk(20_000);
      answer(50);
      expect(rate()).toBeCloseTo(expected, 0);
    }
  });
});
