import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { HISTORY_INTERVAL_MS, History, SAMPLES_MAX } from '../../../src/admin/history.js';
import type { LoadSample } from '../../../src/threads/admin-messages.js';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] }));
afterEach(() => void vi.useRealTimers());

function load(thread: number, deliveries: number): LoadSample {
  return {
    thread,
    open: 10,
    deliveries,
    sentBytes: deliveries * 100,
    refused: 0,
    bufferedBytes: 0,
    circuitsOpen: 0,
    views: 1,
    loopDelayMs: 0,
    frameAgeMs: 0,
    latencyBuckets: [0, 0, deliveries],
    ageBuckets: [0, 0, 0],
    utilisation: 0.5,
  };
}

/** @param rounds what each thread answers, round by round; undefined: nothing */
function historyOf(rounds: readonly (readonly (LoadSample | undefined)[])[]) {
  let round = -1;
  const faults: unknown[] = [];
  const history = new History({
    questions: {
      workers: 2,
      // As many types of answers as there are questions; the history asks one.
      all: (async () => {
        const loads = rounds[Math.min(++round, rounds.length - 1)] ?? [];
        const answers = loads.flatMap((answer, worker) => (answer === undefined ? [] : [{ worker, answer }]));
        return { answers, silent: [] };
      }) as never,
    },
    main: () => ({ messages: round * 20, feed: 'live', encodeMicrosOf: [round * 250_000] }),
    nowMs: () => Date.now(),
    onFault: (_what, cause) => faults.push(cause),
  });
  history.start();
  return { history, faults, seconds: (count: number) => vi.advanceTimersByTimeAsync(count * HISTORY_INTERVAL_MS) };
}

it('R61 tells rates from second to second, and null where a thread was silent or is another one', async () => {
  const { history, seconds } = historyOf([
    [load(1, 100), load(2, 0)],
    [load(1, 150), load(2, 10)],
    [load(1, 200), undefined],
    [load(1, 250), load(3, 999)],
    [load(1, 300), load(3, 1009)],
  ]);
  await seconds(5);
  const samples = history.since(0);
  expect(samples.map(sample => sample.deliveries_per_second)).toEqual([60, null, null, 60]);
  expect(samples.map(sample => sample.connections)).toEqual([20, null, 20, 20]);
  expect(samples.map(sample => sample.messages_in_per_second)).toEqual([20, 20, 20, 20]);
  expect(samples.map(sample => sample.threads)).toEqual([
    [0.5, 0.5],
    [0.5, null],
    [0.5, 0.5],
    [0.5, 0.5],
  ]);
  expect(samples.map(sample => sample.latency_p50_ms === null)).toEqual([false, true, true, false]);
  expect(samples.every(sample => sample.age_p99_ms === null)).toBe(true);
  expect(history.utilisation.encoders).toEqual([0.25]);
  expect(history.since(Date.parse(samples[2]?.time ?? ''))).toEqual(samples.slice(3));
});

it('R61 keeps 15 minutes', async () => {
  const { history, seconds, faults } = historyOf([[load(1, 0), load(2, 0)]]);
  await seconds(SAMPLES_MAX + 50);
  expect(history.since(0)).toHaveLength(SAMPLES_MAX);
  history.stop();
  const last = history.since(0).at(-1);
  await seconds(5);
  expect(history.since(0).at(-1)).toBe(last);
  expect(faults).toEqual([]);
});
