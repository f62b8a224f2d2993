import type { StreamInfo } from 'nats';
import { expect, it } from 'vitest';
import { StreamDeletes } from '../../../src/feed/stream-deletes.js';

const CREATED = '2026-01-01T00:00:00Z';

/** A stream of which messages are deleted, and that counts how often it is asked for the list. */
class Stream {
  firstSeq = 1;
  deleted: number[] = [];
  created = CREATED;
  asked = 0;
  readonly deletes = new StreamDeletes({
    nowMs: () => 0,
    detailsOf: async () => {
      this.asked++;
      await new Promise(resolve => setImmediate(resolve));
      return this.info;
    },
  });

  get info(): StreamInfo {
    const deleted = this.deleted.filter(seq => seq >= this.firstSeq);
    const state = { first_seq: this.firstSeq, num_deleted: deleted.length, deleted };
    return { created: this.created, state } as unknown as StreamInfo;
  }

  isWhole(afterSeq: number, toSeq: number): Promise<boolean> {
    return this.deletes.isWhole(this.info, afterSeq, toSeq);
  }
}

it('K11: a stream without deletes is asked for none', async () => {
  const stream = new Stream();
  expect(await stream.isWhole(1, 100)).toBe(true);
  expect(stream.asked).toBe(0);
});

it('K11: the list is asked for once while the stream does not change, however many need it', async () => {
  const stream = new Stream();
  stream.deleted = Array.from({ length: 1_000 }, (_, i) => 100 + i);
  const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => stream.isWhole(i, i + 60)));
  expect(answers).toEqual(Array.from({ length: 50 }, (_, i) => i + 60 < 100));
  expect(await stream.isWhole(1_099, 2_000)).toBe(true);
  expect(stream.asked).toBe(1);
});

it('K11: the list still serves when the stream’s first message moves, and not when another is deleted', async () => {
  const stream = new Stream();
  stream.deleted = [10, 20, 30];
  expect(await stream.isWhole(20, 29)).toBe(true);
  stream.firstSeq = 15;
  expect(await stream.isWhole(20, 29)).toBe(true);
  expect(stream.asked).toBe(1);
  stream.deleted.push(25);
  expect(await stream.isWhole(20, 29)).toBe(false);
  expect(stream.asked).toBe(2);
  // What was deleted stays so: this needs no list.
  stream.deleted.push(27);
  expect(await stream.isWhole(20, 29)).toBe(false);
  expect(stream.asked).toBe(2);
});

it('K3: a list that begins behind the range proves nothing of it', async () => {
  const stream = new Stream();
  stream.deleted = [12, 40];
  const before = stream.info;
  stream.firstSeq = 20;
  expect(await stream.deletes.isWhole(before, 10, 30)).toBe(false);
});

it('K11: another stream of that name has other deletes', async () => {
  const stream = new Stream();
  stream.deleted = [12];
  expect(await stream.isWhole(10, 20)).toBe(false);
  stream.created = '2026-02-01T00:00:00Z';
  stream.deleted = [50];
  expect(await stream.isWhole(10, 20)).toBe(true);
});
