import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Replacements } from '../../../../src/gateway/supervision/replacements.js';
import type { ToWorker } from '../../../../src/threads/thread-messages.js';

const WORKERS = 3;

let posted: [worker: number, message: ToWorker][];
let replacements: Replacements;

beforeEach(() => {
  vi.useFakeTimers();
  posted = [];
  replacements = new Replacements(WORKERS, (worker, message) => posted.push([worker, message]));
});
afterEach(() => {
  vi.useRealTimers();
});

/** The questions since the last call, by worker. */
function questions(): { readonly worker: number; readonly id: number; readonly user: string }[] {
  return posted.splice(0).flatMap(([worker, message]) => (message.type === 'oldest' ? [{ worker, ...message }] : []));
}
const replaced = () => posted.splice(0).flatMap(([worker, { type }]) => (type === 'replace_oldest' ? [worker] : []));
const soon = () => vi.advanceTimersByTimeAsync(0);

/** Answers each question. @param since by worker */
function answer(since: readonly (number | undefined)[]): void {
  for (const { worker, id } of questions()) replacements.answered(worker, id, since[worker]);
}

describe('I6 the oldest connection of a user', () => {
  it('I6 is found on whichever thread it is', async () => {
    replacements.request('alice');
    await soon();
    answer([5, undefined, 3]);
    await soon();
    expect(replaced()).toEqual([2]);
  });

  it('I6 is looked for once at a time: the next search begins when the one before it has its result', async () => {
    replacements.request('alice');
    replacements.request('alice');
    replacements.request('bob');
    await soon();
    const asked = questions();
    expect(asked.map(({ user }) => user).sort()).toEqual([
      ...Array(WORKERS).fill('alice'),
      ...Array(WORKERS).fill('bob'),
    ]);
    for (const { worker, id, user } of asked) replacements.answered(worker, id, user === 'alice' ? worker : undefined);
    await soon();
    // Bob has none that is open.
    expect(posted.filter(([, { type }]) => type === 'replace_oldest').map(([worker]) => worker)).toEqual([0]);
    answer([undefined, 8, 9]);
    await soon();
    expect(replaced()).toEqual([1]);
  });

  it('I6 is found without a thread that hangs, after a second, and at once without one that ends', async () => {
    replacements.request('alice');
    await soon();
    for (const { worker, id } of questions()) if (worker !== 1) replacements.answered(worker, id, 10 + worker);
    await vi.advanceTimersByTimeAsync(999);
    expect(replaced()).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(replaced()).toEqual([0]);
    replacements.request('alice');
    await soon();
    for (const { worker, id } of questions()) if (worker !== 1) replacements.answered(worker, id, 10 - worker);
    replacements.ended(1);
    await soon();
    expect(replaced()).toEqual([2]);
  });

  it('I6 is not changed by an answer that comes late', async () => {
    replacements.request('alice');
    await soon();
    const asked = questions();
    await vi.advanceTimersByTimeAsync(1_000);
    for (const { worker, id } of asked) replacements.answered(worker, id, 1);
    await soon();
    expect(replaced()).toEqual([]);
  });
});
