/** How much a NATS server has queued for this gateway, seen from the answer to a ping. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { QUEUED_BYTES_HIGH, ROUND_TRIP_MS_HIGH, RoundTrip } from '../../../src/feed/round-trip.js';
import { FakeClock } from '../../support/fake-clock.js';

const PING_MS = 1_000;

let clock: FakeClock;
let inBytes: number;
let isConnected: boolean;
let pings: { readonly answer: () => void; readonly fail: () => void }[];
let high: string[];
let trip: RoundTrip;

beforeEach(() => {
  clock = new FakeClock();
  inBytes = 0;
  isConnected = true;
  pings = [];
  high = [];
  trip = new RoundTrip({
    clock,
    isConnected: () => isConnected,
    onHigh: detail => high.push(detail),
    connection: {
      stats: () => ({ inBytes, outBytes: 0, inMsgs: 0, outMsgs: 0 }),
      flush: () =>
        new Promise((resolve, reject) =>
          pings.push({ answer: resolve, fail: () => reject(new Error('disconnected')) }),
        ),
    },
  });
});

afterEach(() => trip.stop());

async function answered(ping: number): Promise<void> {
  pings[ping]?.answer();
  await new Promise(resolve => setImmediate(resolve));
}

it('N10: the time and the bytes before the answer are how late messages are, and what was queued', async () => {
  expect([trip.roundTripMs, trip.queuedBytes]).toEqual([undefined, 0]);
  clock.advanceMs(PING_MS);
  inBytes += 4_000;
  clock.advanceMs(20);
  await answered(0);
  expect([trip.roundTripMs, trip.queuedBytes]).toEqual([20, 4_000]);
  expect(high).toEqual([]);
});

it('N10: a ping without an answer counts by its age, and no second one is sent', async () => {
  clock.advanceMs(PING_MS);
  inBytes += 5_000;
  clock.advanceMs(2 * PING_MS);
  expect(pings).toHaveLength(1);
  expect([trip.roundTripMs, trip.queuedBytes]).toEqual([2 * PING_MS, 5_000]);
});

it('N10: says when the server may soon cut this gateway, once, and when that is over', async () => {
  clock.advanceMs(PING_MS);
  inBytes += QUEUED_BYTES_HIGH;
  clock.advanceMs(PING_MS);
  clock.advanceMs(PING_MS);
  expect(high).toEqual([`${QUEUED_BYTES_HIGH} bytes queued, ${PING_MS} ms late`]);
  await answered(0);
  clock.advanceMs(PING_MS);
  await answered(1);
  expect(high.slice(1)).toEqual(['']);
  clock.advanceMs(PING_MS);
  clock.advanceMs(ROUND_TRIP_MS_HIGH + PING_MS);
  expect(high).toHaveLength(3);
});

it('N10: an outage is not a queue: nothing is measured, and a ping of the old connection says nothing', async () => {
  clock.advanceMs(PING_MS);
  isConnected = false;
  clock.advanceMs(10 * PING_MS);
  expect([trip.roundTripMs, trip.queuedBytes]).toEqual([undefined, 0]);
  pings[0]?.fail();
  await new Promise(resolve => setImmediate(resolve));
  isConnected = true;
  clock.advanceMs(PING_MS);
  clock.advanceMs(5);
  await answered(1);
  expect(trip.roundTripMs).toBe(5);
  expect(high).toEqual([]);
});
