import { afterEach, describe, expect, it, vi } from 'vitest';
import type { EncoderThread } from '../../../../src/hub/shards/encoder-thread.js';
import { Shard } from '../../../../src/hub/shards/shard.js';
import type { EncoderTask } from '../../../../src/threads/batch.js';
import { createProgress, ProgressReader } from '../../../../src/threads/progress.js';
import { RecordKind } from '../../../../src/threads/records.js';

/** What messages may wait for each other. */
const WAIT_MS_MAX = 5;

/** An encoder that takes every batch and says at once that it is done. */
class TakingThread implements EncoderThread {
  readonly batches: number[] = [];
  readonly progress = new ProgressReader(createProgress());
  onDeath = (): void => undefined;
  /** True: it takes its time, until `finish`. */
  isSlow = false;
  flushed = 0;
  finish = (): void => undefined;
  flush = (): void => {
    this.flushed++;
  };
  destroy = async (): Promise<void> => undefined;
  async run({ buffer, bytes }: EncoderTask) {
    this.batches.push(bytes);
    if (this.isSlow) {
      await new Promise<void>(resolve => {
        this.finish = resolve;
      });
    }
    return { buffer, dueClasses: 0 } as Awaited<ReturnType<EncoderThread['run']>>;
  }
}

let shard: Shard;
const thread = new TakingThread();
let isLagging = false;

function start(): void {
  thread.batches.length = 0;
  thread.flushed = 0;
  shard = new Shard({
    index: 0,
    startThread: () => thread,
    subject: () => undefined,
    nowMicros: () => 0,
    batchIntervalMs: 16,
    isLagging: () => isLagging,
    onResult: () => undefined,
    onCrash: cause => {
      throw cause;
    },
    onFault: what => {
      throw new Error(what);
    },
    hungAfterMs: Number.POSITIVE_INFINITY,
    stableAfterMs: 0,
  });
}

const flush = (): void => shard.control(RecordKind.flush, 0, 1, 0);
const nextTurn = () => new Promise(resolve => setImmediate(resolve));

describe('R52: what a shard hands to its encoder', () => {
  afterEach(async () => {
    await shard.close();
    isLagging = false;
  });

  it('is a batch for every turn of the loop while the workers keep up', async () => {
    start();
    for (let i = 0; i < 3; i++) {
      flush();
      flush();
      await nextTurn();
    }
    expect(thread.batches).toHaveLength(3);
  });

  it('waits for what comes next while a worker is behind, and no longer than a few milliseconds', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    start();
    isLagging = true;
    for (let i = 0; i < 3; i++) {
      flush();
      await nextTurn();
    }
    expect(thread.batches).toHaveLength(0);
    vi.advanceTimersByTime(WAIT_MS_MAX);
    expect(thread.batches).toHaveLength(1);
    vi.useRealTimers();
    const one = thread.batches[0] ?? 0;
    isLagging = false;
    flush();
    await nextTurn();
    expect(thread.batches).toEqual([one, one / 3]);
  });

  it('is asked about when more has come meanwhile, and not before', async () => {
    start();
    thread.isSlow = true;
    flush();
    await nextTurn();
    expect(thread.batches).toHaveLength(1);
    expect(thread.flushed).toBe(0);
    flush();
    expect(thread.flushed).toBe(1);
    thread.isSlow = false;
    thread.finish();
    await nextTurn();
    expect(thread.batches).toHaveLength(2);
  });
});
