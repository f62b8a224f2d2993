import { describe, expect, test } from 'vitest';
import {
  createFailedCredentials,
  FailedCredentials,
  MEMORY_MS,
  WAIT_MS_MAX,
  WAIT_MS_MIN,
} from '../../../../src/gateway/limits/failed-credentials.js';

const SEED = [7, 11] as const;
const FREE = 3;
/** Times at which 32 bits of milliseconds wrap soon, and have wrapped. */
const TIMES = [1_700_000_000_650, 2 ** 31 - 500, 2 ** 32 - 500];

function workersOf(workers: number, slots = 64): FailedCredentials[] {
  const buffer = createFailedCredentials(workers, SEED, slots);
  return Array.from({ length: workers }, (_, worker) => new FailedCredentials(buffer, worker, FREE));
}

const one = (slots?: number): FailedCredentials => workersOf(1, slots)[0] as FailedCredentials;

describe('refused credentials of one address', () => {
  test.each(TIMES)('R33 the first cost nothing, the next a second, and each further one twice as much (at %i)', t0 => {
    const failures = one();
    for (let i = 0; i < FREE; i++) failures.failed('a', t0 + i);
    expect(failures.waitMs('a', t0 + FREE)).toBe(0);
    let nowMs = t0 + FREE;
    const waits: number[] = [];
    for (let i = 0; i < 12; i++) {
      failures.failed('a', nowMs);
      waits.push(failures.waitMs('a', nowMs));
      nowMs += failures.waitMs('a', nowMs);
      expect(failures.waitMs('a', nowMs)).toBe(0);
    }
    const doubled = waits.map((_, i) => Math.min(WAIT_MS_MAX, WAIT_MS_MIN * 2 ** i));
    expect(waits).toEqual(doubled);
    expect(waits.at(-1)).toBe(WAIT_MS_MAX);
    expect(failures.waitMs('b', nowMs)).toBe(0);
  });

  test('R33 the wait ends by itself, and after a long peace all is forgotten', () => {
    const failures = one();
    const [t0 = 0] = TIMES;
    for (let i = 0; i <= FREE; i++) failures.failed('a', t0);
    expect(failures.waitMs('a', t0 + 400)).toBe(WAIT_MS_MIN - 400);
    expect(failures.waitMs('a', t0 + WAIT_MS_MIN)).toBe(0);
    failures.failed('a', t0 + MEMORY_MS - 1);
    expect(failures.waitMs('a', t0 + MEMORY_MS - 1)).toBe(2 * WAIT_MS_MIN);
    const later = t0 + 2 * MEMORY_MS;
    failures.failed('a', later);
    expect(failures.waitMs('a', later)).toBe(0);
  });

  test('R33 failures of all workers count together, and all of them wait', () => {
    const workers = workersOf(3);
    const [t0 = 0] = TIMES;
    for (let i = 0; i <= FREE; i++) workers[i % 3]?.failed('a', t0);
    for (const worker of workers) expect(worker.waitMs('a', t0)).toBe(WAIT_MS_MIN);
    // A worker that dies takes its own counts along.
    workers[0]?.clear(0);
    expect(workers[1]?.waitMs('a', t0)).toBe(0);
  });

  test('R33 a clock that is set back locks nobody out for longer than the longest wait', () => {
    const failures = one();
    const [t0 = 0] = TIMES;
    for (let i = 0; i < 20; i++) failures.failed('a', t0);
    expect(failures.waitMs('a', t0 - 3_600_000)).toBe(0);
    expect(failures.waitMs('a', t0 - 500)).toBe(WAIT_MS_MAX);
  });

  test('R33 a full table counts no further addresses, and forgets none that it has', () => {
    const failures = one(16);
    const [t0 = 0] = TIMES;
    for (let i = 0; i < 100; i++) for (let n = 0; n <= FREE; n++) failures.failed(`key-${i}`, t0);
    const waiting = Array.from({ length: 100 }, (_, i) => failures.waitMs(`key-${i}`, t0)).filter(ms => ms > 0);
    expect(waiting).toHaveLength(16);
    expect(failures.counters.overflow).toBe(84 * (FREE + 1));
  });
});
