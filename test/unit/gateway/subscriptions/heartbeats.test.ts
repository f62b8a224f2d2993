import { expect, test } from 'vitest';
import { Outbox } from '../../../../src/gateway/sending/outbox.js';
import { Heartbeats } from '../../../../src/gateway/subscriptions/heartbeats.js';
import { Views } from '../../../../src/gateway/views/views.js';

const INTERVAL_MS = 1_000;
const RETAIL = { tier: 'retail' } as const;
const cell = () => ({ messages: 0, bytes: 0 });

/** Lanes that somebody is subscribed to, and what is published to them. */
function silentLanes(count: number, intervalMaxMs = INTERVAL_MS) {
  const views = new Views(1, () => {}, cell);
  for (let i = 0; i < count; i++) {
    const view = views.acquire('quotes', `S${i}`, 0, RETAIL);
    view.countSubscriber(true);
    view.moveTo('e', i);
  }
  const told = new Map<string, number>();
  const publish = (_topic: string, bytes: Uint8Array) => {
    const { topic } = JSON.parse(Buffer.from(bytes).toString()) as { topic: string };
    told.set(topic, (told.get(topic) ?? 0) + 1);
    return true;
  };
  let nowMicros = 1e9;
  const heartbeats = new Heartbeats(
    views,
    new Outbox(publish, () => nowMicros, cell, false),
    { heartbeatIntervalMs: INTERVAL_MS, heartbeatIntervalMaxMs: intervalMaxMs },
    () => nowMicros,
  );
  const sweep = () => {
    nowMicros += heartbeats.sweepIntervalMs * 1000;
    heartbeats.sweep();
  };
  return { views, told, sweep, nowMicros: () => nowMicros };
}

test('R6 more silent topics than one interval has room for all have their turn', () => {
  const lanes = 20_000;
  const { told, sweep } = silentLanes(lanes);
  let swept = 0;
  for (; told.size < lanes && swept < 12; swept++) sweep();
  expect(told.size).toBe(lanes);
  expect(swept).toBe(10);
  expect(Math.max(...told.values())).toBe(1);
});

test('R6 lanes that come and go between sweeps leave none out', () => {
  const { views, told, sweep } = silentLanes(5_000);
  sweep();
  const [first] = views.all();
  if (first !== undefined) views.release(first);
  const added = views.acquire('quotes', 'NEW', 0, RETAIL);
  added.countSubscriber(true);
  added.moveTo('e', 0);
  sweep();
  sweep();
  expect(told.size).toBe(5_001);
  expect(told.get('quotes:NEW')).toBe(1);
});

test('R6 each silent topic is told once an interval, if that must not grow', () => {
  const { told, sweep } = silentLanes(100);
  for (let i = 0; i < 8 * 5; i++) sweep();
  expect([...told.values()]).toEqual(Array.from({ length: 100 }, () => 5));
});

test('S4 a silent topic is told after one interval, then at doubling ones up to the longest, until something happens', () => {
  const { views, told, sweep, nowMicros } = silentLanes(1, 4 * INTERVAL_MS);
  const secondsTold: number[] = [];
  const waitSeconds = (seconds: number) => {
    for (let eighth = 1; eighth <= 8 * seconds; eighth++) {
      const before = told.get('quotes:S0') ?? 0;
      sweep();
      if ((told.get('quotes:S0') ?? 0) > before) secondsTold.push(eighth / 8);
    }
  };
  // It was silent for long when the test began, so it is told at once.
  sweep();
  waitSeconds(20);
  expect(secondsTold.splice(0)).toEqual([2, 6, 10, 14, 18]);
  for (const view of views.all()) view.told(nowMicros());
  waitSeconds(12);
  expect(secondsTold).toEqual([1, 3, 7, 11]);
});
