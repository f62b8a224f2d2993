/** The watch over the system clock, which needs no journal. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { readConfig } from '../../src/config/environment.js';
import { Journalling } from '../../src/journalling.js';
import type { ClockReading } from '../../src/observe/clock-offset.js';
import { createLogger } from '../../src/observe/log.js';

const MINUTE_MS = 60_000;
const bound = (errorSeconds: number): ClockReading => ({ offsetSeconds: -errorSeconds / 2, errorSeconds });

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** What is alarmed and logged for each reading, one a minute. */
async function watched(env: Record<string, string>, readings: readonly (ClockReading | undefined)[]) {
  const lines: string[] = [];
  const log = createLogger('info', 'edge-1', { write: (line: string) => lines.push(line) });
  let reading: ClockReading | undefined;
  const journalling = await Journalling.create(readConfig(env), log, () => reading);
  await journalling.open();
  const alarms: boolean[] = [];
  for (reading of readings) {
    await vi.advanceTimersByTimeAsync(MINUTE_MS);
    alarms.push(journalling.isClockAlarming);
  }
  await journalling.close();
  return { alarms, events: lines.map(line => (JSON.parse(line) as { event: string }).event) };
}

it('R70 alarms while the error of the clock exceeds the bound that the operator sets, and says when that is over', async () => {
  const readings = [bound(0.0009), bound(0.0011), undefined, bound(0.0011), bound(0.001)];
  const { alarms, events } = await watched({ CLOCK_DIVERGENCE_MAX: '1ms' }, readings);
  expect(alarms).toEqual([false, true, false, true, false]);
  expect(events).toEqual(['clock_diverges', 'clock_right', 'clock_diverges', 'clock_right']);
});

it('R70 alarms while nothing is known of the clock, if told so, and never without a bound', async () => {
  const { alarms, events } = await watched({ CLOCK_UNKNOWN_ALARM: 'on' }, [undefined, bound(5), undefined]);
  expect(alarms).toEqual([true, false, true]);
  expect(events).toEqual(['clock_unknown', 'clock_right', 'clock_unknown']);
  expect((await watched({}, [undefined, bound(5)])).alarms).toEqual([false, false]);
});
