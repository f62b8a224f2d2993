import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { buildSync } from 'esbuild';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { KeyHash } from '../../../../src/gateway/limits/key-hash.js';
import { createSharedCounts, SharedCounts } from '../../../../src/gateway/limits/shared-counts.js';
import { until } from '../../../support/until.js';

const SEED = [0x12345678, -0x2468ace] as const;
const WORKERS = 3;

/** One home for all keys, and one half of the hash: the hardest to tell apart. */
class LengthHash implements KeyHash {
  low = 0;
  readonly high = 5;

  update(key: string): void {
    this.low = key.length;
  }
}

describe('counts of a reader and a writer that interrupt each other', () => {
  const OPERATIONS = ['load', 'store', 'add', 'sub'] as const;
  // Without its overloads.
  const atomics = Atomics as unknown as Record<(typeof OPERATIONS)[number], (...args: unknown[]) => number>;

  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** Runs `body` once for each of its atomic operations, with `interruption` right before that one. */
  function atEachOperation(make: () => { body: () => void; interruption: () => void }): number {
    for (let at = 1; ; at++) {
      const { body, interruption } = make();
      let count = 0;
      for (const operation of OPERATIONS) {
        const original = atomics[operation];
        vi.spyOn(atomics, operation).mockImplementation((...args: unknown[]) => {
          if (++count === at) interruption();
          return original(...args);
        });
      }
      body();
      vi.restoreAllMocks();
      if (count < at) return at - 1;
    }
  }

  /** A table with room for one more key than `steady`, which comes behind that one. */
  function tables() {
    const buffer = createSharedCounts(WORKERS, 2, SEED);
    const writer = new SharedCounts(buffer, 0, new LengthHash());
    const reader = new SharedCounts(buffer, 1, new LengthHash());
    writer.add('low');
    writer.add('steady');
    return { writer, reader };
  }

  function turn(writer: SharedCounts): void {
    writer.remove('low');
    for (let i = 0; i < 9; i++) writer.add('high');
  }

  function turnBack(writer: SharedCounts): void {
    for (let i = 0; i < 9; i++) writer.remove('high');
    writer.add('low');
  }

  test.each([
    ['low', [0, 1]],
    ['high', [0, 9]],
    ['steady', [1]],
  ])('R41 a reader of %s that is interrupted anywhere sees one of %j', (key, expected) => {
    for (const turns of [[turn], [turn, turnBack]]) {
      const interrupted = atEachOperation(() => {
        const { writer, reader } = tables();
        return {
          body: () => expect(expected).toContain(reader.total(key)),
          interruption: () => {
            for (const each of turns) each(writer);
          },
        };
      });
      expect(interrupted).toBeGreaterThan(3);
    }
  });

  test('R41 a writer that is interrupted anywhere shows nothing but what it has counted', () => {
    const interrupted = atEachOperation(() => {
      const { writer, reader } = tables();
      return {
        body: () => {
          turn(writer);
          turnBack(writer);
        },
        interruption: () => {
          const [low, high] = [reader.total('low'), reader.total('high')];
          expect(low === 0 || (low === 1 && high === 0)).toBe(true);
          expect(high).toBeLessThanOrEqual(9);
          expect(reader.total('steady')).toBe(1);
        },
      };
    });
    expect(interrupted).toBeGreaterThan(100);
  });
});

describe('counts under concurrent workers', () => {
  const MODULE = fileURLToPath(new URL('../../../../src/gateway/limits/shared-counts.ts', import.meta.url));
  const code = buildSync({
    entryPoints: [MODULE],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'millrace',
    platform: 'node',
  }).outputFiles[0]?.text;
  const threads: Worker[] = [];
  const errors: unknown[] = [];

  /** Starts a thread per worker that waits for the flag, then runs `body`, then adds one to `done`. */
  function run(buffer: SharedArrayBuffer, flags: Int32Array, body: string): void {
    for (let worker = 0; worker < WORKERS; worker++) {
      const source = `${code}
        const { buffer, flags, worker } = require('node:worker_threads').workerData;
        // As LengthHash.
        const hash = { low: 0, high: 5, update(key) { this.low = key.length; } };
        const counts = new millrace.SharedCounts(buffer, worker, hash);
        Atomics.add(flags, 1, 1);
        Atomics.wait(flags, 0, 0);
        ${body}
        Atomics.add(flags, 2, 1);`;
      const thread = new Worker(source, { eval: true, workerData: { buffer, flags, worker } });
      thread.on('error', error => errors.push(error));
      threads.push(thread);
    }
  }

  /** Lets the threads go, all at once. */
  async function release(flags: Int32Array): Promise<void> {
    await until(() => errors.length > 0 || Atomics.load(flags, 1) === WORKERS, 30_000, 'all threads up');
    expect(errors).toEqual([]);
    Atomics.store(flags, 0, 1);
    Atomics.notify(flags, 0);
  }

  afterEach(async () => {
    await Promise.all(threads.splice(0).map(thread => thread.terminate()));
    errors.length = 0;
  });

  test('R41 of many connections at once no more than the limit are let in', async () => {
    const LIMIT = 1000;
    const buffer = createSharedCounts(WORKERS, 16, SEED);
    const flags = new Int32Array(new SharedArrayBuffer(64));
    run(
      buffer,
      flags,
      `let admitted = 0;
       for (let i = 0; i < 20000; i++) {
         if (counts.add('10.0.0.1') <= ${LIMIT}) admitted++;
         else counts.remove('10.0.0.1');
       }
       Atomics.add(flags, 3, admitted);`,
    );
    await release(flags);
    await until(() => errors.length > 0 || Atomics.load(flags, 2) === WORKERS, 30_000, 'all attempts made');
    expect(errors).toEqual([]);
    expect(Atomics.load(flags, 3)).toBe(LIMIT);
    expect(new SharedCounts(buffer, 0, new LengthHash()).total('10.0.0.1')).toBe(LIMIT);
  });

  test('R41 a reader never loses a key that stays, nor gives one key the count of another', async () => {
    // Two slots a table: one for the key that stays, one in which two others take turns.
    const buffer = createSharedCounts(WORKERS, 2, SEED);
    const flags = new Int32Array(new SharedArrayBuffer(64));
    run(
      buffer,
      flags,
      `counts.add('steady');
       Atomics.add(flags, 4, 1);
       while (Atomics.load(flags, 5) === 0) {
         counts.add('low');
         counts.remove('low');
         for (let i = 0; i < 9; i++) counts.add('high');
         for (let i = 0; i < 9; i++) counts.remove('high');
       }`,
    );
    await release(flags);
    await until(() => errors.length > 0 || Atomics.load(flags, 4) === WORKERS, 30_000, 'all threads counting');
    const reader = new SharedCounts(buffer, 0, new LengthHash());
    const seen = { steadyMin: Number.POSITIVE_INFINITY, steadyMax: 0, lowMax: 0, highMax: 0 };
    const endMs = performance.now() + 300;
    while (performance.now() < endMs) {
      for (let i = 0; i < 100; i++) {
        seen.steadyMin = Math.min(seen.steadyMin, reader.total('steady'));
        seen.steadyMax = Math.max(seen.steadyMax, reader.total('steady'));
        seen.lowMax = Math.max(seen.lowMax, reader.total('low'));
        seen.highMax = Math.max(seen.highMax, reader.total('high'));
      }
    }
    Atomics.store(flags, 5, 1);
    await until(() => errors.length > 0 || Atomics.load(flags, 2) === WORKERS, 30_000, 'all threads done');
    expect(errors).toEqual([]);
    expect(seen).toMatchObject({ steadyMin: WORKERS, steadyMax: WORKERS });
    expect(seen.lowMax).toBeLessThanOrEqual(WORKERS);
    expect(seen.highMax).toBeLessThanOrEqual(9 * WORKERS);
    // The threads did run meanwhile.
    expect(seen.highMax).toBeGreaterThan(0);
    expect(['steady', 'low', 'high'].map(key => reader.total(key))).toEqual([WORKERS, 0, 0]);
  });
});
