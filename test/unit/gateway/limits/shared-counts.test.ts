import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KeyHash } from '../../../../src/gateway/limits/key-hash.js';
import { countSlotsFor, createSharedCounts, SharedCounts } from '../../../../src/gateway/limits/shared-counts.js';
import { PROBES_MAX } from '../../../../src/gateway/limits/shared-slots.js';

const SEED = [0x12345678, -0x2468ace] as const;
const WORKERS = 3;

/** All workers' ends of one set of tables. */
function countsOf(slotsPerWorker: number, hash?: () => KeyHash): SharedCounts[] {
  const buffer = createSharedCounts(WORKERS, slotsPerWorker, SEED);
  return Array.from({ length: WORKERS }, (_, worker) => new SharedCounts(buffer, worker, hash?.()));
}

/** Gives every key the same home, and equal hashes to keys of equal numbers, which differ in this half of the hash. */
class CollidingHash implements KeyHash {
  low = 7;
  high = 0;
  readonly #half: 'low' | 'high';

  constructor(half: 'low' | 'high') {
    this.#half = half;
  }

  update(key: string): void {
    const number = Number.parseInt(key.slice(1), 10);
    if (this.#half === 'low') this.low = number;
    else this.high = number * 1024;
  }
}

const of = (counts: readonly SharedCounts[], worker: number): SharedCounts => counts[worker] as SharedCounts;

describe('counts', () => {
  test('R41 adding returns the total over all workers', () => {
    const counts = countsOf(16);
    expect([0, 1, 1, 2].map(worker => of(counts, worker).add('10.0.0.1'))).toEqual([1, 2, 3, 4]);
    expect(of(counts, 0).add('10.0.0.2')).toBe(1);
    expect(counts.map(each => each.total('10.0.0.1'))).toEqual([4, 4, 4]);
  });

  test('R41 a worker takes back only what it added itself', () => {
    const counts = countsOf(16);
    of(counts, 0).add('alice');
    expect(of(counts, 1).remove('alice')).toBe(false);
    expect(of(counts, 2).total('alice')).toBe(1);
    expect(of(counts, 0).remove('alice')).toBe(true);
    expect(of(counts, 0).remove('alice')).toBe(false);
    expect(of(counts, 2).total('alice')).toBe(0);
  });

  test('R41 the counts of a worker that died vanish, those of the others stay, and its successor counts anew', () => {
    const counts = countsOf(16);
    for (const worker of [0, 1, 1]) of(counts, worker).add('alice');
    of(counts, 1).add('bob');
    of(counts, 0).clear(1);
    expect(of(counts, 2).total('alice')).toBe(1);
    expect(of(counts, 2).total('bob')).toBe(0);
    expect(of(counts, 1).remove('bob')).toBe(false);
    expect(of(counts, 1).add('alice')).toBe(2);
  });

  test('R41 keys of the same home are counted apart, and gone keys make place without hiding others', () => {
    const counts = countsOf(16, () => new CollidingHash('low'));
    for (const key of ['k1', 'k2', 'k3']) of(counts, 0).add(key);
    of(counts, 0).remove('k1');
    expect(of(counts, 1).total('k3')).toBe(1);
    expect(of(counts, 0).add('k4')).toBe(1);
    expect(['k1', 'k2', 'k3', 'k4'].map(key => of(counts, 1).total(key))).toEqual([0, 1, 1, 1]);
    // Not into a second slot further ahead.
    of(counts, 0).remove('k2');
    expect(of(counts, 0).add('k3')).toBe(2);
  });

  test('R41 a full table refuses new keys, still counts the ones it has, and takes new ones when some are gone', () => {
    const counts = countsOf(4);
    for (const key of ['a', 'b', 'c', 'd']) of(counts, 0).add(key);
    expect(of(counts, 0).add('e')).toBe(Number.POSITIVE_INFINITY);
    expect(of(counts, 0).counters.full).toBe(1);
    expect(of(counts, 0).total('e')).toBe(0);
    expect(of(counts, 0).add('b')).toBe(2);
    expect(of(counts, 1).add('e')).toBe(1);
    of(counts, 0).remove('c');
    expect(of(counts, 0).add('e')).toBe(2);
    expect(of(counts, 0).counters.full).toBe(1);
  });

  test('R41 a search ends after a bounded number of slots, however large the table', () => {
    const counts = countsOf(1024, () => new CollidingHash('high'));
    for (let i = 1; i <= PROBES_MAX; i++) expect(of(counts, 0).add(`k${i}`)).toBe(1);
    expect(of(counts, 0).add('k9999')).toBe(Number.POSITIVE_INFINITY);
  });

  test('R41 a table of the proposed size takes every key that it is meant for', () => {
    for (const keysMax of [1, 1000, 10_000, 60_000]) {
      const counts = new SharedCounts(createSharedCounts(1, countSlotsFor(keysMax), SEED), 0);
      for (let i = 0; i < keysMax; i++) counts.add(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
      expect(counts.counters.full).toBe(0);
    }
    expect(countSlotsFor(10_000_000)).toBe(2 ** 17);
  });

  test('R41 other seeds lead to other collisions', () => {
    const kept = [SEED, [1, 2] as const].map(seed => {
      const counts = new SharedCounts(createSharedCounts(1, 1024, seed), 0);
      const keys = Array.from({ length: 1024 }, (_, i) => `user-${i}`);
      return keys.filter(key => Number.isFinite(counts.add(key))).join();
    });
    expect(kept[0]).not.toBe(kept[1]);
  });

  test('a number of slots that is no power of two is refused', () => {
    expect(() => createSharedCounts(1, 1000, SEED)).toThrow(RangeError);
    expect(() => createSharedCounts(1, 0, SEED)).toThrow(RangeError);
    expect(() => createSharedCounts(1, 2 ** 21, SEED)).toThrow(RangeError);
  });
});

test('R60 keys that have a count are counted once, however many workers count them', () => {
  const [first, second, third] = countsOf(64) as [SharedCounts, SharedCounts, SharedCounts];
  expect(first.keys).toBe(0);
  for (const key of ['a', 'b', 'b']) first.add(key);
  for (const key of ['b', 'c']) second.add(key);
  expect(third.keys).toBe(3);
  // Its slot stays, with a count of 0.
  first.remove('a');
  expect(third.keys).toBe(2);
  second.clear(1);
  expect(third.keys).toBe(1);
});

describe('counts against a model', () => {
  const SLOTS = 4;
  const KEYS = ['a0', 'a1', 'b1', 'a2', 'a3', 'a4', 'b4', 'a5'];
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ op: fc.constant('add'), worker: fc.nat(2), key: fc.constantFrom(...KEYS) }) },
    {
      weight: 5,
      arbitrary: fc.record({ op: fc.constant('remove'), worker: fc.nat(2), key: fc.constantFrom(...KEYS) }),
    },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('clear'), worker: fc.nat(2), key: fc.constant('') }) },
  );

  /** @param idOf keys of equal hashes are one key */
  function check(hash: (() => KeyHash) | undefined, idOf: (key: string) => string): void {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const counts = countsOf(SLOTS, hash);
        const model = counts.map(() => new Map<string, number>());
        const totalOf = (id: string) => model.reduce((sum, own) => sum + (own.get(id) ?? 0), 0);
        for (const { op, worker, key } of steps) {
          const own = model[worker] as Map<string, number>;
          const id = idOf(key);
          const count = own.get(id) ?? 0;
          if (op === 'clear') {
            of(counts, (worker + 1) % WORKERS).clear(worker);
            own.clear();
          } else if (op === 'remove') {
            expect(of(counts, worker).remove(key)).toBe(count > 0);
            if (count > 1) own.set(id, count - 1);
            else own.delete(id);
          } else if (count === 0 && own.size === SLOTS) {
            expect(of(counts, worker).add(key)).toBe(Number.POSITIVE_INFINITY);
          } else {
            own.set(id, count + 1);
            expect(of(counts, worker).add(key)).toBe(totalOf(id));
          }
          for (const any of KEYS) expect(of(counts, worker).total(any)).toBe(totalOf(idOf(any)));
        }
      }),
      { numRuns: 200 },
    );
  }

  test('R41 counts are those of a map per worker, whatever is added, removed and cleared', () => {
    check(undefined, key => key);
  });

  test('R41 so they are when all keys have one home; keys of one hash are one key', () => {
    // Number 0 hashes to the mark of an empty slot, which is read as 1.
    check(
      () => new CollidingHash('low'),
      key => key.slice(1).replace('0', '1'),
    );
    check(
      () => new CollidingHash('high'),
      key => key.slice(1),
    );
  });
});
