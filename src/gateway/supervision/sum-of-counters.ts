/** Adds counters of threads, member by member, so that totals need no list of those that ended. */
import assert from 'node:assert/strict';
import type { WorkerStats } from '../../threads/worker-stats.js';

type Members = Readonly<Record<string, unknown>>;

export function sumOfCounters(a: WorkerStats, b: WorkerStats): WorkerStats {
  return sumOfMembers(a as unknown as Members, b as unknown as Members) as unknown as WorkerStats;
}

/** Counts are added, lists of counts place by place, and lists of keys with counts key by key. */
function sumOf(a: unknown, b: unknown): unknown {
  if (a === undefined || b === undefined) return a ?? b;
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  if (Array.isArray(a) && Array.isArray(b)) return isKeyed([...a, ...b]) ? sumByKey(a, b) : sumByPlace(a, b);
  assert(isMembers(a) && isMembers(b), 'counters of all threads have the same shape');
  return sumOfMembers(a, b);
}

function sumOfMembers(a: Members, b: Members): Members {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...names].map(name => [name, name === 'key' ? a[name] : sumOf(a[name], b[name])]));
}

function sumByPlace(a: readonly unknown[], b: readonly unknown[]): unknown[] {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, at) => sumOf(a[at], b[at]));
}

function sumByKey(a: readonly Keyed[], b: readonly Keyed[]): Keyed[] {
  const sums = new Map<unknown, Keyed>();
  for (const one of [...a, ...b]) {
    const before = sums.get(keyOf(one));
    sums.set(keyOf(one), before === undefined ? one : sumOfKeyed(before, one));
  }
  return [...sums.values()];
}

/** `[key, count]`, or an object with a member `key`. */
type Keyed = readonly [key: string | number, count: number] | Members;

function sumOfKeyed(a: Keyed, b: Keyed): Keyed {
  if (isPair(a) && isPair(b)) return [a[0], a[1] + b[1]];
  return sumOfMembers(a as Members, b as Members);
}

const isPair = (one: Keyed): one is readonly [string | number, number] => Array.isArray(one);
const keyOf = (one: Keyed): unknown => (isPair(one) ? one[0] : one.key);

function isKeyed(list: readonly unknown[]): list is readonly Keyed[] {
  return list.length > 0 && list.every(one => Array.isArray(one) || (isMembers(one) && 'key' in one));
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
