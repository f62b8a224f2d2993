import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ReplayTurns, type Turn } from '../../../../src/hub/events/replay-turns.js';
import type { Shard } from '../../../../src/hub/shards/shard.js';
import type { Tier } from '../../../../src/protocol/view-options.js';
import { SHARE_OF_RANK } from '../../../../src/threads/fair-queue.js';

interface Replay {
  readonly name: string;
  readonly shard: Shard;
  readonly tier: Tier;
  readonly worker: number;
  /** Messages left. */
  messages: number;
}

const MESSAGE_BYTES = 4 * 1024;

let shard: { queuedBytes: number };
let served: string[];
let givenUp: string[];
let turns: ReplayTurns<Replay>;

beforeEach(() => {
  vi.useFakeTimers();
  shard = { queuedBytes: 0 };
  served = [];
  givenUp = [];
  turns = new ReplayTurns<Replay>(
    (replay, turn: Turn) => {
      while (replay.messages > 0 && turn.hasRoom) {
        replay.messages--;
        served.push(replay.name);
        turn.spend(MESSAGE_BYTES);
      }
      if (replay.messages > 0) turns.addBehind(replay);
    },
    ({ name }) => givenUp.push(name),
  );
});

afterEach(() => {
  turns.close();
  vi.useRealTimers();
});

// Turns ask a shard for nothing but what waits for it.
const add = (name: string, messages: number, tier: Tier = 'retail', worker = 0) =>
  turns.add({ name, messages, tier, worker, shard: shard as unknown as Shard });
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('J4 R40a replays of a shard', () => {
  it('put a few kB into its queue at a time', async () => {
    add('a', 100);
    expect(served.length).toBeLessThan(5);
    const first = served.length;
    await pass(1);
    expect(served.length).toBe(2 * first);
    await pass(100);
    expect(served).toHaveLength(100);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('go on one after another, institutional ones first, and each worker in its turn', async () => {
    add('busy', 2);
    for (const name of ['a0', 'a1']) add(name, 4, 'retail', 0);
    add('b0', 4, 'retail', 1);
    add('desk', 4, 'institutional', 1);
    await pass(100);
    expect(served.slice(0, 2)).toEqual(['busy', 'busy']);
    expect(served.slice(2, 6)).toEqual(Array.from({ length: 4 }, () => 'desk'));
    const others = served.slice(6);
    expect(others).toHaveLength(12);
    // Half of a greedy worker's last message has come by the time that the modest one's has.
    expect(others.lastIndexOf('b0')).toBeLessThan(others.lastIndexOf('a1'));
    expect(others.lastIndexOf('b0')).toBeLessThan(9);
  });

  it('of retail clients are served within a bounded number of turns, under an endless institutional load', async () => {
    for (let desk = 0; desk < 4; desk++) add(`desk ${desk}`, 1e6, 'institutional', desk);
    add('retail', 4);
    const first = served.length;
    await pass(2 * SHARE_OF_RANK);
    const turns = served.slice(first).map(name => name === 'retail');
    expect(turns.filter(Boolean).length).toBeGreaterThanOrEqual(2);
    // A turn has room for two messages.
    expect(turns.indexOf(true)).toBeLessThanOrEqual(2 * SHARE_OF_RANK);
    expect(turns.indexOf(true)).toBeGreaterThan(SHARE_OF_RANK);
    await pass(2 * SHARE_OF_RANK);
    expect(served.filter(name => name === 'retail')).toHaveLength(4);
  });

  it('wait while live messages wait, and are given up where the encoder takes nothing', async () => {
    add('a', 100);
    const first = served.length;
    shard.queuedBytes = 1024 * 1024;
    await pass(1_000);
    expect(served).toHaveLength(first);
    shard.queuedBytes = 0;
    await pass(1);
    expect(served.length).toBeGreaterThan(first);
    shard.queuedBytes = 1024 * 1024;
    await pass(7_900);
    expect(givenUp).toEqual([]);
    await pass(200);
    expect(givenUp).toEqual(['a']);
    expect(vi.getTimerCount()).toBe(0);
  });
});
