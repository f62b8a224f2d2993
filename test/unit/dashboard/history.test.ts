import { describe, expect, it } from 'vitest';
import { History, SAMPLES_MAX } from '../../../src/dashboard/history.js';
import type { Sample } from '../../../src/protocol/admin-rows.js';

const INTERVAL_MS = 1_000;

const sampleAt = (second: number, connections: number | null = second): Sample => ({
  time: new Date(second * 1000).toISOString(),
  connections,
  deliveries_per_second: 0,
  bytes_per_second: 0,
  messages_in_per_second: 0,
  latency_p50_ms: null,
  latency_p99_ms: null,
  age_p99_ms: null,
  buffered_bytes: 0,
  circuits_open: 0,
  refused_per_second: 0,
  cpu: 0,
  threads: [],
});

function historyOf(...seconds: readonly number[]): History {
  const history = new History();
  for (const second of seconds) history.add([sampleAt(second)], INTERVAL_MS);
  return history;
}

const connections = (history: History) => history.values(sample => sample.connections);

describe('R64 the history of the charts', () => {
  it('R64 leaves a hole where samples are missing, so that no line is drawn through an outage', () => {
    const history = historyOf(10, 11, 30, 31);
    expect(history.times).toEqual([10, 11, 12, 30, 31]);
    expect(connections(history)).toEqual([10, 11, null, 30, 31]);
  });

  it('R64 bridges a single late sample', () => {
    expect(connections(historyOf(10, 12, 14))).toEqual([10, 12, 14]);
  });

  it('R64 takes no sample twice, and none from before the newest', () => {
    const history = historyOf(10, 11, 11, 9, 12);
    expect(history.times).toEqual([10, 11, 12]);
    expect(history.latest?.connections).toBe(12);
  });

  it('R64 passes on what a thread could not say', () => {
    const history = new History();
    history.add([sampleAt(1), sampleAt(2, null), sampleAt(3)], INTERVAL_MS);
    expect(connections(history)).toEqual([1, null, 3]);
  });

  it('R64 keeps fifteen minutes', () => {
    const history = historyOf(...Array.from({ length: SAMPLES_MAX + 50 }, (_, i) => i));
    expect(history.times).toHaveLength(SAMPLES_MAX);
    expect(history.times[0]).toBe(50);
  });
});
